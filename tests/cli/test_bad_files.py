"""A bad file: one clear sentence, exit status 2, no traceback, and nothing left behind.

What is wrong with a file is tested in full in tests/data/test_files; here, that commands say it.
"""

import gzip
import re
import struct

import numpy as np
import pytest
from commands import energax, listing, moons, refused, tiny
from PIL import Image

MOONS = moons(60)
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 4)).astype(np.uint8)
IDX = struct.pack(">4B3I", 0, 0, 8, 3, *IMAGES.shape) + IMAGES.tobytes()


def table(rows, header="height,width"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)])


def with_cell(cell):
    """A good table but for the width in data row 5."""
    rows = MOONS.tolist()
    rows[4][1] = cell
    return table(rows)


def images(folder):
    folder.mkdir()
    for index, image in enumerate(IMAGES):
        Image.fromarray(image if index else image[:3]).save(folder / f"{index:02}.png")


FILES = {  # name -> (file, how to make it, what the sentence says)
    "empty": ("x.csv", lambda f: f.write_text(""), "x.csv is empty"),
    "only a header": ("x.csv", lambda f: f.write_text("a,b\n"), "x.csv has no rows"),
    "text column": (
        "x.csv",
        lambda f: f.write_text(with_cell("Rome")),
        "x.csv: column 'width' holds text, 'Rome' in data row 5, among numbers",
    ),
    "infinite cell": (
        "x.csv",
        lambda f: f.write_text(with_cell("inf")),
        "column 'width' has 1 infinite cell, in data row 5",
    ),
    "ragged": ("x.csv", lambda f: f.write_text(with_cell("1,2")), "Line 6 of x.csv does not match"),
    "constant column": (
        "x.csv",
        lambda f: f.write_text(table(MOONS * [1, 0] + [0, 3])),
        "Column 'width' of x.csv is constant",
    ),
    "copied column": (
        "x.csv",
        lambda f: f.write_text(table(MOONS[:, :1] * [1, -2] + [0, 3])),
        r"Column 'width' \(from 'height'\) of x.csv follows exactly from others",
    ),
    "rows of an extreme scale": (
        "x.npy",
        lambda f: np.save(f, MOONS.astype(np.float64) * 1e30),
        r"Columns 1 \(\de\+3\d\) and 2 \(\de\+2\d\) of x.npy are of an extreme scale",
    ),
    "too wide for a covariance": (
        "x.npy",
        lambda f: np.save(f, np.random.default_rng(0).normal(size=(60, 40_000))),
        "--base mixture for 40000 numbers a row needs about .* GB of memory.*fewer columns",
    ),
    "few rows": ("x.csv", lambda f: f.write_text(table(MOONS[:9])), "x.csv has 9 rows"),
    "fewer than a batch": (
        "x.npy",
        lambda f: np.save(f, MOONS[:15]),
        "x.npy has 9 training rows, fewer than a batch of 16: give --batch-size 9",
    ),
    "objects": (
        "x.npy",
        lambda f: np.save(f, np.array([{}] * 40, object), allow_pickle=True),
        "x.npy holds Python objects, which are never unpickled",
    ),
    "strings": ("x.npy", lambda f: np.save(f, MOONS.astype(str)), "x.npy holds <U"),
    "truncated idx": (
        "x-idx3-ubyte",
        lambda f: f.write_bytes(IDX[:-3]),
        "x-idx3-ubyte is truncated: 496 bytes expected, 493 found",
    ),
    "idx of many axes": (
        "x-idx255-ubyte",
        lambda f: f.write_bytes(bytes([0, 0, 8, 255]) + struct.pack(">I", 1) * 255 + b"\1"),
        "x-idx255-ubyte has 255 axes",
    ),
    "truncated gzip": (
        "x-idx3-ubyte.gz",
        lambda f: f.write_bytes(gzip.compress(IDX)[:-30]),
        "x-idx3-ubyte.gz is damaged",
    ),
    "images of two sizes": ("shots", images, "00.png is 4x3 greyscale, 01.png is 4x4 greyscale"),
}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_gets_one_sentence_and_no_run(name, tmp_path):
    file, make, says = FILES[name]
    make(tmp_path / file)
    before = listing(tmp_path)
    said = refused(energax("train", file, *tiny()))
    assert re.search(says, said), said
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "says"),
    {
        "no/such.csv": "There is no file or data set 'no/such.csv'",
        "two-mons": "Did you mean 'two-moons'",
        "fashonmnist": "Did you mean 'fashion-mnist'",
    }.items(),
)
@pytest.mark.parametrize("rest", [(), ("--method", "nce", "--help")], ids=["train", "help"])
def test_a_data_set_that_is_none(name, says, rest):
    assert says in refused(energax("train", name, *rest))
