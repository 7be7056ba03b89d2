"""The mean gradient of every objective is the one that theory says; each planted fault is seen."""

import dataclasses
import types

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, Place, flat, rows_of
from mean_gradients import (
    BATCH,
    NOISE,
    STEP,
    contrast,
    exact,
    improved,
    matching,
    moved,
    round_place,
    through_last,
    with_entropy,
)
from methods import METHODS

from energax.objective import (
    ContrastiveDivergence,
    EnergyDiscrepancy,
    ImprovedContrastiveDivergence,
)
from energax.objective.likelihood import nearest_distance
from energax.sampler import AbstractSampler, Info, Langevin, State


class Signed(eqx.Module):
    """E, or -E: the fault that shapes never show."""

    energy: eqx.Module
    sign: jax.Array

    def __call__(self, x):
        return self.sign * self.energy(x)


def each_gradient(objective, model, sign, rows, keys):
    """The gradient in all weights, for each batch of rows."""

    def one(batch, key):
        first, then = jax.random.split(key)
        memory = objective.init(model, batch, key=first)
        return flat(
            jax.grad(lambda e: objective(Signed(e, sign), batch, memory, key=then)[0])(model)
        )

    return jax.vmap(one)(rows, keys)


def fresh():
    """A program of its own, for what is patched: the shared one was traced without."""
    return eqx.filter_jit(lambda *given: each_gradient(*given))


SHARED = eqx.filter_jit(each_gradient)
"""Compiled once for each method: model and sign are arguments."""


def gradients(objective, at, key, seeds=2000, *, sign=1.0, program=SHARED):
    """The gradient in all weights, of independent batches from the data's distribution."""
    rows = rows_of(at, (seeds, BATCH))
    given = objective, at.model, jnp.asarray(sign), rows, jax.random.split(key, seeds)
    return np.asarray(program(*given))


def expected(name):
    """The closed form, flat."""
    mean, log_precision, log_z = METHODS[name].slope(METHODS[name].at(METHODS[name].shape))
    return np.concatenate([np.ravel(mean), np.ravel(log_precision), [log_z]])


def found(name, key, *, changed=lambda part: part, **given):
    """Gradients of the method, after `changed` has been at its objective."""
    method = METHODS[name]
    at = method.at(method.shape)
    return gradients(changed(method.make(at)), at, key, method.seeds, **given)


@pytest.mark.parametrize("name", METHODS)
def test_mean_gradient_is_the_one_in_closed_form(name, key):
    """False alarm 1e-6 for each weight; a wrong sign, and a scale a tenth off, are seen."""
    right, values = expected(name), found(name, key)
    assert agrees(values, right)
    assert not agrees(-values, right)
    assert not agrees(1.1 * values, right)


UNBIASED = [name for name, method in METHODS.items() if method.best is exact]


@pytest.mark.parametrize("name", UNBIASED)
def test_nothing_pulls_away_from_the_distribution_of_the_data(name, key):
    """On images it is test_recover that says so."""
    method = METHODS[name]
    at = method.at(method.shape)
    truth = dataclasses.replace(at, centre=at.mean, precision=1 / at.variance)
    values = gradients(method.make(truth), truth, key, method.seeds)
    assert agrees(values, np.zeros(values.shape[1]))


class LoudLangevin(AbstractSampler):
    """Langevin whose noise lacks the square root of two."""

    step_size: float

    def init(self, energy, x, *, key):
        return State(x)

    def step(self, energy, state, *, key):
        value, slope = jax.value_and_grad(energy)(state.x)
        noise = jax.random.normal(key, state.x.shape, state.x.dtype)
        x = state.x - self.step_size * slope + self.step_size**0.5 * noise
        return State(x), Info(jnp.ones_like(value), value, jnp.zeros_like(value))


def unfrozen(patch):
    """The chain is differentiated through."""
    patch.setattr(jax.lax, "stop_gradient", lambda x: x)
    patch.setattr("energax.objective.likelihood.stop_gradient", lambda energy: energy)


def wrong_noise(patch):
    normal = jax.random.normal
    patch.setattr(jax.random, "normal", lambda *given: 1.1 * normal(*given))


def wrong_hessian(patch):
    """+ v' H v, as the arXiv text prints it."""
    linearize = jax.linearize

    def negated(function, x):
        value, product = linearize(function, x)
        return value, lambda v: -product(v)

    patch.setattr(jax, "linearize", negated)


def wrong_ratio(patch):
    """+ log r in place of - log r."""
    mirrored = types.SimpleNamespace(log=lambda r: -float(np.log(r)))
    patch.setattr("energax.objective.contrast.math", mirrored)


def unnormalised_noise(patch):
    patch.setattr(
        "energax.objective.contrast.log_density", lambda distribution, x: -distribution(x)
    )


def plain(patch):
    """Nothing is patched: the fault is in what the test hands over."""


def loud(objective):
    return eqx.tree_at(lambda o: o.sampler, objective, LoudLangevin(0.2))


STEADY = [name for name in METHODS if name not in ("nce-kl", "nce-squared")]
"""Where -E leaves a variance: an exponential of it has none, and any mean would agree."""

FAULTS = {  # fault -> (method that must notice, patch, change of the objective)
    "cd: the chain is not frozen": ("cd", unfrozen, lambda o: o),
    "pcd: the chain is not frozen": ("pcd", unfrozen, lambda o: o),
    "cd: the sampler's noise is wrong": ("cd", plain, loud),
    "short-run: the sampler's noise is wrong": ("short-run", plain, loud),
    "dsm: the noise is a tenth too large": ("dsm", wrong_noise, lambda o: o),
    "sm: the Hessian has the printed sign": ("sm", wrong_hessian, lambda o: o),
    "ssm: the Hessian has the printed sign": ("ssm", wrong_hessian, lambda o: o),
    "ssm-plain: the Hessian has the printed sign": ("ssm-plain", wrong_hessian, lambda o: o),
    "nce: log r has the wrong sign": ("nce", wrong_ratio, lambda o: o),
    "nce: the noise is not normalised": ("nce", unnormalised_noise, lambda o: o),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, key, monkeypatch):
    """Negative control of the gradient above."""
    name, plant, changed = FAULTS[fault]
    plant(monkeypatch)
    assert not agrees(found(name, key, changed=changed, program=fresh()), expected(name))


@pytest.mark.parametrize("name", STEADY)
def test_a_negated_energy_is_seen(name, key):
    """Negative control of the gradient above."""
    assert not agrees(found(name, key, sign=-1.0), expected(name))


def test_one_step_of_contrastive_divergence_is_score_matching_times_the_step(key):
    """METHODS A5: h [(a k - 1) - h k^2 a / 2] in k, which is k times that in log k."""
    h, a, k = 0.4, 1.7, 1.25
    at = Place(np.zeros(1), np.full(1, a), np.zeros(1), np.full(1, k))
    values = gradients(ContrastiveDivergence(Langevin(h), steps=1), at, key)[:, 1]
    assert agrees(values, k * h * ((a * k - 1) - h * k**2 * a / 2))
    assert not agrees(values, k * h * (a * k - 1))  # without the bias of the step


def whole(parts):
    """Mean, log precision and constant in one vector."""
    return np.concatenate([np.ravel(parts[0]), np.ravel(parts[1]), [parts[2]]])


def test_entropy_of_the_chains_is_that_of_all_their_axes(key):
    """A mean log distance without the factor d, as Du et al. have it, is seen."""
    at, size = round_place(SHAPES["image"]), int(np.prod(SHAPES["image"]))
    objective = ImprovedContrastiveDivergence(Langevin(STEP), steps=2)
    without = dataclasses.replace(objective, entropy_weight=1 / size)
    assert agrees(gradients(objective, at, key), whole(with_entropy(at)))
    assert not agrees(gradients(without, at, key), whole(with_entropy(at)))


@pytest.mark.parametrize("axes", [2, 16, 64])
def test_entropy_of_scaled_rows_grows_by_one_nat_per_axis_and_unit_of_log_scale(axes, key):
    """Scaling by 1 + t adds d log(1 + t) to an entropy: d at t = 0, whatever the batch.

    With the nearest row held still the slope is 0.92, 0.67 and 0.58 of that.
    """
    rows = jax.random.normal(key, (256, axes))

    def entropy(t):
        return axes * jnp.mean(jnp.log(nearest_distance((1 + t) * rows)))

    assert float(jax.jit(jax.grad(entropy))(0.0)) == pytest.approx(axes, rel=1e-9)


def test_entropy_of_moved_rows_stays(key):
    """A shift changes no distance, so its slope is 0 in every axis."""
    rows = jax.random.normal(key, (64, 3))
    log_sum = jax.jit(jax.grad(lambda t: jnp.sum(jnp.log(nearest_distance(rows + t[None])))))
    slope = log_sum(jnp.zeros(3))
    np.testing.assert_allclose(slope, 0, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_short_steps_through_the_last_one_take_one_step_back(steps):
    """CD-k is k h times the slope of the Fisher divergence, improved CD-k is (k - 1) h times it."""
    h, at = 1e-5, METHODS["cd"].at(SHAPES["vector"])
    fisher = whole(matching(at))
    plain = whole(contrast(at, *moved(at, steps, at.mean, at.variance, h)))
    np.testing.assert_allclose(plain / h, steps * fisher, atol=1e-3)
    better = whole(improved(at, steps, 1.0, h))
    np.testing.assert_allclose(better / h, (steps - 1) * fisher, atol=1e-3)
    assert np.max(np.abs(fisher)) > 0.1


def test_the_objective_of_contrastive_divergence_has_the_last_step_subtracted():
    """One step: the slope of KL(data | model) - KL(chain | model), by autodiff."""
    h, a = 0.3, 1.7
    at = Place(np.zeros(1), np.full(1, a), np.zeros(1), np.full(1, 0.8))

    def divergence(variance, k):
        return (variance * k - 1 - jnp.log(variance * k)) / 2

    def objective(log_precision):
        k = jnp.exp(log_precision)
        return divergence(a, k) - divergence((1 - h * k) ** 2 * a + 2 * h, k)

    right = float(jax.jit(jax.grad(objective))(jnp.log(0.8)))
    plain = contrast(at, *moved(at, 1, at.mean, at.variance, h))[1][0]
    extra = through_last(at, 1, 1.0, h)[1][0]
    assert plain - extra == pytest.approx(right)
    assert plain + extra != pytest.approx(right)


def test_energy_discrepancy_of_any_copies_is_least_at_the_distribution_of_the_data(key):
    """With a stabiliser of 1; with none few copies are biased."""
    at = METHODS["discrepancy"].at(SHAPES["vector"])
    truth = dataclasses.replace(at, centre=at.mean, precision=1 / at.variance)

    def unbiased(copies, stabiliser):
        values = gradients(EnergyDiscrepancy(NOISE, copies, stabiliser), truth, key)
        return agrees(values, np.zeros(values.shape[1]))

    assert unbiased(2, 1.0)
    assert unbiased(5, 1.0)
    assert not unbiased(5, 0.0)
