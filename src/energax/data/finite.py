"""Data sets of bits and of sequences that need no path."""

import dataclasses

import numpy as np
from jaxtyping import Shaped, UInt8

from energax.data.base import Dataset
from energax.data.builtin import digits, mnist
from energax.data.fasta import RNA
from energax.data.files import read_rows
from energax.data.public import find_file
from energax.data.rows import Table, check_states
from energax.data.sequences import weigh_sequences

HALF = 7
"""A pixel of a digit with a value above this is a bit that is set; values are 0 to 16."""

VALID = 10_000
"""The last training images of MNIST, to choose by."""

BLOCK = 1024
"""Images whose bits are drawn at a time."""


def nltcs() -> Dataset:
    """NLTCS: 21,574 rows of 16 bits, abilities of elderly people; 16,181 to train on.

    Read from debd_binary/ in the folder that ENERGAX_DATA names, else from the download cache.
    Source: Lowd and Davis (2010), Van Haaren and Davis (2012), with their split.

    Raises:
        InputError: where the files are missing; `download` fetches them.

    Example:
        >>> rows = ex.data.nltcs()  # doctest: +SKIP
        >>> rows.train.shape, len(rows.valid), len(rows.test)  # doctest: +SKIP
        ((16181, 16), 2157, 3236)
    """
    return _read_bits("nltcs")


def plants() -> Dataset:
    """Plants: 23,215 rows of 69 bits, the regions where a plant grows; 17,412 to train on.

    Files, source and errors as `nltcs`.

    Example:
        >>> rows = ex.data.plants()  # doctest: +SKIP
        >>> rows.train.shape, len(rows.valid), len(rows.test)  # doctest: +SKIP
        ((17412, 69), 2321, 3482)
    """
    return _read_bits("plants")


def jester() -> Dataset:
    """Jester: 14,116 rows of 100 bits, which of 100 jokes a reader liked; 9,000 to train on.

    Files, source and errors as `nltcs`.

    Example:
        >>> rows = ex.data.jester()  # doctest: +SKIP
        >>> rows.train.shape, len(rows.valid), len(rows.test)  # doctest: +SKIP
        ((9000, 100), 1000, 4116)
    """
    return _read_bits("jester")


def dna() -> Dataset:
    """DNA: 3,186 rows of 180 bits, the bases around splice junctions; 1,600 to train on.

    Files, source and errors as `nltcs`.

    Example:
        >>> rows = ex.data.dna()  # doctest: +SKIP
        >>> rows.train.shape, len(rows.valid), len(rows.test)  # doctest: +SKIP
        ((1600, 180), 400, 1186)
    """
    return _read_bits("dna")


def _read_bits(name: str) -> Dataset:
    parts = ("train", "test", "valid")
    tables = [read_rows(find_file(name, f"{name}.{part}.data")) for part in parts]
    train, test, valid = (check_states(table, 2).rows for table in tables)
    return Dataset(name, train, test, states=2, valid=valid)


def digits_binary() -> Dataset:
    """`digits` as 8x8 bits: 1 where a pixel is above 7, of 0 to 16; the same split and labels.

    Example:
        >>> rows = ex.data.digits_binary()
        >>> rows.train.shape, rows.states, rows.labels
        ((1500, 8, 8), 2, 10)
    """
    found = digits()
    train, test = ((part > HALF).astype(np.uint8) for part in (found.train, found.test))
    return dataclasses.replace(
        found, name="digits-binary", train=train, test=test, levels=None, states=2
    )


def mnist_binary() -> Dataset:
    """MNIST as 28x28 bits, drawn once: 50,000 to train on, 10,000 to choose by, 10,000 to test on.

    A bit is u < pixel / 255, with u of `numpy.random.default_rng(0).random((70000, 784))`, train
    before test. The bits have the distribution of the fixed binarisation of Salakhutdinov and
    Murray (2008), but are other bits.

    Raises:
        InputError: where the files of `mnist` are missing; `download("mnist")` fetches them.

    Example:
        >>> rows = ex.data.mnist_binary()  # doctest: +SKIP
        >>> rows.train.shape, len(rows.valid), rows.states  # doctest: +SKIP
        ((50000, 28, 28), 10000, 2)
    """
    found = mnist()
    noise = np.random.default_rng(0)
    rows, test = _draw_bits(found.train, noise), _draw_bits(found.test, noise)
    return dataclasses.replace(
        found,
        name="mnist-binary",
        train=rows[:-VALID],
        valid=rows[-VALID:],
        test=test,
        levels=None,
        states=2,
        train_labels=None if found.train_labels is None else found.train_labels[:-VALID],
    )


def _draw_bits(
    images: UInt8[np.ndarray, " size height width"], noise: np.random.Generator
) -> UInt8[np.ndarray, " size height width"]:
    """A bit for each pixel, 1 with probability pixel / 255; in order, a block at a time."""
    blocks = np.split(images, range(BLOCK, len(images), BLOCK))
    bits = [noise.random(block.shape) < block / 255.0 for block in blocks]
    return np.concatenate(bits).astype(np.uint8)


def rna() -> Dataset:
    """The RNA family RF00379, aligned: 136 sites of -ACGU, 2,908 sequences to train on.

    A sequence that a file holds twice is dropped. The sequences of each file are weighed by
    `weigh_sequences`: their effective numbers are 1,108.9 and 429.5. The 738 to test on are what
    adabmDCA 2.1, whose split this is, calls validation: no sequence there is alike to one to train
    on.

    Read from rna_rf00379/ in the folder that ENERGAX_DATA names, else from the download cache.

    Raises:
        InputError: where the files are missing; `download` fetches them.

    Example:
        >>> rows = ex.data.rna()  # doctest: +SKIP
        >>> rows.train.shape, len(rows.test), rows.states  # doctest: +SKIP
        ((2908, 136), 738, 5)
    """
    files = (find_file("rna", f"RF00379_{part}.fasta") for part in ("train", "validation"))
    train, test = (_drop_copies(read_rows(file, letters=RNA)) for file in files)
    return Dataset(
        "rna",
        train,
        test,
        states=len(RNA),
        row_weights=weigh_sequences(train),
        test_weights=weigh_sequences(test),
        letters=RNA,
    )


def _drop_copies(table: Table) -> Shaped[np.ndarray, " size sites"]:
    """The rows in their order, each once."""
    first = np.unique(table.rows, axis=0, return_index=True)[1]
    return table.rows[np.sort(first)]
