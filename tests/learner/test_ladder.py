"""How a ladder resumes, rolls back, and what it doubts or refuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from ladders import ladder, magnet, two_modes
from scipy.stats import t

from energax.energy import Gaussian, GaussianMixture, Tilt
from energax.errors import Diverged
from energax.learner import Ladder, LadderLogZ, measure_ladder
from energax.sampler import Langevin, mala
from energax.train import Checkpoints, fit, start

QUANTILE = t.isf(0.025, 15)
LEARNER = ladder()


def rows():
    return two_modes(jax.random.key(7), 500)


def test_a_resumed_run_is_the_same_run(tmp_path, key):
    """Two chunks are the bits of one, saved, and another: chains, stamps, ratios and all."""
    run = start(LEARNER, magnet(), rows(), key=key, batch_size=50)
    saved = Checkpoints(tmp_path)
    whole = fit(LEARNER, run, rows(), batch_size=50, chunk_steps=20)
    run, _ = next(whole)
    saved.save(run)
    through, _ = next(whole)
    again = start(LEARNER, magnet(), rows(), key=jax.random.key(5), batch_size=50)
    again, _ = next(fit(LEARNER, saved.restore(again), rows(), batch_size=50, chunk_steps=20))
    assert eqx.tree_equal(jax.tree.map(_data, through), jax.tree.map(_data, again))


def _data(leaf):
    is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


def test_an_update_that_loses_overlap_is_rolled_back(key):
    """A planted learning rate: weights and optimiser are the bits of before, the rate halves, and
    the third time training stops with the cause."""
    learner = ladder(optimiser=optax.sgd(1e6, momentum=0.9), max_rungs=3)
    state = learner.init(magnet(0.3, 0.1), rows(), key=key)
    step = eqx.filter_jit(learner.step)
    for failures in (1, 2, 3):
        before = state
        learner.check(before)
        state, _ = step(before, rows(), key=key)
        assert eqx.tree_equal(state.energy, before.energy)
        assert eqx.tree_equal(state.optimiser, before.optimiser)
        assert float(state.rate) == 0.5**failures
        assert int(state.failures) == failures
        assert int(state.round) > int(before.round)
    with pytest.raises(Diverged, match="between rungs 0 and 1 of 1"):
        learner.check(state)


def far_mixture():
    """A tenth of the mass 30 standard deviations away."""
    logs, means = jnp.log(jnp.asarray([0.9, 0.1])), jnp.asarray([[0.0], [30.0]])
    return GaussianMixture(logs, means, jnp.ones((2, 1, 1)))


def test_a_mode_that_no_chain_saw_is_doubted_with_data(key):
    """Reals: log Z is wrong by log .9 with a small error; chains from data notice."""
    base, target = Gaussian(jnp.zeros(1)), far_mixture()
    energy = Tilt(base, jax.tree_util.Partial(_tilt, target))
    learner = Ladder(base, mala(0.5), optax.sgd(0.1), chains=128, max_rungs=3)
    state = learner.init(energy, jnp.zeros((4, 1)), key=key)
    silent = measure_ladder(learner, state, key=key, rounds=50)
    assert silent.sound
    exact = -float(base.log_z())
    assert abs(silent.value - exact - np.log(0.9)) < 1e-3 + 3 * silent.error
    data = jnp.where(jnp.arange(400)[:, None] % 10 == 0, 30.0, 0.0)
    warned = measure_ladder(learner, state, key=key, rounds=50, rows=data)
    assert any("misses a mode" in doubt for doubt in warned.doubts)
    inside = measure_ladder(learner, state, key=key, rounds=50, rows=jnp.zeros((100, 1)))
    assert inside.sound


def _tilt(target, x):
    return target(x) - x[0] ** 2 / 2


def test_the_interval_is_of_students_t():
    found = LadderLogZ(1.0, 0.1, 0.9, 0.2, 1.1, 0.2, (0.5,), ("a doubt",))
    assert found.high - found.low == pytest.approx(2 * QUANTILE * 0.1)
    assert not found.sound


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"chains": 20}, "multiple of 16"),
        ({"max_rungs": 2}, "at least 3"),
        ({"target": 0.05}, "`target`"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        ladder(**settings)


def test_what_cannot_climb_is_refused(key):
    base = Gaussian(jnp.zeros(1))
    with pytest.raises(TypeError, match="not exact"):
        Ladder(base, Langevin(0.1), optax.sgd(0.1))
    learner = Ladder(base, mala(0.5), optax.sgd(0.1), chains=16, max_rungs=3)
    far = Gaussian(jnp.full(1, 50.0), 0.1)
    with pytest.raises(ValueError, match="nearer the base"):
        learner.init(far, jnp.zeros((4, 1)), key=key)
