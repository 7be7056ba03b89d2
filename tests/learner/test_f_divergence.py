"""f-divergences against sums over a grid: slopes at the best rival, and rivals that are far off."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import Bowl
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from energax.energy import GaussianMixture, Normalised
from energax.learner import (
    FDivergence,
    Players,
)
from energax.learner.game import AbstractSource
from energax.learner.game.f_divergence import SharedSamples
from energax.learner.game.weighted import WeightedSamples

SHARE, MEANS, VARIANCES = np.array([0.33, 0.67]), np.array([-1.0, 2.0]), np.array([0.0625, 2.0])
GRID = np.linspace(-14, 16, 6001)
DATA = np.sum(SHARE * norm.pdf(GRID[:, None], MEANS, VARIANCES**0.5), axis=1)
CELL = GRID[1] - GRID[0]
CONVEX = {
    "kl": lambda r: r * np.log(r),
    "reverse-kl": lambda r: -np.log(r),
    "js": lambda r: r * np.log(r) - (1 + r) * np.log((1 + r) / 2),
    "hellinger": lambda r: (np.sqrt(r) - 1) ** 2,
    "pearson": lambda r: (r - 1) ** 2,
}


def f_divergence(kind, mean, std):
    """D_f of the toy mixture from N(mean, std^2), by a sum."""
    model = norm.pdf(GRID, mean, std)
    used = (model > 1e-200) & (DATA > 1e-200)
    return float(np.sum(model[used] * CONVEX[kind](DATA[used] / model[used])) * CELL)


class OnGrid(AbstractSource):
    """All of a grid, in place of draws."""

    def init(self, rows, *, key):
        return None

    def __call__(self, energy, rows, memory, *, key):
        return WeightedSamples(jnp.asarray(GRID)[:, None], jnp.zeros(len(GRID))), None, {}


def toy():
    factors = VARIANCES[:, None, None] ** 0.5
    return GaussianMixture(np.log(SHARE), MEANS[:, None], factors)


def toy_rows(count=20_000):
    """Rows at even quantiles: their mean is an integral."""
    mass = np.cumsum(DATA) * CELL
    mass -= DATA * CELL / 2
    return jnp.asarray(np.interp((np.arange(count) + 0.5) / count, mass, GRID))[:, None]


def toy_slope(kind, mean, std, whole, key):
    """Value of the loss of N(mean, std^2) before the best rival, and its slope in mean and std."""
    rules, rows = FDivergence(OnGrid(), kind, clip=200.0, full_gradient=whole), toy_rows()
    energy = Normalised(
        Bowl(jnp.asarray([mean]), jnp.asarray([std**-2.0])), np.log(2 * np.pi * std**2) / 2
    )

    best = toy()

    def loss(energy):
        memory = rules.init(Players(energy, best), rows, key=key)
        return rules.energy_loss(energy, best, rows, memory, key=key)[0]

    value, slope = eqx.filter_jit(eqx.filter_value_and_grad(loss))(energy)
    bowl = slope.energy
    return float(value), np.array([float(bowl.mean[0]), -2 / std * float(bowl.log_precision[0])])


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", CONVEX)
def test_at_the_best_rival_the_slope_is_that_of_the_f_divergence(kind, whole, key):
    """The toy of Yu et al. (2020) against differences of the divergence itself."""
    mean, std, step = 1.0, 1.35, 1e-4
    right = [
        (f_divergence(kind, mean + step, std) - f_divergence(kind, mean - step, std)) / (2 * step),
        (f_divergence(kind, mean, std + step) - f_divergence(kind, mean, std - step)) / (2 * step),
    ]
    value, found = toy_slope(kind, mean, std, whole, key)
    assert value == pytest.approx(f_divergence(kind, mean, std), rel=1e-3)
    assert np.allclose(found, right, rtol=5e-3, atol=1e-4)
    assert not np.allclose(1.1 * found, right, rtol=5e-3, atol=1e-4)


OPTIMA = {"kl": (1.010, 1.830), "reverse-kl": (1.584, 1.629)}


@pytest.mark.parametrize("kind", OPTIMA)
def test_the_slope_vanishes_at_the_optimum_of_its_own_divergence(kind, key):
    """Where a fit by one Gaussian is best, and not at the optimum of the other one."""
    start = np.array([1.2, 1.7])
    best = minimize(lambda p: f_divergence(kind, *p), start, tol=1e-10, method="Nelder-Mead").x
    assert np.allclose(best, OPTIMA[kind], atol=6e-4)
    assert np.max(np.abs(toy_slope(kind, *best, False, key)[1])) < 1e-5
    other = OPTIMA["kl" if kind == "reverse-kl" else "reverse-kl"]
    assert np.max(np.abs(toy_slope(kind, *other, False, key)[1])) > 0.05


OFF, LIMIT = 8.0, 2.0
FAR = {  # kind -> slopes in u: of -f*(f'(e^u)) at u = OFF, of f'(e^u) at -OFF, straight from LIMIT
    "kl": (-(math.e**2), 1.0),
    "reverse-kl": (-1.0, math.e**2),
    "js": (-expit(OFF), expit(OFF)),
    "hellinger": (-math.e / 2, math.e / 2),
    "pearson": (-2 * math.e**4, 2 * math.exp(-8)),
}


@pytest.mark.parametrize("kind", FAR)
def test_a_rival_that_is_far_off_is_called_back_by_a_slope_with_a_bound(kind, key):
    """The data's distribution against itself plus a constant. Exponentials without the limit are
    noticed."""
    rows = toy_rows()

    def slope(off, limit):
        rules, energy = FDivergence(OnGrid(), kind, clip=limit), toy()

        def loss(constant):
            rival = Normalised(toy(), constant)
            memory = rules.init(Players(energy, rival), rows, key=key)
            return rules.rival_loss(rival, energy, rows, memory, key=key)[0]

        return float(jax.jit(jax.grad(loss))(jnp.asarray(-off)))

    found, free = ([slope(off, limit) for off in (OFF, -OFF)] for limit in (LIMIT, 2 * OFF))
    assert np.allclose(found, FAR[kind], rtol=1e-3)
    assert found[0] < 0 < found[1]
    assert np.allclose(free, FAR[kind], rtol=1e-3) == (kind == "js")


def critic_values(kind, clip, ratio, places):
    """What the rival maximises, by its u = log r at a point that most of one side lies at.

    There all data lie and 1 / `ratio` of the model, or all of the model and `ratio` of the data;
    elsewhere u = 0.
    """
    data, model = min(1.0, ratio), min(1.0, 1 / ratio)
    rows = jnp.asarray(np.arange(1000) >= round(1000 * data), float)[:, None]
    samples = WeightedSamples(jnp.array([[0.0], [1.0]]), -jnp.log(jnp.array([model, 1 - model])))
    rules = FDivergence(OnGrid(), kind, clip=clip)

    def value(u):
        return -rules.rival_loss(
            lambda x: -u * (1 - x[0]),
            lambda x: 0 * x[0],
            rows,
            SharedSamples(None, samples),
            key=jax.random.key(0),
        )[0]

    return np.asarray(jax.jit(jax.vmap(value))(jnp.asarray(places)))


FAR_OUT = np.array([-200.0, -50.0, 50.0, 200.0])


@pytest.mark.parametrize("ratio", [1000.0, 1 / 1000])
@pytest.mark.parametrize("kind", CONVEX)
def test_beyond_the_clip_the_rival_still_has_a_best_value_in_the_right_place(kind, ratio):
    """Issue 11: "kl" at ratio 1000 and clip 5 rose without end, past the divergence itself.

    The best u is log ratio, clipped; nothing far out is better. With a clip that is not reached it
    is log ratio itself, and the value is D_f: the clipped one is below.
    """
    places = np.linspace(-10, 10, 2001)
    values, free = (critic_values(kind, clip, ratio, places) for clip in (5.0, 20.0))
    assert places[np.argmax(free)] == pytest.approx(np.log(ratio), abs=0.006)
    assert places[np.argmax(values)] == pytest.approx(np.clip(np.log(ratio), -5, 5), abs=0.006)
    assert np.max(values) < np.max(free)
    assert np.all(critic_values(kind, 5.0, ratio, FAR_OUT) < np.max(values))


def test_the_clipped_value_at_ratio_1000_is_the_documented_one():
    """r f'(r) - f*(f'(r)): 6,908 in place of 5,852 without the clip."""
    for clip, right in ((5.0, 6000 - math.exp(5)), (20.0, 1000 * math.log(1000))):
        found = 1000 * np.max(critic_values("kl", clip, 1000.0, np.linspace(4, 8, 4001)))
        assert found + 999 == pytest.approx(right, abs=0.01)


def test_reverse_kl_of_the_toy_has_the_published_value():
    assert f_divergence("reverse-kl", 1.584, 1.629) == pytest.approx(0.2507, abs=1e-4)


def test_a_clip_of_zero_is_refused():
    with pytest.raises(ValueError, match="`clip` must be above 0"):
        FDivergence(OnGrid(), "js", 0.0)
