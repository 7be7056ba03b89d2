"""Labels: of the digits, of image sets beside their images, and what is refused."""

import gzip

import numpy as np
import pytest
from data_files import idx, sentence
from sklearn.datasets import load_digits

from energax.data import Dataset, Labelled, digits, mnist
from energax.errors import InputError


def test_digits_have_the_labels_of_their_rows_and_the_digest_they_always_had():
    data, order = digits(), np.random.default_rng(0).permutation(1797)
    labels = np.concatenate([data.train_labels, data.test_labels])
    assert np.array_equal(labels, load_digits().target[order])
    assert data.labels == 10
    assert data.digest == "b3e662abc799be6849493adea7dc847b2c5d555523fef10d4ea220f956d4bef8"
    assert data.label_digest is not None
    assert data.label_digest != data.digest
    train, test = data.labelled
    assert np.array_equal(train.x, data.train)
    assert np.array_equal(test.label, data.test_labels)


PICTURES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
NAMED = np.array([3, 0, 9, 1, 1], np.uint8)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of images in the format of MNIST, without labels."""
    monkeypatch.setenv("ENERGAX_DATA", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PICTURES)))
    return folder


def test_labels_of_image_sets_are_read_where_they_are(shelf):
    bare = mnist()
    assert (bare.train_labels, bare.labels, bare.label_digest) == (None, None, None)
    with pytest.raises(InputError, match="mnist has no labels") as error:
        _ = bare.labelled
    sentence(error)
    for part, tail, pack in (("train", ".gz", gzip.compress), ("t10k", "", bytes)):
        (shelf / f"{part}-labels-idx1-ubyte{tail}").write_bytes(pack(idx(NAMED)))
    full = mnist()
    assert np.array_equal(full.train_labels, NAMED)
    assert np.array_equal(full.test_labels, NAMED)
    assert (full.digest, full.labels) == (bare.digest, 10)


@pytest.mark.parametrize(
    ("labels", "says"),
    [(NAMED[:4], "holds 4 labels for 5 images"), (PICTURES, "expected uint8 labels")],
)
def test_labels_that_do_not_go_with_the_images_are_refused(shelf, labels, says):
    for part in ("train", "t10k"):
        (shelf / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(InputError, match=says) as error:
        mnist()
    sentence(error)


X = np.zeros((4, 2))
GOOD = np.zeros(4, int)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Labelled(X, GOOD[:3]), r"shape \(4,\), one for each row; got \(3,\)"),
        (lambda: Labelled(X, X[:, 0]), "`label` must be whole numbers; got float"),
        (lambda: Dataset("x", X, X, train_labels=GOOD), "must be given together, or neither"),
        (
            lambda: Dataset("x", X, X, train_labels=GOOD - 1, test_labels=GOOD),
            "`train_labels` must be whole numbers from 0; got .* with least -1",
        ),
    ],
)
def test_labels_that_do_not_fit_their_rows_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
