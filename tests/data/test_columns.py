"""Columns that no density of real numbers can describe: each is named, and nothing else is."""

import re

import numpy as np
import pytest

from energax.data import Schema, from_rows, load
from energax.errors import InputError

RNG = np.random.default_rng(0)
A, B, C = RNG.normal(size=(3, 400))


def columns(*parts):
    return np.stack(parts, axis=1)


REFUSED = {
    "two constants": (columns(A, 0 * A, 0 * A + 5), "Columns 2 and 3 of rows are constant"),
    "a sum": (columns(A, B, A + B), r"Column 3 \(from 1 and 2\) .* follows exactly"),
    "a sum of one that weighs little": (
        columns(A, B, A + 1e-3 * B),
        r"Column 3 \(from 1 and 2\) .* follows",
    ),
    "two that follow": (
        columns(A, 2 - 3 * A, B, 1e3 * (A - B)),
        r"Columns 2 \(from 1\) and 4 \(from 1 and 3\) .* follow exactly",
    ),
    "copies in few rows": (
        columns(*(A[:15] * scale for scale in range(1, 20))),
        r"Columns 2 \(from 1\), 3 \(from 1\), .* and 10 more .* follow",
    ),
    "too large": (columns(A, 1e20 * B), r"Column 2 \(1e\+20\) of rows is of an extreme scale"),
    "too small": (columns(1e-20 * A, B), r"Column 1 \(1e-20\) of rows is of an extreme scale"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_columns_without_a_density_are_refused_by_name(name):
    rows, says = REFUSED[name]
    with pytest.raises(InputError) as error:
        from_rows(rows)
    assert re.search(says, str(error.value)), error.value


TAKEN = {
    "a sum but for a part in a thousand": columns(A, B, A + B + 1e-3 * C),
    "large and small": columns(1e12 * A, 1e-12 * B),
    "more columns than rows": RNG.normal(size=(20, 60)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_columns_with_a_density_are_taken(name):
    assert from_rows(TAKEN[name]).shape == TAKEN[name].shape[1:]


BINARY = RNG.integers(0, 2, 400)
MIXED = columns(A, B)
CAUTIONS = {  # name -> (rows, what the sentences say, is a likelihood forbidden)
    "two values": (columns(A, BINARY), [r"Column 2 \(2 values\) of rows is discrete"], True),
    "a few values": (
        columns(A, BINARY, 1 + np.arange(400) % 5),
        [r"Columns 2 \(2 values\) and 3 \(5 values\) of rows are discrete"],
        True,
    ),
    "what float32 rounds to few": (
        columns(A, B + 1e7),
        [r"Column 2 \(\d values\) of rows is discrete, as far as float32"],
        True,
    ),
    "many zeros": (
        columns(A, np.maximum(B, 0)),
        [r"Column 2 \(0 in \d\d% of rows\) of rows has one value in many rows"],
        True,
    ),
    "a count": (
        columns(A, np.arange(1, 401)),
        ["Column 2 of rows numbers the rows without a gap"],
        False,
    ),
    "a count in another order": (
        columns(A, RNG.permutation(400)),
        ["Column 2 of rows numbers the rows"],
        False,
    ),
    "rows twice": (
        np.concatenate([MIXED, MIXED]),
        [r"\d\d\d of 160 test rows of rows are training rows too"],
        True,
    ),
    "some rows twice": (
        np.concatenate([MIXED, MIXED[:20]]),
        [r"\d+ of 84 test rows of rows are training rows too"],
        False,
    ),
    "two faults": (
        columns(BINARY, np.arange(400)),
        [r"Column 1 \(2 values\)", "Column 2 of rows numbers"],
        True,
    ),
}


@pytest.mark.parametrize("name", CAUTIONS)
def test_what_speaks_against_a_density_is_named(name):
    rows, says, forbids = CAUTIONS[name]
    schema = from_rows(rows).schema
    assert len(schema.cautions) == len(says), schema.cautions
    for caution, words in zip(schema.cautions, says, strict=True):
        assert re.match(words, caution.text), caution.text
        assert caution.text.endswith(".")
    assert (schema.forbidden is not None) == forbids
    assert Schema.from_dict(schema.to_dict()) == schema


UNSUSPICIOUS = {
    "reals": columns(A, B, C),
    "rounded": np.round(columns(A, B, C), 1),
    "one rounded column": np.round(columns(np.tile(A, 5) + np.repeat(np.arange(5), 400)), 2),
    "few rows": columns(A, B)[:12],
    "whole numbers with gaps": columns(A, 3 * np.arange(400)),
    "halves that span the count": columns(A, np.linspace(0, 399, 400) ** 2 / 399),
}


@pytest.mark.parametrize("name", UNSUSPICIOUS)
def test_other_rows_get_no_caution(name):
    assert from_rows(UNSUSPICIOUS[name]).cautions == ()


def test_images_are_looked_at_for_copies_alone():
    images = np.random.default_rng(1).integers(0, 3, (40, 4, 4)).astype(np.uint8)
    assert from_rows(images).cautions == ()
    (caution,) = from_rows(np.concatenate([images, images])).cautions
    assert "are training rows too" in caution.text
    assert not caution.forbids, "whole numbers are dequantised"


def test_a_schema_of_an_earlier_version_has_no_cautions():
    record = load("two-moons").schema.to_dict()
    del record["cautions"]
    assert Schema.from_dict(record).cautions == ()
