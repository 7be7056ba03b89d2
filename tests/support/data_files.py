"""Files of every kind as bytes, and the one sentence that a bad one gets."""

import io
import struct

import numpy as np
import polars as pl
from PIL import Image

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


def sentence(error):
    """The message, after checking that it is one line that ends as a sentence."""
    said = str(error.value)
    assert said.endswith((".", "?")), said
    assert "\n" not in said
    return said
