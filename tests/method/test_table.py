"""The one table of methods: what each says of itself, and that nothing else says it otherwise."""

import re
import typing
from pathlib import Path

import numpy as np
import pytest

from energax.data import Dataset
from energax.errors import InputError
from energax.learner.game import f_divergence as critics
from energax.method import KINDS, METHODS, contrast, f_divergence, find_method, matching, stein
from energax.method.kind import PLANE, SMALL, kind_of
from energax.objective import contrast as contrasts
from energax.objective import matching as matchings
from energax.objective import stein as steins
from energax.options import leaves

DOCS = Path(__file__).parents[2] / "docs"
NUMBERS = (int, float)


def rows_of(shape, levels=None, size=2100):
    """Rows of a shape: more than the largest batch of a preset."""
    kind = np.float32 if levels is None else np.uint8
    rows = np.random.default_rng(0).integers(0, levels or 9, (size + 100, *shape)).astype(kind)
    return Dataset("x", rows[:size], rows[size:], levels)


ROWS = {
    "plane": rows_of((PLANE,)),
    "table": rows_of((PLANE + 1,)),
    "small image": rows_of((8, 8), 17),
    "image": rows_of((28, 28), 256),
}


@pytest.mark.parametrize("kind", ROWS)
def test_the_kind_of_rows_is_known(kind):
    assert kind_of(ROWS[kind]) == kind


def test_the_kind_of_rows_turns_at_its_limits():
    assert kind_of(rows_of((16, 16), 17, 9)) == "small image"
    assert SMALL == 16 * 16
    assert kind_of(rows_of((16, 17), 17, 9)) == "image"
    assert kind_of(rows_of((8, 8), None, 9)) == "image", "real numbers are not dequantised"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_in_a_line_what_it_is(name):
    method = METHODS[name]
    assert method.name == name
    for part in ("title", "source", "minimises", "use", "trap"):
        text = getattr(method, part)
        assert text.strip() == text, part
        assert "\n" not in text, part
        assert 3 <= len(text) <= 120, (part, text)
    assert re.search(r"\((19|20)\d\d\)", method.source), "authors and year"


def test_titles_are_different():
    assert len({method.title for method in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_options_of_a_method_are_explained_ranged_and_named_once(name):
    every = list(leaves(METHODS[name]))
    assert len({leaf.name for leaf in every}) == len({leaf.key for leaf in every}) == len(every)
    for leaf in every:
        assert re.fullmatch(r"\S.*\.", leaf.text), leaf
        assert "\n" not in leaf.text, leaf
        assert len(leaf.text) <= 110, leaf
        assert (leaf.plain in NUMBERS) == (leaf.allowed is not None), leaf
        assert leaf.plain in (*NUMBERS, bool) or leaf.choices, leaf
        assert leaf.optional == (leaf.unset is not None), leaf


@pytest.mark.parametrize("name", METHODS)
def test_words_that_an_option_may_be_are_in_its_text(name):
    for leaf in leaves(METHODS[name]):
        for word in leaf.choices or ():
            known = {"mlp": "perceptron", "conv": "convolution", "shallow": "one hidden layer"}
            assert (known.get(word, word)) in leaf.text.lower(), (leaf.name, word)


@pytest.mark.parametrize("name", METHODS)
def test_what_helps_against_divergence_are_options_of_the_method(name):
    flags = {leaf.flag for leaf in leaves(METHODS[name])}
    assert set(METHODS[name].hints) <= flags
    assert len(METHODS[name].hints) >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_that_does_not_suit_says_why(kind):
    for method in METHODS.values():
        why = method.refusal(ROWS[kind])
        if kind in method.unsuited:
            assert why == method.unsuited[kind]
            assert len(why) > 10
        elif method.classifies:
            assert why == "its rows have no labels"
        else:
            assert why is None


def test_a_network_that_a_method_does_not_train_is_refused():
    assert METHODS["dual"].refusal(ROWS["plane"], "mlp") == "it trains --network shallow"
    assert (
        METHODS["teaching"].refusal(ROWS["plane"], "shallow") == "it trains --network mlp or conv"
    )
    assert METHODS["nce"].refusal(ROWS["plane"], "shallow") is None


LITERALS = {
    "contrast": (contrast.Divergence, contrasts.Divergence),
    "f-divergence": (f_divergence.Divergence, critics.Kind),
    "direction": (matching.Direction, matchings.Direction),
    "kernel": (stein.Kernel, steins.Kernel),
}
"""Words that are written twice, so that options can be read without JAX."""


@pytest.mark.parametrize("name", LITERALS)
def test_words_of_options_are_those_of_what_they_choose(name):
    here, there = LITERALS[name]
    assert set(typing.get_args(here)) == set(typing.get_args(there))


def test_every_f_divergence_has_a_method():
    found = {
        method.name.removeprefix("f-") for method in METHODS.values() if method.name[:2] == "f-"
    }
    assert found == set(typing.get_args(critics.Kind))


def sections(text):
    """The methods that the headings of a page name in code."""
    heads = re.findall(r"^### (.*)$", text, re.M)
    return [name for head in heads for name in re.findall(r"`([^`]+)`", head)]


def test_the_page_of_methods_has_a_section_for_each():
    found = sections((DOCS / "methods.md").read_text())
    assert len(set(found)) == len(found)
    assert set(found) == set(METHODS)


def test_a_section_that_is_missing_is_seen():
    """Negative control."""
    assert sections("### `nce`\n\ntext\n\n### `f-kl`, `f-js`\n") == ["nce", "f-kl", "f-js"]


@pytest.mark.parametrize("name", ["nse", "NCE", "pdc", "", "teachin", "os:path", "no.such:Thing"])
def test_a_name_that_is_no_method_is_refused(name):
    with pytest.raises(InputError, match=f"--method {re.escape(name)} (is|cannot)"):
        find_method(name)


def test_a_misspelt_name_gets_a_suggestion():
    for name, meant in {"nse": "nce", "pdc": "pcd", "teachin": "teaching"}.items():
        with pytest.raises(InputError, match=f"did you mean {meant}"):
            find_method(name)
