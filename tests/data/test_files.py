"""Rows by path: what can be read comes back number for number, and is split in a fixed way."""

import gzip
import re

import numpy as np
import pytest
from data_files import (
    COLOUR,
    FOLDER,
    IMAGES,
    REAL,
    csv,
    idx,
    npy,
    npz,
    parquet,
    png,
    sentence,
    written,
)

from energax.data import check_rows, load, read_rows
from energax.data.rows import Table
from energax.errors import InputError

READABLE = {  # name -> (file, rows it must give, column names, levels)
    "npy": (("x.npy", npy(REAL)), REAL, None, None),
    "npy of whole numbers": (("x.npy", npy(np.arange(8).reshape(4, 2))), None, None, None),
    "npy in Fortran order": (("x.npy", npy(np.asfortranarray(REAL))), REAL, None, None),
    "npy of float images": (("x.npy", npy(IMAGES / 255)), IMAGES / 255, None, None),
    "npy of images": (("x.npy", npy(IMAGES)), IMAGES, None, 256),
    "npz": (("x.npz", npz(rows=REAL)), REAL, None, None),
    "npz with a split": (("x.npz", npz(train=REAL[:8], test=REAL[8:])), REAL, None, None),
    "csv": (("x.csv", csv(REAL)), REAL, ("a", "b"), None),
    "csv without names": (("x.csv", csv(REAL, None)), REAL, None, None),
    "csv as Windows writes it": (
        ("x.csv", b"\xef\xbb\xbf" + csv(REAL).replace(b"\n", b"\r\n") + b"\r\n"),
        *(REAL, ("a", "b"), None),
    ),
    "csv with blanks": (
        ("x.csv", csv(REAL, "a, b").replace(b",", b" , ")),
        *(REAL, ("a", "b"), None),
    ),
    "csv with semicolons": (("x.csv", csv(REAL).replace(b",", b";")), REAL, ("a", "b"), None),
    "csv with tabs": (("x.csv", csv(REAL).replace(b",", b"\t")), REAL, ("a", "b"), None),
    "csv with a semicolon in a name": (("x.csv", csv(REAL, "a;b,c")), REAL, ("a;b", "c"), None),
    "csv of true and false": (
        ("x.csv", b"a,b\nTrue,1\nfalse,2\nTRUE,3\n"),
        *(np.array([[1, 1], [0, 2], [1, 3]]), ("a", "b"), None),
    ),
    "csv of true and false without names": (
        ("x.csv", b"true,1\nfalse,2\n"),
        *(np.array([[1, 1], [0, 2]]), None, None),
    ),
    "csv with names that a spreadsheet would run": (
        ("x.csv", csv(REAL, "'=1+1,'a")),
        *(REAL, ("=1+1", "'a"), None),
    ),
    "csv of one column": (("x.csv", csv(REAL[:, :1], "a")), REAL[:, :1], ("a",), None),
    "csv with quotes": (("x.csv", b'"a, b",c\n"1",2\n'), np.array([[1, 2]]), ("a, b", "c"), None),
    "parquet": (("x.parquet", parquet(a=REAL[:, 0], b=REAL[:, 1])), REAL, ("a", "b"), None),
    "parquet of true and false": (
        ("x.parquet", parquet(a=[True, False], b=[3, 4])),
        *(np.array([[1, 3], [0, 4]]), ("a", "b"), None),
    ),
    "parquet of whole numbers": (
        ("x.parquet", parquet(a=[1, 2], b=[3, 4])),
        *(np.array([[1, 3], [2, 4]]), ("a", "b"), None),
    ),
    "idx": (("t-idx3-ubyte", idx(IMAGES)), IMAGES, None, 256),
    "idx.gz": (("t-idx3-ubyte.gz", gzip.compress(idx(IMAGES))), IMAGES, None, 256),
    "idx of floats": (("x.idx", idx(REAL.astype(np.float32), 0x0D)), REAL, None, None),
    "folder": (("set", FOLDER | {"readme.txt": b"hello"}), IMAGES, None, 256),
    "colour": (("set", {"a.png": png(COLOUR)}), np.moveaxis(COLOUR, -1, 0)[None], None, 256),
}


@pytest.mark.parametrize("name", READABLE)
def test_rows_come_back_number_for_number(name, tmp_path):
    content, rows, columns, levels = READABLE[name]
    rows = np.arange(8).reshape(4, 2) if rows is None else rows
    table = read_rows(written(tmp_path, content))
    dtype = np.uint8 if levels else np.float32
    assert table.rows.dtype == dtype
    assert np.array_equal(table.rows, rows.astype(dtype))
    assert (table.columns, table.levels, table.source) == (columns, levels, content[0])


def test_jpeg_is_read(tmp_path):
    smooth = np.tile(np.arange(16, dtype=np.uint8) * 10, (16, 1))
    path = written(tmp_path, ("set", {"a.JPG": png(smooth, "jpeg")}))
    assert np.abs(read_rows(path).rows[0].astype(int) - smooth).max() < 8


TABLE = Table(REAL.astype(np.float32), ("a", "b"), None, "x.csv")
PICTURES = Table(IMAGES, None, 256, "x.npy")
FLAT = Table((IMAGES % 17).reshape(12, -1).astype(np.float32), None, None, "x.csv")
HALF = Table(np.full((3, 12), 4.5, np.float32), None, None, "x.csv")
FITTING = {  # name -> (table, shape, columns, levels, rows)
    "same columns": (TABLE, (2,), ("a", "b"), None, TABLE.rows),
    "no names known": (TABLE, (2,), None, None, TABLE.rows),
    "images": (PICTURES, (3, 4), None, 256, IMAGES),
    "flat images": (FLAT, (3, 4), None, 17, (IMAGES % 17)),
}
UNFIT = {  # name -> (table, shape, columns, levels, sentence)
    "width": (TABLE, (3,), None, None, "x.csv has 2 columns; the model was trained on 3."),
    "width, with names": (TABLE, (1,), ("u",), None, "x.csv has 2 columns; .* trained on 1: u."),
    "names": (TABLE, (2,), ("b", "a"), None, "x.csv has the columns a, b; .* on b, a, in this"),
    "shape": (PICTURES, (4, 4), None, 256, r"shape \(3, 4\); the model was trained on \(4, 4\)"),
    "levels": (
        PICTURES,
        (3, 4),
        None,
        17,
        r"data row 1, place \(1, 1\) holds .* whole numbers from 0 to 16",
    ),
    "fractions": (HALF, (3, 4), None, 17, r"data row 1, place \(1, 1\) holds 4.5"),
    "images for reals": (PICTURES, (3, 4), None, None, "trained on real numbers"),
}


@pytest.mark.parametrize("name", FITTING)
def test_rows_that_fit_a_run_come_as_it_takes_them(name):
    table, shape, columns, levels, rows = FITTING[name]
    found = check_rows(table, shape, columns=columns, levels=levels)
    assert np.array_equal(found, rows)
    assert found.dtype == rows.dtype


@pytest.mark.parametrize("name", UNFIT)
def test_rows_that_do_not_fit_are_refused(name):
    table, shape, columns, levels, says = UNFIT[name]
    with pytest.raises(InputError) as error:
        check_rows(table, shape, columns=columns, levels=levels)
    assert re.search(says, sentence(error)), sentence(error)


def test_file_is_split_by_a_fixed_permutation(tmp_path):
    path = written(tmp_path, ("x.csv", csv(REAL)))
    data, again = load(str(path)), load(str(path))
    assert (data.name, data.columns, data.shape) == ("x.csv", ("a", "b"), (2,))
    assert (len(data.train), len(data.test)) == (10, 2)
    assert data.digest == again.digest
    both = np.concatenate([data.train, data.test])
    order = np.random.default_rng(0).permutation(12)
    assert np.array_equal(both, REAL[order].astype(np.float32))
    assert len(load(str(path), test_fraction=0.5).test) == 6


def test_npz_keeps_its_own_split(tmp_path):
    data = load(str(written(tmp_path, ("x.npz", npz(train=IMAGES[:9], test=IMAGES[9:])))))
    assert np.array_equal(data.train, IMAGES[:9])
    assert np.array_equal(data.test, IMAGES[9:])
    assert data.levels == 256


UNTRAINABLE = {
    "constant column": (("x.csv", csv(REAL * [1, 0])), "Column 'b' of x.csv is constant"),
    "constant without name": (("x.npy", npy(REAL * [0, 1])), "Column 1 of x.npy is constant"),
    "few rows": (("x.csv", csv(REAL[:9])), "x.csv has 9 rows: at least 10"),
    "no test rows": (("x.npz", npz(train=REAL, test=REAL[:0])), "both `train` and `test`"),
}


@pytest.mark.parametrize("name", UNTRAINABLE)
def test_rows_that_cannot_be_trained_on_are_refused(name, tmp_path):
    content, says = UNTRAINABLE[name]
    path = written(tmp_path, content)
    assert len(read_rows(path).rows)  # they can be scored
    with pytest.raises(InputError, match=says) as error:
        load(str(path))
    sentence(error)


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(written(tmp_path, ("set", FOLDER)))
    assert load(".").name == "set"
