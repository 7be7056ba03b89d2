"""Bits and categories: found in files and arrays, checked later, and the built-in sets of them."""

import gzip
import hashlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from real_files import needs_files
from tests.data.test_files import csv, npy, parquet, sentence, written

from energax.data import (
    Dataset,
    Schema,
    Whole,
    check_array,
    check_rows,
    digits,
    from_json,
    from_rows,
    load,
    read_rows,
    to_json,
)
from energax.errors import InputError
from energax.space import Bits, Categories, Reals

RNG = np.random.default_rng(0)
BITS = RNG.integers(0, 2, (12, 3))
FEW = RNG.integers(0, 4, (40, 3))
FEW[0, 0] = 3
REAL = RNG.normal(size=(40, 2))


def lines(rows):
    return "\n".join(",".join(map(str, row)) for row in rows).encode() + b"\n"


FOUND = {  # name -> (file, rows, space)
    "csv of bits": (("x.csv", csv(BITS, "a,b,c")), BITS, Bits((3,))),
    "csv.gz": (("x.csv.gz", gzip.compress(csv(BITS, "a,b,c"))), BITS, Bits((3,))),
    "csv of true and false": (
        ("x.csv", b"a,b\n" + b"true,0\nfalse,1\n" * 6),
        np.array([[1, 0], [0, 1]] * 6),
        Bits((2,)),
    ),
    "a constant bit": (
        ("x.npy", npy(np.pad(BITS, ((0, 0), (0, 1))))),
        np.pad(BITS, ((0, 0), (0, 1))),
        Bits((4,)),
    ),
    "npy of categories": (("x.npy", npy(FEW)), FEW, Categories((3,), 4)),
    "parquet": (("x.parquet", parquet(a=FEW[:, 0])), FEW[:, :1], Categories((1,), 4)),
    "npy of bit images": (
        ("x.npy", npy(BITS.reshape(12, 3, 1).astype(np.uint8))),
        BITS.reshape(12, 3, 1),
        Bits((3, 1)),
    ),
    "npy of booleans": (("x.npy", npy(BITS == 1)), BITS, Bits((3,))),
    "data": (("x.data", lines(BITS)), BITS, Bits((3,))),
    "data.gz": (("x.data.gz", gzip.compress(lines(BITS))), BITS, Bits((3,))),
    "data of many states and few rows": (
        ("x.data", lines(np.arange(36).reshape(12, 3))),
        np.arange(36).reshape(12, 3),
        Categories((3,), 36),
    ),
    "data of zeros": (("x.data", lines(0 * BITS)), 0 * BITS, Bits((3,))),
}


@pytest.mark.parametrize("name", FOUND)
def test_bits_and_categories_are_found(name, tmp_path):
    content, rows, space = FOUND[name]
    found = load(str(written(tmp_path, content)))
    assert (found.space, found.states, found.levels) == (space, space.states, None)
    assert found.train.dtype == found.test.dtype == np.uint8
    assert found.cautions == ()
    order = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(np.concatenate([found.train, found.test]), rows[order])


OTHERS = {
    "a real column": np.column_stack([BITS, RNG.normal(size=12)]),
    "fractions": FEW / 2,
    "from 1": FEW + 1,
    "negative": FEW - 1,
    "too many values": RNG.permutation(np.arange(63)).reshape(21, 3),
    "too few rows of each": np.arange(12)[:, None] + RNG.integers(0, 2, (12, 2)),
    "small images": RNG.integers(0, 17, (100, 2, 2)).astype(np.uint8),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_rows_stay_what_they_were(name):
    assert from_rows(OTHERS[name]).states is None


def test_the_caller_has_the_last_word(tmp_path):
    path = str(written(tmp_path, ("x.csv", csv(FEW, "a,b,c"))))
    reals = load(path, states=None)
    assert (reals.space, reals.train.dtype) == (Reals((3,)), np.float32)
    assert reals.schema.forbidden is not None, "few values have no density"
    assert load(path, states=7).space == Categories((3,), 7)
    assert from_rows(FEW, states=None).states is None
    assert from_rows(FEW, levels=4).states is None
    assert from_rows(pd.DataFrame(BITS, columns=list("abc"))).columns == ("a", "b", "c")
    with pytest.raises(InputError, match="column 'a' holds 3; expected whole numbers from 0 to 1"):
        load(path, states=2)
    with pytest.raises(ValueError, match="`states` must be from 2 to 256"):
        load(path, states=1)
    with pytest.raises(ValueError, match="give one"):
        from_rows(FEW, levels=4, states=4)
    with pytest.raises(InputError, match="digits-binary is a data set of bits: leave out"):
        load("digits-binary", states=3)


REFUSED = {
    "a fraction": ([[0, 1], [0.5, 1]], "rows: data row 2, column 1 holds 0.5; "),
    "too large": ([[0, 2], [0, 1]], "rows: data row 1, column 2 holds 2; "),
    "negative": (pd.DataFrame({"a": [0, 0], "b": [0, -1]}), "data row 2, column 'b' holds -1; "),
    "an image": (np.full((1, 1, 2), 9, np.uint8), "rows: data row 1, place (1, 1) holds 9; "),
    "missing": ([[0, np.nan]], "column 2 has 1 missing cell, in data row 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rows_given_later_must_be_of_the_same_states(name):
    rows, says = REFUSED[name]
    with pytest.raises(InputError) as error:
        check_array(rows, np.shape(rows)[1:], states=2)
    assert says in sentence(error)
    if "missing" not in says:
        assert sentence(error).endswith("the model was trained on whole numbers from 0 to 1.")
        with pytest.raises(InputError, match="expected whole numbers from 0 to 1"):
            check_array(rows, states=2)


def test_good_rows_given_later_become_bytes(tmp_path):
    for rows in (BITS, BITS.astype(float), BITS == 1, BITS.astype(np.uint8), BITS.tolist()):
        found, _ = check_array(rows, (3,), states=2)
        assert found.dtype == np.uint8
        assert np.array_equal(found, BITS)
    path = written(tmp_path, ("x.data", lines(0 * BITS)))
    assert check_rows(read_rows(path), (3, 1), states=5).shape == (12, 3, 1)


def test_a_data_file_holds_nothing_but_whole_numbers(tmp_path):
    path = written(tmp_path, ("x.data", lines(BITS) + b"0,1,0.5\n"))
    with pytest.raises(InputError, match=r"data row 13, column 3 holds 0\.5; expected"):
        load(str(path))
    assert load(str(path), states=None).states is None


def test_whole_numbers_stay_as_they_are():
    x = jnp.array([[1, 0], [2, 1]], jnp.uint8)
    y, log_det = Whole().encode(x, key=jax.random.key(0))
    assert y.dtype == jnp.uint8
    assert jnp.array_equal(y, x)
    assert log_det.dtype == jnp.result_type(float)
    assert float(log_det) == 0
    assert jnp.array_equal(Whole().decode(y), x)
    assert from_json(json.loads(json.dumps(to_json(Whole())))) == Whole()
    with pytest.raises(ValueError, match="must be whole numbers; got float32"):
        Whole().encode(x.astype(jnp.float32), key=jax.random.key(0))


def test_a_schema_keeps_states_and_letters():
    rows = np.zeros((3, 2), np.uint8)
    schema = Dataset("x", rows, rows, states=3, letters="-AB").schema
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
    assert (schema.letters, schema.space) == ("-AB", Categories((2,), 3))
    with pytest.raises(ValueError, match="`letters` must be one for each of 3 states"):
        Dataset("x", rows, rows, states=3, letters="-A")
    with pytest.raises(ValueError, match=r"`row_weights` must have shape \(3,\)"):
        Dataset("x", rows, rows, states=3, row_weights=np.ones(2))


def test_binary_digits_are_the_digits_above_seven():
    bits, grey = load("digits-binary"), digits()
    assert bits.space == Bits((8, 8))
    assert np.array_equal(bits.train == 1, grey.train >= 8)
    assert np.array_equal(bits.test == 1, grey.test >= 8)
    assert np.array_equal(bits.test_labels, grey.test_labels)


SIZES = {
    "nltcs": (16181, 2157, 3236, 16),
    "plants": (17412, 2321, 3482, 69),
    "jester": (9000, 1000, 4116, 100),
    "dna": (1600, 400, 1186, 180),
}


@needs_files
@pytest.mark.parametrize("name", SIZES)
def test_binary_sets_have_their_published_sizes(name):
    found = load(name)
    parts = (found.train, found.valid, found.test)
    assert (*map(len, parts), found.space.sites) == SIZES[name]
    assert found.space == Bits(found.shape)


@needs_files
def test_binary_mnist_has_the_recorded_bits():
    found = load("mnist-binary")
    digests = [
        hashlib.sha256(np.packbits(part.reshape(len(part), -1), axis=1).tobytes()).hexdigest()
        for part in (found.train, found.valid, found.test)
    ]
    assert digests == [
        "f0fb73bc0159df397d917805df76c603c4cd0101cdddc588e3faa4b86f0ead45",
        "cffdaf32f2d08e48120941f41aa4a4b112a4f5ca2f63683acd17b392a259857c",
        "c5f1aaaa25b7f2db0b1b1d37528d640b41c9d292775d2e43a221317cb9fe61bb",
    ]
    assert np.array_equal(found.train_labels, load("mnist").train_labels[:50_000])
