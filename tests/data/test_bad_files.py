"""Rows by path: a file that cannot be read gets one sentence, which names the place."""

import gzip
import os
import re
import zipfile
from pathlib import Path

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

from energax.data import read_rows
from energax.errors import InputError


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
