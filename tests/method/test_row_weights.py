"""Rows that count by weights: whole weights are rows that are there so many times."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import energax as ex
from energax.data import Dataset, Weighted
from energax.energy.discrete.estimate import _improve
from energax.model.mass import correlate_pairs
from energax.space import Bits
from energax.train.loop import _batch

RNG = np.random.default_rng(0)
ROWS = RNG.integers(0, 2, (6, 4)).astype(np.uint8)
TIMES = np.array([2, 1, 0, 3, 1, 1])
MANY, WEIGHTS = np.repeat(ROWS, TIMES, axis=0), TIMES.astype(float)
SPACE = Bits((4,))
MACHINE = ex.energy.BoltzmannMachine(np.zeros((4, 4)), RNG.normal(size=4))


@pytest.mark.parametrize("fit", [ex.energy.fit_sites, ex.energy.fit_tree])
def test_fits_count_rows_by_weight(fit):
    by_weight = fit(ROWS, SPACE, pseudocount=0.5, weights=WEIGHTS)
    assert np.allclose(by_weight.logits, fit(MANY, SPACE, pseudocount=0.5).logits, atol=1e-12)
    assert not np.allclose(by_weight.logits, fit(ROWS, SPACE, pseudocount=0.5).logits, atol=0.01)


def test_a_mixture_counts_rows_by_weight():
    logits = np.log(RNG.dirichlet(np.ones(2), (2, 4)))
    ours, theirs = (
        _improve((rows, weights), SPACE, np.log(np.array([0.4, 0.6])), logits, 1.0)
        for rows, weights in ((ROWS, WEIGHTS), (MANY, np.ones(len(MANY))))
    )
    assert ours[0] == pytest.approx(theirs[0], abs=1e-12)
    for one, other in zip(ours[1], theirs[1], strict=True):
        assert np.allclose(one, other, atol=1e-12)


def test_the_validation_loss_is_a_weighted_mean(key):
    loss = ex.objective.PseudoLikelihood()
    inner = ex.learner.Descent(loss, optax.sgd(0.1))
    plain, many = jnp.asarray(ROWS), jnp.asarray(MANY)
    learners = [
        ex.learner.KeepBest(inner, loss, rows, 2)
        for rows in (Weighted(ROWS, 5 * WEIGHTS), many, plain)
    ]
    look = eqx.filter_jit(lambda learner: learner.init(MACHINE, plain, key=key).best)
    found = [float(look(learner)) for learner in learners]
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert found[0] != pytest.approx(found[2], abs=0.01)


def test_likelihoods_and_correlations_are_weighted():
    log_z = ex.evaluate.certify(ex.evaluate.Estimate(*jnp.array([2.0, 0.0, 1.0])))
    values = RNG.normal(size=(1, 6))
    args = np.zeros((1, 6)), log_z
    found = ex.evaluate.log_likelihood(values, *args, weights=WEIGHTS)
    assert found.value == pytest.approx(-np.repeat(values[0], TIMES).mean() - 2)
    plain = ex.evaluate.log_likelihood(values, *args)
    alike = ex.evaluate.log_likelihood(values, *args, weights=np.full(6, 0.3))
    assert (alike.value, alike.error) == pytest.approx((plain.value, plain.error), abs=1e-14)
    assert plain.error == pytest.approx(values.std(ddof=1) / 6**0.5)
    x = RNG.normal(size=(9, 4))
    weighted = correlate_pairs(x, ROWS.astype(float), WEIGHTS)
    assert weighted == pytest.approx(correlate_pairs(x, MANY.astype(float)))


def test_the_error_of_a_weighted_mean_is_its_spread():
    """20,000 means of 30 rows: their spread has a relative error of 0.5 %."""
    weights = RNG.choice([0.2, 1.0], (20_000, 30))
    values = RNG.normal(size=(20_000, 30)) * weights
    found = np.array([ex.evaluate.weigh_mean(*pair) for pair in zip(values, weights, strict=True)])
    assert np.sqrt((found[:, 1] ** 2).mean()) == pytest.approx(found[:, 0].std(), rel=0.05)


def test_rows_are_drawn_by_weight(key):
    """4,000 draws: z-scores below 5.5 for every key but one in 1e6."""
    rows = Weighted(np.arange(4.0)[:, None], np.array([0.0, 3.0, 1.0, 0.0]))
    drawn = np.asarray(_batch(rows, 4000, None, key=key))[:, 0].astype(int)
    found = np.bincount(drawn, minlength=4)
    assert found[0] == found[3] == 0
    assert abs(found[1] - 3000) < 5.5 * (4000 * 0.75 * 0.25) ** 0.5
    with pytest.raises(ValueError, match="`batch_size` must be a number"):
        _batch(rows, None, None, key=key)


def test_training_and_measurement_follow_the_weights():
    """Half of the rows count nothing: the model is that of the other half."""
    ones = np.array(jax.random.bernoulli(jax.random.key(0), 0.8, (400, 4)), np.uint8)
    train, heavy = np.stack([ones, 1 - ones], 1).reshape(-1, 4), np.tile([1.0, 0.0], 400)
    alike = Dataset("half", train, train, states=2)
    rows = dataclasses.replace(alike, row_weights=heavy, test_weights=heavy)
    options = {"steps": 60, "chunk_steps": 60, "network": "pairs", "batch_size": 700}
    model, plain = (ex.fit(part, method="exact", **options) for part in (rows, alike))
    base, other = (float(jnp.exp(-m.base(jnp.ones(4, jnp.uint8)))) for m in (model, plain))
    assert abs(base - 0.8**4) < 0.05 < abs(other - 0.8**4)
    record, half, other = (
        ex.measure(trained, part, compare=part is rows and trained is model).record
        for trained, part in ((model, rows), (model, ones), (plain, rows))
    )
    found = record["test_log_likelihood"]
    assert found["effective_rows"] == 400
    assert found["value"] == pytest.approx(half["test_log_likelihood"]["value"], abs=1e-6)
    assert found["value"] > other["test_log_likelihood"]["value"] + 0.1
    assert record["baselines"]["independent sites"]["value"] > -2.1


def test_wrong_weights_are_refused():
    for wrong in (np.ones(5), np.zeros(6), -WEIGHTS):
        with pytest.raises(ValueError, match="`row_weights` must"):
            Dataset("wrong", ROWS, ROWS, states=2, row_weights=wrong)
        with pytest.raises(ValueError, match="`weight` must"):
            Weighted(ROWS, wrong)
    with pytest.raises(ValueError, match="`weights` must be 6 numbers"):
        ex.energy.fit_sites(ROWS, SPACE, weights=-WEIGHTS)
