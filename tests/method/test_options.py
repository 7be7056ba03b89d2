"""Options as trees: changed by name, compared, written and read back, every range checked."""

import dataclasses
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from options_of_methods import CHOICES, QUICK, change

from energax.errors import InputError
from energax.method import KINDS, METHODS
from energax.options import (
    FRACTION,
    PROBABILITY,
    SEED,
    Range,
    above,
    at_least,
    differences,
    from_dict,
    leaves,
    replace,
)

EVERY = pytest.mark.parametrize("name", METHODS)
PRESETS = {
    name: st.sampled_from([method.preset(kind) for kind in KINDS])
    for name, method in METHODS.items()
}


@EVERY
@given(data=st.data())
@QUICK
def test_what_is_changed_differs_and_nothing_else(name, data):
    preset, method, chosen = change(data.draw(PRESETS[name]), data.draw(CHOICES[name]))
    before = {leaf.key: leaf.of(preset) for leaf in leaves(preset)}
    after = {leaf.key: leaf.of(method) for leaf in leaves(method)}
    assert after == before | chosen
    found = differences(method, preset)
    assert found == {key: value for key, value in chosen.items() if value != before[key]}
    assert replace(preset, **found) == method


@EVERY
@given(data=st.data())
@QUICK
def test_what_is_written_is_read_back(name, data):
    _, method, _ = change(data.draw(PRESETS[name]), data.draw(CHOICES[name]))
    written = json.loads(json.dumps(dataclasses.asdict(method), allow_nan=False))
    assert from_dict(METHODS[name], written, "config.json") == method


@EVERY
@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_is_read_back(name, kind):
    preset = METHODS[name].preset(kind)
    written = json.loads(json.dumps(dataclasses.asdict(preset), allow_nan=False))
    assert from_dict(METHODS[name], written, "config.json") == preset
    assert differences(preset, preset) == {}


def outside(leaf):
    """Values that an option may not have, and what the sentence says of it."""
    if leaf.choices:
        return [("vae", "must be one of"), (3, "must be one of")]
    if leaf.plain is bool:
        return [("yes", "must be true or false"), (1, "must be true or false")]
    found = [("many", "must be a"), ([1], "must be a"), (True, "must be a")]
    found += [] if leaf.optional else [(None, "must be a")]
    if leaf.plain is int:
        return [*found, (0.5, "whole number"), (leaf.allowed.low - 1, str(leaf.allowed.low))]
    found += [(math.nan, "finite"), (math.inf, "finite"), (-math.inf, "finite")]
    return [*found, (leaf.allowed.low - 0.5, "must be")]


@EVERY
def test_every_range_is_checked_by_name_and_on_reading_back(name):
    preset = METHODS[name].preset("plane")
    for leaf in leaves(preset):
        for value, says in outside(leaf):
            with pytest.raises(InputError, match=re.escape(leaf.flag)) as refusal:
                replace(preset, **{leaf.key: value})
            assert says in str(refusal.value), (leaf.key, value)
            content = dataclasses.asdict(preset)
            place = content
            for step in leaf.path[:-1]:
                place = place[step]
            place[leaf.path[-1]] = value
            with pytest.raises(InputError, match=re.escape(leaf.flag)) as refusal:
                from_dict(METHODS[name], content, "config.json")
            assert str(refusal.value).startswith("config.json "), "it names the file"
            assert "\n" not in str(refusal.value)


DAMAGES = {
    "a key that is missing": lambda c: c["training"].pop("steps"),
    "a group that is missing": lambda c: c.pop("optimiser"),
    "a key that is unknown": lambda c: c["training"].update(stepz=3),
    "a group that is unknown": lambda c: c.update(latent={}),
    "a group that is a number": lambda c: c.update(training=3),
    "a group that is empty": lambda c: c.update(network={}),
    "a number that is a group": lambda c: c["training"].update(steps={}),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_options_that_were_damaged_get_one_sentence(what):
    content = dataclasses.asdict(METHODS["nce"].preset("plane"))
    DAMAGES[what](content)
    with pytest.raises(InputError, match=r"^config\.json (is damaged|holds a value)[^\n]*\.$"):
        from_dict(METHODS["nce"], content, "config.json")


@pytest.mark.parametrize("content", [None, 3, "x", [], [1]])
def test_options_that_are_no_object_get_one_sentence(content):
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        from_dict(METHODS["nce"], content, "config.json")


@pytest.mark.parametrize(
    ("given", "meant"),
    {"lr": "learning_rate", "stepz": "steps", "widht": "width", "batchsize": "batch_size"}.items(),
)
def test_a_misspelt_name_gets_a_suggestion(given, meant):
    with pytest.raises(InputError, match=f"no option `{given}`; did you mean {meant}"):
        replace(METHODS["nce"].preset("plane"), **{given: 1})


def test_rules_between_options_are_checked_after_all_have_changed():
    preset = METHODS["dsm-levels"].preset("table")
    moved = replace(preset, sigma_min=3.0, sigma_max=5.0)
    assert (moved.levels.sigma_min, moved.levels.sigma_max) == (3.0, 5.0)
    with pytest.raises(InputError, match="--sigma-min must be below --sigma-max"):
        replace(preset, sigma_min=3.0)


RANGES = {
    at_least(1): ("at least 1", [1, 2, 1e300], [0.999, math.inf, math.nan]),
    above(0): ("above 0", [1e-300, 5], [0, -1, math.nan, math.inf]),
    PROBABILITY: ("in [0, 1]", [0, 0.5, 1], [-1e-9, 1.0001, math.nan]),
    FRACTION: ("in [0, 1)", [0, 0.999], [1, -0.1]),
    SEED: ("in [0, 4294967295]", [0, 2**32 - 1], [2**32, -1]),
    Range(0, 1, open_low=True, open_high=True): ("in (0, 1)", [0.5], [0, 1]),
}


@pytest.mark.parametrize("allowed", RANGES, ids=str)
def test_a_range_holds_what_it_says(allowed):
    said, inside, beyond = RANGES[allowed]
    assert str(allowed) == said
    assert all(allowed.holds(value) for value in inside)
    assert not any(allowed.holds(value) for value in beyond)


def test_a_number_of_many_digits_is_a_number():
    """Issue 11: `math.isfinite` of a whole number beyond float64 raises OverflowError."""
    assert at_least(1).holds(10**300)
    assert not at_least(1).holds(10**400)
    assert not SEED.holds(10**400)


def test_a_whole_number_is_a_float_where_the_option_is_one():
    found = replace(METHODS["nce"].preset("plane"), clip=3)
    assert type(found.optimiser.clip) is float
    content = dataclasses.asdict(found)
    content["optimiser"]["clip"] = 3
    assert type(from_dict(METHODS["nce"], content, "config.json").optimiser.clip) is float
