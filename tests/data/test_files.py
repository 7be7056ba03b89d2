"""Rows by path: what can be read comes back number for number; the rest gets one sentence."""

import gzip
import io
import os
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from energax.data import check_rows, load, read_rows
from energax.data.rows import Table
from energax.errors import InputError

RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(12, 2))
IMAGES = RNG.integers(0, 256, (12, 3, 4)).astype(np.uint8)


def idx(array, code=0x08):
    """The bytes of an idx file."""
    big = array.astype(array.dtype.newbyteorder(">"))
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + big.tobytes()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def parquet(**columns):
    stream = io.BytesIO()
    pl.DataFrame(columns).write_parquet(stream)
    return stream.getvalue()


def csv(rows, header="a,b"):
    lines = [",".join(repr(float(cell)) for cell in row) for row in rows]
    return "\n".join([header, *lines] if header else lines).encode() + b"\n"


def png(array, suffix="png"):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, suffix)
    return stream.getvalue()


def written(folder, content):
    """The path of one file, or of a folder, with this content."""
    name, inside = content
    path = folder / name
    if isinstance(inside, bytes):
        path.write_bytes(inside)
    else:
        path.mkdir()
        for file, data in inside.items():
            (path / file).write_bytes(data)
    return path


FOLDER = {f"{k:02}.png": png(image) for k, image in enumerate(IMAGES)}
COLOUR = RNG.integers(0, 256, (5, 6, 3)).astype(np.uint8)
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


def csv_with(cell, row=3):
    """A good table but for one cell, in data row `row` of column b."""
    lines = csv(REAL).decode().splitlines()
    lines[row] = f"{lines[row].partition(',')[0]},{cell}"
    return "\n".join(lines).encode()


class Bomb:
    """Would write a file if it were unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


NOT_A_NUMBER = np.where(np.arange(24).reshape(12, 2) == 7, np.nan, REAL)
BAD = {  # name -> (file, what the sentence must say)
    "empty file": (("x.csv", b""), r"x\.csv is empty"),
    "empty npy": (("x.npy", b""), r"x\.npy is empty"),
    "empty table": (("x.csv", b"a,b\n"), r"x\.csv has no rows"),
    "empty array": (("x.npy", npy(np.zeros((0, 2)))), r"x\.npy is empty, of shape \(0, 2\)"),
    "blank csv": (("x.csv", b"\n\n"), "begins with a blank line"),
    "blank first line": (("x.csv", b"\na,b\n1,2\n"), "begins with a blank line"),
    "text column": (
        ("x.csv", csv_with("Rome", 1)),
        "x.csv: column 'b' holds text, 'Rome' in data row 1",
    ),
    "one text cell": (
        ("x.csv", csv_with("12 kg")),
        "x.csv: column 'b' holds text, '12 kg' in data row 3",
    ),
    "missing cell": (
        ("x.csv", csv_with("")),
        "x.csv: column 'b' has 1 missing cell, in data row 3",
    ),
    "NA cell": (("x.csv", csv_with("NA")), "x.csv: column 'b' has 1 missing cell, in data row 3"),
    "nan cell": (("x.csv", csv_with("nan")), "x.csv: column 'b' has 1 missing cell, in data row 3"),
    "infinite cell": (
        ("x.csv", csv_with("-inf")),
        "x.csv: column 'b' has 1 infinite cell, in data row 3",
    ),
    "huge cell": (
        ("x.csv", csv_with("1e39")),
        "column 'b' holds 1e.39, beyond float32, in data row 3",
    ),
    "missing in column 2 without names": (
        ("x.csv", b"1,2\n3,\n"),
        "x.csv: column 2 has 1 missing cell, in data row 2",
    ),
    "every fault of a table": (
        ("x.csv", b"a,b,c,d,e\n1,Rome,,inf,2\n2,3,,1,1e39\n4,Oslo,5,1,6\n"),
        "x.csv: column 'b' holds text, 'Rome' in data row 1 and 1 more, "
        "column 'c' has 2 missing cells, the first in data row 1, "
        "column 'd' has 1 infinite cell, in data row 1 and "
        r"column 'e' holds 1e\+39, beyond float32, in data row 2: drop a column of text.*; fill in",
    ),
    "decimal commas": (
        ("x.csv", b"a;b\n1,5;2\n2,5;3\n"),
        r"column 'a' holds text, '1,5' in data row 1 and 1 more \(write decimals with a point\)",
    ),
    "every text column of parquet": (
        ("x.parquet", parquet(a=["u"], b=[1], c=["v"])),
        "column 'a' holds String, not numbers and column 'c' holds String",
    ),
    "short line": (("x.csv", b"a,b\n1,2\n3\n4,5\n"), "Line 3 of x.csv .* cells 1, expected 2"),
    "long line": (("x.csv", b"a,b\n1,2\n3,4\n4,5,6\n"), "Line 4 of x.csv .* cells 3, expected 2"),
    "blank line": (("x.csv", b"a,b\n1,2\n\n4,5\n"), "Line 3 of x.csv .* cells 0, expected 2"),
    "open quote": (("x.csv", b'a,b\n"1,2\n3,4\n'), r"x\.csv"),
    "twice the name": (("x.csv", b"a,a\n1,2\n"), "two columns called 'a'"),
    "not UTF-8": (("x.csv", b"a,b\n\xff\xfe,2\n"), "not UTF-8"),
    "text in parquet": (
        ("x.parquet", parquet(a=[1], b=["u"])),
        "x.parquet: column 'b' holds String, not",
    ),
    "null in parquet": (
        ("x.parquet", parquet(a=[1.0, None])),
        "x.parquet: column 'a' has 1 missing cell, in data row 2",
    ),
    "no rows in parquet": (("x.parquet", parquet(a=np.zeros(0))), "x.parquet has no rows"),
    "damaged parquet": (("x.parquet", parquet(a=[1.0])[:-9]), "x.parquet is damaged"),
    "no parquet": (("x.parquet", b"hello"), "x.parquet is damaged"),
    "objects": (("x.npy", npy(np.array([Bomb()], object))), "x.npy holds Python objects"),
    "objects in npz": (("x.npz", npz(a=np.array([{}], object))), "'a' in x.npz holds Python"),
    "a pickle": (("x.npy", b"\x80\x04K\x01."), "x.npy is damaged or no .npy"),
    "strings": (("x.npy", npy(np.array([["u"]]))), "x.npy holds <U1, not numbers"),
    "complex": (("x.npy", npy(REAL * 1j)), "x.npy holds complex128, not numbers"),
    "dates": (("x.npy", npy(np.zeros((2, 2), "M8[s]"))), "x.npy holds datetime64"),
    "no dimension": (("x.npy", npy(np.float64(3))), r"shape \(\): expected \(rows, columns\)"),
    "one dimension": (("x.npy", npy(REAL[:, 0])), r"shape \(12,\): expected \(rows, columns\)"),
    "NaN in npy": (
        ("x.npy", npy(NOT_A_NUMBER)),
        "x.npy: column 2 has 1 missing cell, in data row 4",
    ),
    "NaN in images": (
        ("x.npy", npy(np.where(IMAGES[1, 2, 3] == IMAGES, np.nan, 0.5)[1:])),
        r"x.npy: has \d+ missing cells?, (the first )?in data row 1, place \(3, 4\)",
    ),
    "truncated npy": (("x.npy", npy(REAL)[:-8]), "truncated: 320 bytes expected, 312 found"),
    "open header": (("x.npy", npy(REAL)[:40] + b" " * 87 + b"\n"), "x.npy is damaged"),
    "truncated header": (("x.npy", npy(REAL)[:40]), "x.npy is damaged"),
    "truncated npz": (("x.npz", npz(a=REAL)[:-30]), "x.npz is damaged"),
    "many arrays": (("x.npz", npz(a=REAL, b=REAL)), "x.npz holds a and b: expected one array"),
    "split of two widths": (("x.npz", npz(train=REAL, test=REAL[:, :1])), "x.npz: `train` is"),
    "idx magic": (("t-idx3-ubyte", b"\x01" + idx(IMAGES)[1:]), "does not start like an idx"),
    "truncated idx": (("t-idx3-ubyte", idx(IMAGES)[:-7]), "truncated: 160 bytes .* 153 found"),
    "idx without header": (("t-idx3-ubyte", idx(IMAGES)[:9]), "truncated: 16 bytes of header"),
    "idx too long": (("t-idx3-ubyte", idx(IMAGES) + b"."), "goes on after its end: 160 bytes"),
    "labels": (("t-idx1-ubyte", idx(IMAGES[:, 0, 0])), r"shape \(12,\): expected"),
    "truncated gzip": (("t-idx3-ubyte.gz", gzip.compress(idx(IMAGES))[:-20]), "is damaged"),
    "no gzip": (("t-idx3-ubyte.gz", idx(IMAGES)), "damaged or no gzip"),
    "no images": (("set", {"readme.txt": b"hello"}), "The folder set holds no images"),
    "two sizes": (
        ("set", {"a.png": png(IMAGES[0]), "b.png": png(IMAGES[0].T)}),
        "a.png is 4x3 greyscale, b.png is 3x4 greyscale",
    ),
    "two colours": (
        ("set", {"a.png": png(COLOUR), "b.png": png(COLOUR[..., 0])}),
        "a.png is 6x5 colour, b.png is 6x5 greyscale",
    ),
    "transparent": (
        ("set", {"a.png": png(np.dstack([COLOUR, COLOUR[..., 0]]))}),
        "a.png is an image of mode RGBA",
    ),
    "broken image": (("set", FOLDER | {"05.png": FOLDER["05.png"][:40]}), "05.png is damaged"),
    "no image": (("set", {"a.png": b"hello"}), "a.png is damaged or no image"),
    "unknown suffix": (("x.xlsx", b"hello"), r"x\.xlsx is of no known kind; known are \.npy"),
}


def sentence(error):
    """The message, after checking that it is one line that ends as a sentence."""
    said = str(error.value)
    assert said.endswith((".", "?")), said
    assert "\n" not in said
    return said


@pytest.mark.parametrize("name", BAD)
def test_bad_file_gets_one_clear_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, says = BAD[name]
    with pytest.raises(InputError) as error:
        read_rows(written(tmp_path, content))
    assert re.search(says, sentence(error)), sentence(error)
    assert not Path("unpickled").exists()


def test_bad_member_of_an_archive_is_named(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.npy", npy(REAL)[:-8])
    with pytest.raises(InputError, match=r"The array 'rows' in x\.npz is truncated"):
        read_rows(path)


def test_missing_file_and_closed_file_are_said(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="There is no file"):
        read_rows(tmp_path / "x.csv")
    path = written(tmp_path, ("x.npy", npy(REAL)))

    def closed(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(InputError, match="permission denied"):
        read_rows(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_permission_denied(tmp_path):
    path = written(tmp_path, ("x.csv", csv(REAL)))
    path.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        read_rows(path)


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
