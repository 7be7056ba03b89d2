"""Real images that need no path."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from energax.data.arrays import read_idx
from energax.data.base import Dataset
from energax.data.public import find_file
from energax.errors import InputError


def digits() -> Dataset:
    """1,797 handwritten digits of 8x8 pixels with 17 levels and a label; 1,500 to train on.

    Source: scikit-learn. Split by `numpy.random.default_rng(0).permutation(1797)`.

    Example:
        >>> rows = ex.data.digits()
        >>> rows.train.shape, rows.test.shape, rows.levels
        ((1500, 8, 8), (297, 8, 8), 17)
    """
    pixels, targets = load_digits(return_X_y=True)
    images = np.asarray(pixels).reshape(-1, 8, 8).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    rows, labels = images[order], np.asarray(targets)[order].astype(np.int32)
    return Dataset(
        "digits",
        rows[:1500],
        rows[1500:],
        levels=17,
        train_labels=labels[:1500],
        test_labels=labels[1500:],
    )


def mnist() -> Dataset:
    """MNIST: 70,000 handwritten digits of 28x28 pixels with 256 levels; 60,000 to train on.

    Read from mnist/ in the folder that ENERGAX_DATA names, else from the download cache.

    Raises:
        InputError: where the files are missing; `download` fetches them.

    Example:
        >>> rows = ex.data.mnist()  # doctest: +SKIP
        >>> rows.train.shape  # doctest: +SKIP
        (60000, 28, 28)
    """
    return _images("mnist")


def fashion_mnist() -> Dataset:
    """Fashion-MNIST: 70,000 images of clothes, 28x28 pixels, 256 levels; 60,000 to train on.

    Read from fashion_mnist/ in the folder that ENERGAX_DATA names, else from the download cache.

    Raises:
        InputError: where the files are missing; `download` fetches them.

    Example:
        >>> rows = ex.data.fashion_mnist()  # doctest: +SKIP
        >>> rows.train.shape  # doctest: +SKIP
        (60000, 28, 28)
    """
    return _images("fashion-mnist")


def _images(name: str) -> Dataset:
    files = [find_file(name, f"{part}-images-idx3-ubyte") for part in ("train", "t10k")]
    images = [_read(file, (28, 28), "images of 28x28") for file in files]
    labels = [_labels(file, len(rows)) for file, rows in zip(files, images, strict=True)]
    if any(part is None for part in labels):
        return Dataset(name, *images, levels=256)
    return Dataset(name, *images, levels=256, train_labels=labels[0], test_labels=labels[1])


def _read(path: Path, shape: tuple[int, ...], words: str) -> np.ndarray:
    numbers = read_idx(path)
    if numbers.dtype != np.uint8 or numbers.shape[1:] != shape:
        raise InputError(
            f"{path} holds {numbers.dtype} of shape {numbers.shape}: expected uint8 {words}."
        )
    return numbers


def _labels(images: Path, rows: int) -> np.ndarray | None:
    """The labels in the file beside that of the images, plain or gzipped; None without one."""
    stem = images.name.removesuffix(".gz").replace("images-idx3", "labels-idx1")
    for path in (images.with_name(end) for end in (stem, f"{stem}.gz")):
        if path.exists():
            labels = _read(path, (), "labels")
            if len(labels) != rows:
                raise InputError(
                    f"{path} holds {len(labels)} labels for {rows} images: download it again."
                )
            return labels.astype(np.int32)
    return None
