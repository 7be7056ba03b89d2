"""A word that a command does not take is refused by one sentence, before anything is read."""

from pathlib import Path

import pytest
from commands import energax, refused

from energax.cli.train import parse
from energax.method import METHODS
from energax.options import leaves

REFUSALS = {
    "train --stepz 3": "There is no option --stepz; did you mean --steps?",
    "train --lr 3": "There is no option --lr; did you mean --learning-rate?",
    "train --method nce --lr=0.1": "did you mean --learning-rate?",
    "train digits --method nce --xyzzy 1": "see energax train --method nce --help.",
    "train --method nse": "--method nse is unknown; did you mean nce?",
    "train --method teachin": "did you mean teaching?",
    "train --method zzzzz": "--method zzzzz is unknown: `energax methods` lists all.",
    "train --method=": "--method  is unknown",
    "train --method no.such:Thing": "--method no.such:Thing cannot be imported: No module named",
    "train --method os:path": "--method os:path is not a method: derive a final class",
    "train --method energax.method:AbstractMethod": "is not a method: derive a final class",
    "train --method nce --chain-steps 4": (
        "--chain-steps is not an option of --method nce; pcd, cd, cd-improved, shortrun, recovery, "
    ),
    "train --method nce --latent-dim 3": (
        "--latent-dim is not an option of --method nce; cooperative, teaching have it."
    ),
    "train --method pcd --radius=5": "--radius is not an option of --method pcd; dual has it.",
    "train --method pcd --no-resample": "--no-resample is not an option of --method pcd; teaching",
    "train --steps": "--steps needs one argument.",
    "train --method": "--method needs one argument.",
    "train --steps x": "--steps must be a whole number; got 'x'.",
    "train --steps=": "--steps must be a whole number; got ''.",
    "train --steps 3.5": "--steps must be a whole number; got '3.5'.",
    "train --learning-rate many": "--learning-rate must be a number; got 'many'.",
    "train --base gausian": (
        "--base must be one of gaussian, mixture, flow, box, none, sites, tree, uniform; got "
        "'gausian'; did you mean "
        "gaussian?"
    ),
    "train --no-steps": "There is no option --no-steps; did you mean --steps?",
    "train --evaluate=yes": "--evaluate takes no value: give --evaluate or --no-evaluate.",
    "train a b": "energax train does not take 'b': see energax train --help.",
    "train -x": "energax train does not take '-x': see energax train --help.",
    "sample": "energax sample needs RUN, --out: see energax sample --help.",
    "sample run": "energax sample needs --out: see energax sample --help.",
    "sample run --ot x": "energax sample has no option --ot; did you mean --out?",
    "sample run --out x.csv --num few": "--num must be a whole number; got 'few'.",
    "sample run --out x.csv --num 0": "--num must be at least 1; got 0.",
    "sample run --out x.csv --by generatr": "did you mean generator?",
    "score run": "energax score needs ROWS, --out",
    "inpaint run rows.npy --out x.csv --box 1 2": "--box needs 4 arguments.",
    "evaluate run --level 2": "--level must be in (0, 1); got 2.0.",
    "evaluate run --particles 1": "--particles must be at least 2; got 1.",
    "study digits --seeds 0": "--seeds must be at least 1; got 0.",
    "compare": "energax compare needs RUNS: see energax compare --help.",
    "data kmnist": "one of mnist, fashion-mnist, nltcs, plants, jester, dna, rna; got 'kmnist'",
    "trian": "There is no command 'trian'; did you mean train?",
    "fly": "There is no command 'fly': see energax --help.",
}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", REFUSALS)
def test_a_word_that_is_not_taken_gets_one_sentence(words):
    said = energax(*words.split())
    assert REFUSALS[words] in refused(said), said.err
    assert said.out == "", "nothing was read"
    assert list(Path().iterdir()) == []


def test_another_methods_option_without_a_method_is_refused_before_training():
    """Which method it is, the data say: they are read first."""
    said = energax("train", "two-moons", "--chain-steps", 3)
    assert "--chain-steps is not an option of --method nce; pcd" in refused(said)
    assert list(Path().iterdir()) == []


ACCEPTED = {
    "digits --method nce --steps 3": {"steps": 3},
    "--method nce --steps 3 digits": {"steps": 3},
    "--method=nce --steps=3 digits": {"steps": 3},
    "--steps 3 digits --method nce": {"steps": 3},
    "digits --method nce --steps 5 --steps 3": {"steps": 3},
    "digits --method nce --steps 1e2": None,
    "digits --method nce --learning-rate 1e-4": {"learning_rate": 1e-4},
    "digits --method nce --learning-rate 1": {"learning_rate": 1.0},
    "digits --method nce --spectral": {"spectral": True},
    "digits --method nce --no-spectral": {"spectral": False},
    "digits --method pcd --chain-noise none": {"chain_noise": None},
}


@pytest.mark.parametrize("words", ACCEPTED)
def test_options_are_read_in_any_order_and_spelling(words):
    if ACCEPTED[words] is None:
        assert "whole number" in refused(energax("train", *words.split()))
        return
    found = parse(words.split())
    assert found.data == "digits"
    assert found.method == words.replace("=", " ").split("--method ")[1].split()[0]
    assert found.options == ACCEPTED[words]


def test_every_option_of_every_method_is_taken_by_its_own():
    for name, method in METHODS.items():
        words = ["digits", "--method", name]
        for leaf in leaves(method):
            words.append(leaf.flag)
            number = "2" if leaf.plain is int else "0.5"
            words += [] if leaf.plain is bool else [leaf.choices[0] if leaf.choices else number]
        assert set(parse(words).options) == {leaf.key for leaf in leaves(method)}


@pytest.mark.parametrize("value", ["-1", "-1e-3", "-inf", "-.5"])
def test_a_negative_number_is_a_value(value):
    said = energax("train", "two-moons", "--method", "nce", "--learning-rate", value)
    assert "--learning-rate must be above 0" in refused(said)
