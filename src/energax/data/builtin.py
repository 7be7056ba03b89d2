"""Real images that need no path."""

import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from energax.data.arrays import read_idx
from energax.data.base import Dataset
from energax.data.download import cache
from energax.errors import InputError


def digits() -> Dataset:
    """1,797 handwritten digits of 8x8 pixels and 17 levels, from scikit-learn; 1,500 to train on.

    The split is that of `numpy.random.default_rng(0).permutation(1797)`.
    """
    pixels, _ = load_digits(return_X_y=True)
    images = np.asarray(pixels).reshape(-1, 8, 8).astype(np.uint8)
    rows = images[np.random.default_rng(0).permutation(len(images))]
    return Dataset("digits", rows[:1500], rows[1500:], levels=17)


def mnist() -> Dataset:
    """70,000 handwritten digits of 28x28 pixels and 256 levels; 60,000 to train on.

    Read from mnist/ in the folder that ENERGAX_DATA names, else from the download cache.
    """
    return _images("mnist")


def fashion_mnist() -> Dataset:
    """70,000 pictures of clothes, 28x28 pixels and 256 levels; 60,000 to train on.

    Read from fashion_mnist/ in the folder that ENERGAX_DATA names, else from the download cache.
    """
    return _images("fashion-mnist")


def _images(name: str) -> Dataset:
    parts = [_part(name, f"{part}-images-idx3-ubyte") for part in ("train", "t10k")]
    return Dataset(name, *parts, levels=256)


def _part(name: str, file: str) -> np.ndarray:
    """The idx file, plain or gzipped, from the first folder that has it."""
    given = os.environ.get("ENERGAX_DATA")
    homes = [Path(given)] if given else []
    for home in [*homes, cache()]:
        for path in (home / name.replace("-", "_") / end for end in (file, f"{file}.gz")):
            if path.exists():
                images = read_idx(path)
                if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
                    raise InputError(
                        f"{path} holds {images.dtype} of shape {images.shape}: expected uint8 "
                        "images of 28x28."
                    )
                return images
    raise InputError(
        f"The files of {name} are not here: run `energax data {name}`, or set ENERGAX_DATA to a "
        f"folder with {name.replace('-', '_')}/{file}.gz."
    )
