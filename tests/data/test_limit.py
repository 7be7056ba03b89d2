"""A small file that holds far more than it weighs is refused by what it declares, unread.

So is what is no file at all: reading a pipe would wait, reading a device would never end.
"""

import gzip
import io
import os
import struct
import tracemalloc

import numpy as np
import pytest
from data_files import IMAGES, REAL, idx, npy, npz, parquet, png, sentence, written

from energax.data import read_rows
from energax.data.limit import VARIABLE
from energax.errors import InputError

ZEROS = np.zeros((1000, 200))
BLACK = np.zeros((20, 100, 100), np.uint8)

BOMBS = {  # name -> (file, what the sentence calls it); each holds over 100 kB
    "npy": (("x.npy", npy(ZEROS)), "x.npy"),
    "npz": (("x.npz", npz(rows=ZEROS)), "x.npz"),
    "idx.gz": (("t-idx3-ubyte.gz", gzip.compress(idx(BLACK))), "t-idx3-ubyte.gz"),
    "png": (("set", {"a.png": png(np.zeros((400, 400), np.uint8))}), "a.png"),
    "many png": (
        ("set", {f"{k:02}.png": png(image) for k, image in enumerate(BLACK)}),
        "20 images like 00.png",
    ),
    "parquet": (("x.parquet", parquet(a=np.zeros(20_000), b=np.ones(20_000))), "x.parquet"),
    "csv": (("x.csv", b"a\n" + b"1\n" * 60_000), "x.csv"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_more_than_the_limit_is_refused_and_read_where_it_is_raised(name, tmp_path, monkeypatch):
    content, what = BOMBS[name]
    path = written(tmp_path, content)
    monkeypatch.setenv(VARIABLE, "1e-4")
    with pytest.raises(InputError, match=f"{what} holds .* GB once read, more than 0.0001 GB"):
        read_rows(path)
    monkeypatch.setenv(VARIABLE, "1")
    assert len(read_rows(path).rows)


def declared(shape):
    """The bytes of a .npy file that declares a shape, and holds little."""
    stream = io.BytesIO()
    head = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    return stream.getvalue() + b"\0" * 80


HUGE = {
    "npy": ("x.npy", declared((10**9, 10))),
    "npy beyond all numbers": ("x.npy", declared((10**18, 10**18))),
    "idx": ("t-idx3-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, *[2**31] * 3) + b"\0" * 99),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_declared_shape_is_refused_by_the_usual_limit(name, tmp_path):
    with pytest.raises(InputError, match=r"more than 4 GB: give fewer rows, or set ENERGAX_MAX_GB"):
        read_rows(written(tmp_path, HUGE[name]))


def test_no_more_is_decompressed_than_the_header_declares(tmp_path):
    bomb = gzip.compress(idx(IMAGES) + bytes(200_000_000), 1)
    path = written(tmp_path, ("t-idx3-ubyte.gz", bomb))
    tracemalloc.start()
    with pytest.raises(InputError, match="goes on after its end"):
        read_rows(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("value", ["much", "-1", "0", "nan", "inf", ""])
def test_a_limit_that_is_none_is_refused(value, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(InputError, match=f"{VARIABLE} must be a number of GB above 0") as error:
        read_rows(written(tmp_path, ("x.npy", npy(REAL))))
    sentence(error)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.parquet", "t-idx3-ubyte.gz"])
def test_a_pipe_or_a_device_is_no_file(name, tmp_path):
    os.mkfifo(tmp_path / name)
    (tmp_path / "device").mkdir()
    (tmp_path / "device" / name).symlink_to("/dev/zero")
    for path in (tmp_path / name, tmp_path / "device" / name):
        with pytest.raises(InputError, match="is a pipe or a device") as error:
            read_rows(path)
        sentence(error)


def test_what_is_no_file_in_a_folder_of_images_is_refused(tmp_path):
    makers = {
        "pipe.png": os.mkfifo,
        "device.png": lambda path: path.symlink_to("/dev/zero"),
        "broken.png": lambda path: path.symlink_to("nowhere"),
        "folder.png": lambda path: path.mkdir(),
    }
    for name, make in makers.items():
        folder = written(tmp_path, (name.partition(".")[0], {"z.png": png(IMAGES[0])}))
        make(folder / name)
        with pytest.raises(InputError, match=f"{name} is no file") as error:
            read_rows(folder)
        sentence(error)
