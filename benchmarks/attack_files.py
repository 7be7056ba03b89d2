"""Data files that are wrong in one way each, by family, and a few that must be taken."""

import dataclasses
import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

NOISE = np.random.default_rng(0)
GOOD = NOISE.normal(size=(60, 2))
PIXELS = NOISE.integers(0, 256, (30, 4, 4)).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class File:
    """One file: its name, how it is made, and whether training must refuse it; None: it may."""

    name: str
    path: str
    write: Callable[[Path], object]
    refused: bool | None = True


def content(name: str, path: str, inside: bytes, refused: bool | None = True) -> File:
    """A file with these bytes."""
    return File(name, path, lambda p: p.write_bytes(inside), refused)


def csv(rows: np.ndarray = GOOD, header: str = "a,b", separator: str = ",", end: str = "\n") -> str:
    """A table as text."""
    lines = [separator.join(repr(float(cell)) for cell in row) for row in rows]
    return end.join([header.replace(",", separator), *lines] if header else lines) + end


def with_cell(cell: str, row: int = 5) -> str:
    """A good table but for one cell of its second column."""
    lines = csv().splitlines()
    lines[row] = f"{lines[row].partition(',')[0]},{cell}"
    return "\n".join(lines) + "\n"


def npy(array: np.ndarray) -> bytes:
    """The bytes of a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    """The bytes of a .npz file."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def idx(array: np.ndarray, code: int = 8) -> bytes:
    """The bytes of an idx file."""
    head = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def png(pixels: np.ndarray, kind: str = "png") -> bytes:
    """The bytes of a picture."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def parquet(**columns: object) -> bytes:
    """The bytes of a parquet file."""
    stream = io.BytesIO()
    pl.DataFrame(columns).write_parquet(stream)
    return stream.getvalue()


def header(text: str, rest: bytes = b"\0" * 960) -> bytes:
    """A .npy file with this header."""
    padded = (text + " " * (117 - len(text)) + "\n").encode("latin1")
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + rest


CELLS = {
    "text": "Rome",
    "empty": "",
    "NA": "NA",
    "NaN": "NaN",
    "null": "NULL",
    "infinite": "inf",
    "minus infinite": "-Infinity",
    "beyond float32": "1e39",
    "beyond float64": "1e999",
    "percent": "12%",
    "money": "$12",
    "thousands": '"1,234"',
    "date": "2026-01-02",
    "time": "12:30",
    "hexadecimal": "0x1F",
    "underscore": "1_000",
    "two points": "1.2.3",
    "formula": "=1+1",
    "complex": "1+2j",
    "fraction": "1/2",
    "minus of typesetters": "\u22121.5",
    "blank": "   ",
    "question mark": "?",
    "true": "true",
    "quote": '"',
    "emoji": "\N{GRINNING FACE}",
    "Arabic digits": "\u0661\u0662",
    "letter O": "1O",
    "long": "9" * 5000,
    "unit": "12 kg",
    "null byte": "\0",
    "tab": "1\t2",
    "break": '"1\n2"',
    "minus": "-",
    "point": ".",
    "e": "1e",
}
"""Cells that are no number, or look like none."""

TAKEN_CELLS = ("underscore", "Arabic digits", "quote", "beyond float64", "tab")
"""Cells that training may take or refuse: libraries differ in what they read as a number."""


def attack_cells() -> Iterator[File]:
    """One bad cell in a table."""
    for name, cell in CELLS.items():
        refused = None if name in TAKEN_CELLS else True
        yield content(name, "x.csv", with_cell(cell).encode(), refused)


def attack_csv() -> Iterator[File]:
    """A table that is wrong as a file."""
    good = csv()
    lines = good.splitlines()
    wide = csv(NOISE.normal(size=(12, 3000)), "")
    cases: dict[str, tuple[bytes, bool | None]] = {
        "no bytes": (b"", True),
        "a line break": (b"\n", True),
        "blanks": (b"   \n  \n", True),
        "header alone": (b"a,b\n", True),
        "nine rows": ("\n".join(lines[:10]).encode(), True),
        "ten rows": ("\n".join(lines[:11]).encode(), None),
        "short line": ("\n".join([*lines[:9], "1", *lines[9:]]).encode(), True),
        "long line": ("\n".join([*lines[:9], "1,2,3", *lines[9:]]).encode(), True),
        "blank line inside": ("\n".join([*lines[:9], "", *lines[9:]]).encode(), True),
        "blank first line": (("\n" + good).encode(), True),
        "blank lines at the end": ((good + "\n\n").encode(), None),
        "comma at the end of lines": (good.replace("\n", ",\n").encode(), True),
        "open quote": (good.replace("a,b", 'a,"b').encode(), True),
        "stray quote": (with_cell('1"2').encode(), True),
        "names alike": (csv(header="a,a").encode(), True),
        "names empty": (csv(header=",").encode(), None),
        "UTF-16": (good.encode("utf-16"), True),
        "Latin-1": (csv(header="é,b").encode("latin1"), True),
        "BOM": (b"\xef\xbb\xbf" + good.encode(), False),
        "Windows": (csv(end="\r\n").encode(), False),
        "old Mac": (csv(end="\r").encode(), None),
        "no header": (csv(header="").encode(), False),
        "semicolons": (csv(separator=";").encode(), False),
        "tabs": (csv(separator="\t").encode(), False),
        "bars": (csv(separator="|").encode(), True),
        "spaces": (csv(separator=" ").encode(), True),
        "decimal commas": (good.replace(",", ";").replace(".", ",").encode(), True),
        "comment": (b"# hello\n" + good.encode(), True),
        "binary": (NOISE.bytes(4000), True),
        "null bytes": (bytes(4000), True),
        "JSON": (b'{"a": [1, 2]}', True),
        "HTML": (b"<html><body>Not found</body></html>", True),
        "one column": (csv(GOOD[:, :1], "a").encode(), False),
        "wider than long": (wide.encode(), None),
        "formula names": (csv(header="=a,@b").encode(), False),
        "a name of 10,000 letters": (csv(header=f"{'a' * 10_000},b").encode(), None),
        "names with control codes": (csv(header="a\x1b[31m,b").encode(), None),
        "footer": ((good + "total,120\n").encode(), True),
        "two tables": ((good + "\n" + good).encode(), True),
        "header twice": ((good + good).encode(), True),
        "gzip as CSV": (gzip.compress(good.encode()), True),
    }
    for name, (inside, refused) in cases.items():
        yield content(name, "x.csv", inside, refused)


def attack_columns() -> Iterator[File]:
    """Columns that no density describes, and some that look so."""
    a, b = GOOD.T
    count = np.arange(60.0)
    cases: dict[str, tuple[list[np.ndarray], bool | None]] = {
        "constant": ([a, 0 * a], True),
        "all constant": ([0 * a, 0 * a + 3], True),
        "constant in float32": ([a, b + 1e12], True),
        "copy": ([a, a], True),
        "scaled copy": ([a, 3 - 2 * a], True),
        "sum": ([a, b, a + b], True),
        "difference of many": ([a, b, count, a - b + count], True),
        "1e30": ([1e30 * a, 1e30 * b], True),
        "1e-30": ([1e-30 * a, 1e-30 * b], True),
        "1e38": ([3e38 * np.tanh(a), b], True),
        "one of 1e20": ([a, 1e20 * b], True),
        "subnormal": ([a, 1e-40 * b], True),
        "binary": ([a, b > 0], False),
        "few values": ([a, np.round(b)], False),
        "all binary": ([a > 0, b > 0], None),
        "many zeros": ([a, np.maximum(b, 0)], False),
        "row numbers": ([a, count], False),
        "dates as numbers": ([a, 20_260_101 + count], False),
        "offset 1e6": ([a, b + 1e6], False),
        "one outlier": ([a, np.where(count == 7, 1e9, b)], None),
        "outlier of 1e30": ([a, np.where(count == 7, 1e30, b)], True),
        "heavy tails": ([a, np.tan(1.57 * np.tanh(3 * b))], None),
        "NaN column": ([a, np.nan * b], True),
        "mostly NaN": ([a, np.where(count > 3, np.nan, b)], True),
        "large and small": ([1e12 * a, 1e-12 * b], False),
    }
    for name, (columns, refused) in cases.items():
        yield content(name, "x.npy", npy(np.stack(columns, axis=1).astype(float)), refused)
    yield content("rows twice", "x.npy", npy(np.concatenate([GOOD, GOOD])), False)
    yield content("one row often", "x.npy", npy(np.repeat(GOOD[:1], 60, 0)), True)
    yield content("two rows often", "x.npy", npy(np.repeat(GOOD[:2], 30, 0)), True)


def attack_npy() -> Iterator[File]:
    """Arrays of a wrong kind, and damaged .npy files."""
    good = npy(GOOD)
    arrays: dict[str, tuple[np.ndarray, bool | None]] = {
        "objects": (np.array([{}] * 40, object), True),
        "strings": (GOOD.astype(str), True),
        "complex": (GOOD * 1j, True),
        "dates": (np.zeros((40, 2), "M8[s]"), True),
        "structured": (np.zeros(40, [("a", "f8"), ("b", "f8")]), True),
        "a number": (np.array(3.0), True),
        "one axis": (GOOD[:, 0], True),
        "no rows": (GOOD[:0], True),
        "no columns": (GOOD[:, :0], True),
        "five axes": (GOOD.reshape(60, 1, 1, 1, 2), None),
        "booleans": (GOOD > 0, None),
        "whole numbers": (NOISE.integers(0, 1000, (60, 2)), False),
        "big-endian": (GOOD.astype(">f8"), False),
        "half precision": (GOOD.astype("f2"), False),
        "Fortran": (np.asfortranarray(GOOD), False),
        "uint64": (NOISE.integers(0, 2**63, (60, 2), np.uint64), True),
        "one NaN": (np.where(np.arange(120).reshape(60, 2) == 7, np.nan, GOOD), True),
    }
    for name, (array, refused) in arrays.items():
        yield content(name, "x.npy", npy(array), refused)
    start = "{'descr': '<f8', 'fortran_order': False, 'shape': "
    heads = {
        "huge shape": f"{start}(1000000000, 1000000), }}",
        "negative shape": f"{start}(-60, 2), }}",
        "shape of text": f"{start}('a', 2), }}",
        "no shape": "{'descr': '<f8', 'fortran_order': False}",
        "code": "__import__('os').system('touch hacked')",
        "open header": start,
        "unknown type": f"{start.replace('<f8', '<q9')}(60, 2), }}",
        "void": f"{start.replace('<f8', '|V0')}(60, 2), }}",
    }
    for name, text in heads.items():
        yield content(name, "x.npy", header(text))
    damaged = {
        "magic alone": good[:6],
        "half a header": good[:40],
        "half the rows": good[:-400],
        "another version": good[:6] + b"\x09\x00" + good[8:],
        "pickle": b"\x80\x04K\x01.",
        "text": b"hello",
        "CSV": csv().encode(),
        "header length": good[:8] + b"\xff\xff" + good[10:],
    }
    for name, inside in damaged.items():
        yield content(name, "x.npy", inside)
    yield content("rest after the rows", "x.npy", good + b"more", None)


def attack_npz() -> Iterator[File]:
    """Archives."""
    good = npz(rows=GOOD)
    zeros = io.BytesIO()
    with zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "rows.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (9, 2)}")
        )
        archive.writestr("more.txt", b"0" * 1000)
    cases: dict[str, tuple[bytes, bool | None]] = {
        "two arrays": (npz(a=GOOD, b=GOOD), True),
        "no array": (npz(), True),
        "objects": (npz(a=np.array([{}], object)), True),
        "many arrays": (npz(**{f"a{i}": GOOD for i in range(200)}), True),
        "no zip": (b"hello", True),
        "truncated": (good[:-30], True),
        "flipped bits": (good[:90] + bytes(9) + good[99:], True),
        "train alone": (npz(train=GOOD, other=GOOD), True),
        "two widths": (npz(train=GOOD, test=GOOD[:, :1]), True),
        "no test rows": (npz(train=GOOD, test=GOOD[:0]), True),
        "no train rows": (npz(train=GOOD[:0], test=GOOD), True),
        "two types": (npz(train=GOOD, test=GOOD.astype("f4")), True),
        "test is train": (npz(train=GOOD, test=GOOD), False),
        "single numbers": (npz(train=np.array(1.0), test=np.array(1.0)), True),
        "text inside": (zeros.getvalue(), True),
        "split": (npz(train=GOOD[:40], test=GOOD[40:]), False),
    }
    for name, (inside, refused) in cases.items():
        yield content(name, "x.npz", inside, refused)


def attack_idx() -> Iterator[File]:
    """Idx files, plain and gzipped."""
    good = idx(PIXELS)
    plain: dict[str, bytes] = {
        "no bytes": b"",
        "three bytes": b"\0\0\x08",
        "magic": b"\1" + good[1:],
        "unknown type": b"\0\0\x07" + good[3:],
        "rank 0": b"\0\0\x08\0",
        "rank 255": bytes([0, 0, 8, 255]) + struct.pack(">I", 1) * 255 + b"\1",
        "huge lengths": struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3),
        "no rows": idx(PIXELS[:0]),
        "truncated": good[:-7],
        "half a header": good[:9],
        "rest": good + b"more",
        "labels": idx(PIXELS[:, 0, 0]),
        "NaN": idx(np.full((30, 2), np.nan, "f4"), 0x0D),
    }
    for name, inside in plain.items():
        yield content(name, "x-idx3-ubyte", inside)
    packed: dict[str, bytes] = {
        "no gzip": good,
        "truncated gzip": gzip.compress(good)[:-20],
        "two gzips": gzip.compress(good) * 2,
        "gzip of nothing": gzip.compress(b""),
        "bomb": gzip.compress(good + bytes(100_000_000), 1),
        "damaged gzip": gzip.compress(good)[:30] + b"\xff" * 9 + gzip.compress(good)[39:],
    }
    for name, inside in packed.items():
        yield content(name, "x-idx3-ubyte.gz", inside)


def attack_parquet() -> Iterator[File]:
    """Parquet files."""
    a, b = GOOD.T
    good = parquet(a=a, b=b)
    cases: dict[str, tuple[bytes, bool | None]] = {
        "text": (parquet(a=a, b=["u"] * 60), True),
        "dates": (parquet(a=a, b=np.zeros(60, "M8[D]")), True),
        "null": (parquet(a=a, b=[None, *b[1:]]), True),
        "all null": (parquet(a=a, b=[None] * 60), True),
        "lists": (parquet(a=a, b=[[1.0]] * 60), True),
        "no rows": (parquet(a=a[:0], b=b[:0]), True),
        "no columns": (parquet(), True),
        "truncated": (good[:-9], True),
        "no parquet": (b"hello", True),
        "magic alone": (b"PAR1", True),
        "damaged": (good[:60] + b"\xff" * 60 + good[120:], True),
        "true and false": (parquet(a=a, b=b > 0), False),
        "whole numbers": (parquet(a=a, b=np.arange(60) ** 2), False),
        "bytes": (parquet(a=a, b=[b"x"] * 60), True),
        "good": (good, False),
    }
    for name, (inside, refused) in cases.items():
        yield content(name, "x.parquet", inside, refused)


def folder(name: str, refused: bool | None = True, **files: bytes) -> File:
    """A folder of images; a file's name is its keyword with `_` for the point."""

    def write(path: Path) -> None:
        path.mkdir()
        for file, inside in files.items():
            (path / file.replace("_", ".", 1)).write_bytes(inside)

    return File(name, "set", write, refused)


def link(target: str) -> Callable[[Path], None]:
    """Write a symbolic link."""
    return lambda path: path.symlink_to(target)


def attack_folders() -> Iterator[File]:
    """Folders of images."""
    grey = {f"a{k:02}_png": png(image) for k, image in enumerate(PIXELS[:12])}
    yield folder("no file")
    yield folder("text alone", readme_txt=b"hello")
    yield folder("nine images", **dict(list(grey.items())[:9]))
    for name, inside in {
        "another size": png(PIXELS[0][:3]),
        "colour": png(np.zeros((4, 4, 3), np.uint8)),
        "transparent": png(np.zeros((4, 4, 4), np.uint8)),
        "16 bits": png(np.zeros((4, 4), np.uint16)),
        "truncated": png(PIXELS[0])[:45],
        "text": b"hello",
        "no bytes": b"",
        "GIF": png(PIXELS[0], "gif"),
        "damaged": png(PIXELS[0])[:40] + b"\xff" * 9 + png(PIXELS[0])[49:],
        "vast": png(np.zeros((9000, 9000), np.uint8)),
    }.items():
        yield folder(name, None if name == "GIF" else True, **grey, z_png=inside)
    for name, make in {
        "pipe": os.mkfifo,
        "device": link("/dev/zero"),
        "broken link": link("nowhere"),
        "folder": Path.mkdir,
        "loop": link("z.png"),
    }.items():

        def write(path: Path, make: Callable = make) -> None:
            folder("", **grey).write(path)
            make(path / "z.png")

        yield File(name, "set", write)


def attack_paths() -> Iterator[File]:
    """Files that are none, and names that are hard to print or to write."""
    good = csv().encode()
    for end in ("x.npy", "x.csv", "x.npz", "x.parquet", "x-idx3-ubyte", "x-idx3-ubyte.gz"):
        yield File(f"pipe {end}", end, os.mkfifo)
        yield File(f"device {end}", end, link("/dev/zero"))
    yield File("folder called x.csv", "x.csv", Path.mkdir)
    yield File("loop", "x.csv", link("x.csv"))
    yield File("broken link", "x.csv", link("nowhere.csv"))
    yield File("absent", "x.csv", lambda path: None)
    for name, path, refused in (
        ("no ending", "x", True),
        ("unknown ending", "x.xlsx", True),
        ("two endings", "x.csv.gz", True),
        ("capitals", "X.CSV", False),
        ("blanks", "my rows.csv", False),
        ("accents", "données.csv", False),
        ("a break", "x\ny.csv", None),
        ("percent", "%s.csv", False),
        ("braces", "{x}.csv", False),
        ("markup", "[red]x.csv", False),
        ("HTML", "<b>x.csv", False),
        ("a star", "*.csv", False),
        ("a dash", "-x.csv", False),
        ("hidden", ".x.csv", False),
        ("long", "x" * 240 + ".csv", False),
    ):
        yield content(name, path, good, refused)


FAMILIES: dict[str, Callable[[], Iterator[File]]] = {
    "cells": attack_cells,
    "csv": attack_csv,
    "columns": attack_columns,
    "npy": attack_npy,
    "npz": attack_npz,
    "idx": attack_idx,
    "parquet": attack_parquet,
    "folders": attack_folders,
    "paths": attack_paths,
}
"""Every family of files."""
