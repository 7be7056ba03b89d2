"""Rows to choose by: which they are, and what an energy is before it has learned."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import as_a_user

import energax as ex
from energax.data import Dataset, Labelled
from energax.method import METHODS, Groundwork, build
from energax.model import fitting
from energax.options import replace

RNG = np.random.default_rng(0)
ROWS = Dataset("x", RNG.normal(size=(1200, 2)).astype(np.float32), np.ones((9, 2), np.float32))


def numbers(part):
    """The places of rows among the training rows of all."""
    return {int(np.flatnonzero((ROWS.train == row).all(axis=1))[0]) for row in part.train}


@pytest.mark.parametrize(("size", "kept"), [(1200, 120), (800, 100), (80, 20)])
def test_a_tenth_is_kept_but_neither_too_few_nor_too_many(size, kept):
    rows = Dataset("x", ROWS.train[:size], ROWS.test)
    train, valid = build.split_valid(0.1, rows, seed=0)
    assert (len(train.train), len(valid.train)) == (size - kept, kept)
    assert not numbers(train) & numbers(valid)
    assert len(numbers(train) | numbers(valid)) == size


def test_the_seed_says_which_rows():
    parts = [numbers(build.split_valid(0.1, ROWS, seed=seed)[1]) for seed in (0, 0, 1)]
    assert parts[0] == parts[1]
    assert parts[0] != parts[2]


def test_labels_stay_with_their_rows():
    rows = Dataset(
        "x", ROWS.train, ROWS.test, train_labels=np.arange(1200), test_labels=np.zeros(9, int)
    )
    method = replace(METHODS["joint"].preset_for(rows), validation=0.2)
    train, valid = method.split(rows)
    for part, seen in (
        (train, method.training_rows(train)),
        (valid, method.validation_rows(valid)),
    ):
        assert type(seen) is Labelled
        assert np.array_equal(ROWS.train[seen.label], part.train)


def test_no_validation_keeps_no_rows_and_chooses_nothing():
    method = METHODS["nce"].preset("table")
    assert replace(method, validation=0.0).split(ROWS) == (ROWS, None)
    plain, chosen = replace(method, validation=0.0).settle(ROWS)
    assert chosen is None
    assert str(plain.base) == "10 Gaussians, full covariance, ridge 0.0001"
    open_, chosen = method.settle(ROWS)
    assert chosen.startswith(f"{open_.base}: ")
    assert open_.base.settled
    assert not method.base.settled  # negative control


def test_a_mixture_of_nearly_all_rows_is_not_called_chosen():
    """No part of 12 rows holds 11 to fit as many Gaussians to: nothing was compared."""
    few = Dataset("x", ROWS.train[:12], ROWS.test)
    method = replace(METHODS["nce"].preset("table"), components=11)
    settled, found = method.settle(few)
    assert found is None
    assert (settled.base.components, settled.base.ridge) == (11, 1e-4)
    assert replace(method, components=3).settle(few)[1] is not None, "control"


def test_chains_on_a_box_have_no_loss_to_be_judged_by():
    rows = Dataset("x", ROWS.train, ROWS.test)
    assert METHODS["pcd"].preset("image").split(rows)[1] is None
    assert METHODS["dsm"].preset("image").split(rows)[1] is not None


@pytest.mark.parametrize("network", ["mlp", "conv", "shallow"])
def test_an_energy_that_has_not_learned_is_its_base(network):
    """And one weight of its last layer is enough to leave it."""
    base = ex.energy.Gaussian(jnp.zeros((4, 4)))
    ground = Groundwork(base, ex.data.Pipeline(()), 9)
    method = replace(METHODS["nce"].preset("small image"), network=network, width=4)
    energy = method.make_energy(ground, key=jax.random.key(0))
    x = jnp.linspace(-1, 1, 16).reshape(4, 4)
    assert float(energy(x) + ex.energy.log_density(base, x)) == 0
    moving = eqx.filter_grad(lambda e: e(x))(energy)
    assert any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(moving.energy.network))


def test_rank_among_draws_is_the_gain_of_likelihood():
    """Base N(0, 1), model N(1/2, 1), rows of the model: the gain is 1/8, less 64-draw bias.

    The mean of 4,000 rows has a standard error of 0.008: five of them, a false alarm in a million.
    """
    base, model = ex.energy.Gaussian(jnp.zeros(1)), ex.energy.Gaussian(jnp.full(1, 0.5))
    rows = ex.energy.draws(model, 4000, key=jax.random.key(1))
    loss = build.rank_among_draws(base)

    def of(energy):
        value = jax.vmap(lambda x, k: loss(energy, x[None], None, key=k)[0])
        keys = jax.random.split(jax.random.key(2), len(rows))
        return float(jnp.mean(value(rows, keys))) - float(jnp.log(65))

    assert of(base) == pytest.approx(0, abs=1e-6)
    assert of(model) == pytest.approx(-0.125, abs=0.045)
    assert of(ex.energy.Gaussian(jnp.full(1, -0.5))) > 0.1  # negative control


def test_a_smaller_base_is_tried_where_a_mixture_has_too_many_numbers():
    """Of 1,200 rows of 2 numbers, 1.5 for each of a Gaussian's 6: 133 Gaussians at most."""
    method = METHODS["nce"].preset("table")
    large = replace(method, components=150, covariance="full", ridge=1e-3)
    assert large.shrink(ROWS).base.components == 133
    assert replace(large, components=133).shrink(ROWS) is None
    assert replace(large, covariance="tied").shrink(ROWS) is None
    assert replace(large, validation=0.0).shrink(ROWS) is None
    few = Dataset("x", ROWS.train[:400], ROWS.test)
    assert large.shrink(few) is None
    chains = replace(METHODS["pcd"].preset("table"), components=150, covariance="full", ridge=1e-3)
    assert chains.shrink(ROWS) is None


def test_the_smaller_base_is_taken_only_if_its_tilt_beats_the_larger_one(monkeypatch):
    """Of 500 rows: 66 tight clusters need 66 Gaussians; one Gaussian suffers less from 55."""
    quick = {"steps": 20, "width": 4, "depth": 1, "validation_every": 10, "chunk_steps": 20}
    method = replace(METHODS["nce"].preset("table"), **quick)
    settled = replace(method, components=66, covariance="full", ridge=1e-4)
    monkeypatch.setattr(type(method), "settle", lambda self, rows: (settled, "66 Gaussians"))
    round_ = ROWS.train[:500]
    tight = (round_[np.arange(500) % 66] * 10 + round_ / 100).astype(np.float32)
    for rows, count in ((tight, 66), (round_, 55)):
        with as_a_user():
            found, _ = fitting.prepare(method, Dataset("x", rows, ROWS.test))
        assert found.base.components == count
