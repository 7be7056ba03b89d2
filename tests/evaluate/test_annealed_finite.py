"""Annealed importance sampling of bits and categories against enumeration, from both ends."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from jaxtyping import Array, Float
from known_log_z import make_models

from energax.energy import (
    AbstractDistribution,
    BernoulliRBM,
    BoltzmannMachine,
    CategoricalRBM,
    Gaussian,
    IndependentSites,
    Potts,
    Sum,
    draws,
    fit_sites,
)
from energax.evaluate import annealed_log_z, enumerate_log_z
from energax.evaluate.annealed import make_problem
from energax.evaluate.ends import Annealing
from energax.evaluate.path import AbstractPath
from energax.evaluate.schedule import Schedule
from energax.space import Bits

SIZE = 512


def normal(seed, *sizes):
    rng = np.random.default_rng(seed)
    return (jnp.asarray(rng.normal(size=size)) for size in sizes)


PROBLEMS = {
    "bits": lambda: BoltzmannMachine(*normal(0, (5, 5), 5)),
    "categories": lambda: Potts(*normal(1, (3, 3, 3, 3), (3, 3))),
    "layers of bits": lambda: BernoulliRBM(*normal(2, (4, 3), 4, 3)),
    "layers of categories": lambda: CategoricalRBM(*normal(3, (3, 3, 2), (3, 3), 2)),
}


def pose(name):
    """A problem from independent sites that are off, and its log Z."""
    energy = PROBLEMS[name]()
    space = energy.space
    base = IndependentSites(next(normal(4, (space.sites, space.states))), space)
    return make_problem(base, energy), enumerate_log_z(energy).value


def draw_exactly(energy, size, *, key):
    """Draws of an energy by enumeration."""
    points = energy.space.enumerate()
    return points[jax.random.categorical(key, -jax.vmap(energy)(points), shape=(size,))]


class Scaled(AbstractPath):
    """A path that lies about one thing: the factor of its gap, or the time it moves at."""

    base: AbstractDistribution
    true: AbstractPath
    sign: Float[Array, ""]
    speed: Float[Array, ""]

    def at(self, time):
        return self.true.at(self.speed * time)

    def gap(self, x):
        return self.sign * self.true.gap(x)


def draw_target(problem, size, *, key):
    """Exact particles of the target: of the visible layer, and of the hidden one given it."""
    first, second = jax.random.split(key)
    visible = getattr(problem, "rbm", problem.target)
    return problem.lift(draw_exactly(visible, size, key=first), key=second)


def ratios(problem, path, log_z, *, settled=True, key):
    """Weights of both directions over their exact mean: independent, with mean 1."""
    schedule = Schedule(np.linspace(0, 1, 9), np.full(9, 0.7))
    first, second, go, back = jax.random.split(key, 4)
    start = draws(path.base, SIZE, key=first)
    end = draw_target(problem, SIZE, key=second) if settled else start
    annealing = Annealing(path, problem.make_kernel(start, 2, 2), schedule)
    _, gone = annealing.forward(start, key=go)
    _, alone = annealing.reverse(end, np.arange(SIZE), key=back)
    truth = float(log_z - path.base.log_z())
    return np.exp(np.asarray(gone.log_weight) - truth), np.exp(float(log_z) - alone)


@pytest.mark.parametrize("name", PROBLEMS)
def test_weights_average_to_the_ratio_of_constants_both_ways(name, key):
    """One false alarm in a million keys, at |z| < 4.9."""
    problem, log_z = pose(name)
    there, back = ratios(problem, problem.path, log_z, key=key)
    assert agrees(there, 1.0)
    assert agrees(back, 1.0)
    assert max(np.std(there), np.std(back)) < 3.0


FAULTS = {  # name -> (sign of the gap, speed of the moves, is the reverse run from settled draws)
    "wrong sign of the weight": (-1.0, 1.0, True),
    "reverse run without settling": (1.0, 1.0, False),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["bits", "layers of bits"])
def test_a_planted_fault_is_noticed(name, fault, key):
    sign, speed, settled = FAULTS[fault]
    problem, log_z = pose(name)
    path = Scaled(problem.path.base, problem.path, jnp.asarray(sign), jnp.asarray(speed))
    there, back = ratios(problem, path, log_z, settled=settled, key=key)
    assert not (agrees(there, 1.0) and agrees(back, 1.0))


@pytest.mark.parametrize("name", PROBLEMS)
def test_moves_leave_their_distribution_as_it_is(name, key):
    """From exact draws, the mean energies of base and target stay; at another time they do not."""
    problem, _ = pose(name)
    first, second, third = jax.random.split(key, 3)
    x = draw_target(problem, 8192, key=first)
    kernel = problem.make_kernel(x, 2, 2)

    @eqx.filter_jit
    def move(time, key):
        usual = jnp.asarray(1.0), x, jnp.asarray(True), jnp.asarray(0.8)
        moved = kernel(problem.path, time, *usual, key=key)[0].x
        return jax.vmap(problem.path.gap)(moved), jax.vmap(problem.target)(moved)

    still, elsewhere = move(jnp.asarray(1.0), second), move(jnp.asarray(0.2), second)
    fresh = draw_target(problem, 8192, key=third)
    exact = jax.vmap(problem.path.gap)(fresh), jax.vmap(problem.target)(fresh)
    for now, control, wanted in zip(still, elsewhere, exact, strict=True):
        assert agrees(np.asarray(now) - np.asarray(wanted), 0.0)
        assert not agrees(np.asarray(control) - np.asarray(wanted), 0.0)


MODELS = {  # family -> the options of those that are tried here, and what is certified of them
    "Boltzmann machine": ({"coupling": [0.3, 1.0, 2.0], "components": [1]}, "all"),
    "Bernoulli RBM": ({"hidden": [4], "scale": [0.5, 1.0], "components": [1]}, "all"),
    "network of bits": ({"scale": [3.0], "components": [1]}, "all"),
    "missed states": ({"dim": [30]}, "none"),
    "spurious states": ({"dim": [30]}, "none"),
}


@pytest.mark.parametrize("family", MODELS)
def test_certified_intervals_hold_the_truth_and_missed_modes_are_refused(family):
    """An interval misses with chance 5% at most, far less as both ends are in it: one may."""
    options, certified = MODELS[family]
    wrong = 0
    with jax.enable_x64(False):
        for model in make_models([family], **options):
            found = annealed_log_z(
                model.energy,
                model.base,
                model.rows,
                particles=256,
                settle=48,
                key=jax.random.key(0),
            )
            assert found.certified == (certified == "all"), (model.name, found.why)
            wrong += found.certified and not found.lower <= model.log_z <= found.upper
    assert wrong <= 1


def test_a_machine_inside_another_energy_is_annealed_site_by_site():
    rbm = PROBLEMS["layers of bits"]()
    base = fit_sites(np.zeros((1, 4), np.uint8), rbm.space)
    assert make_problem(base, rbm).path.base.shape == (7,)
    assert make_problem(base, Sum(rbm)).path.base.shape == (4,)


BAD = {
    "must have one space": (Gaussian(jnp.zeros(4)), np.zeros((4, 4), np.uint8)),
    "must be whole numbers from 0 to 1": (None, np.full((4, 4), 2, np.uint8)),
    "must be whole numbers from 0 to 1, examples": (None, np.zeros((4, 4))),
}


@pytest.mark.parametrize("message", BAD)
def test_nonsense_is_refused(message, key):
    energy = BernoulliRBM(*normal(2, (4, 3), 4, 3))
    base, rows = BAD[message]
    base = base or fit_sites(np.zeros((1, 4), np.uint8), Bits((4,)))
    with pytest.raises(ValueError, match=message):
        annealed_log_z(energy, base, rows, key=key)
