"""The best weights by validation rows are kept, and training itself goes on as without."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from energax import train
from energax.energy import AbstractEnergy
from energax.errors import Diverged
from energax.learner import AbstractLearner, Descent, KeepBest
from energax.objective import ImplicitScoreMatching

LOSS = ImplicitScoreMatching()
ROWS, VALID = jnp.full((8, 1), 3.0), jnp.full((4, 1), 1.5)


class Bowl(AbstractEnergy):
    """|x - mean|^2 / 2."""

    mean: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True, default=(1,))

    def __call__(self, x):
        return jnp.sum((x - self.mean) ** 2) / 2


def trained(every, updates=40):
    """From mean 0 training walks to 3; rows at 1.5 like it best halfway."""
    inner = Descent(LOSS, optax.sgd(0.05))
    learner = KeepBest(inner, LOSS, VALID, every)
    start = Bowl(jnp.zeros(1))
    run = train.start(learner, start, ROWS, key=jax.random.key(0), batch_size=None)
    fitting = train.fit(learner, run, ROWS, batch_size=None, chunk_steps=updates)
    run, metrics = next(fitting)
    return learner, run, metrics


def test_the_best_look_is_kept():
    learner, run, metrics = trained(every=2)
    looks = metrics["validation"]
    kept = learner.energy(run.state)
    assert float(run.state.best) == pytest.approx(looks.min())
    assert float(LOSS(kept, VALID, None, key=jax.random.key(1))[0]) == pytest.approx(looks.min())
    assert looks[-1] > looks.min() + 0.1  # negative control: the last weights are worse
    assert abs(float(run.state.energy.mean[0]) - 3) < abs(float(kept.mean[0]) - 3)


def test_training_goes_on_as_without_it():
    learner, run, _ = trained(every=3)
    inner = learner.learner
    plain = train.start(inner, Bowl(jnp.zeros(1)), ROWS, key=jax.random.key(0), batch_size=None)
    plain, _ = next(train.fit(inner, plain, ROWS, batch_size=None, chunk_steps=40))
    assert np.array_equal(run.state.energy.mean, plain.state.energy.mean)


class Ending(AbstractLearner):
    """Descent that comes to an end after 20 updates, and says so."""

    inner: Descent

    def init(self, players, rows, *, key):
        return self.inner.init(players, rows, key=key)

    def step(self, state, batch, *, key):
        return self.inner.step(state, batch, key=key)

    def energy(self, state):
        return self.inner.energy(state)

    def check(self, state):
        if int(state.updates) > 20:
            raise Diverged("It came to its end.")


def test_a_learner_that_comes_to_an_end_stops_training():
    """The loop asks after each chunk, also where the learner is inside another one."""
    learner = KeepBest(Ending(Descent(LOSS, optax.sgd(0.05))), LOSS, VALID, 5)
    run = train.start(learner, Bowl(jnp.zeros(1)), ROWS, key=jax.random.key(0), batch_size=None)
    fitting = train.fit(learner, run, ROWS, batch_size=None, chunk_steps=20)
    assert int(next(fitting)[0].step) == 20  # negative control: not before
    with pytest.raises(Diverged, match="It came to its end"):
        next(fitting)


def test_a_look_at_every_update_is_not_a_look_at_none():
    """Between two looks the last value stands."""
    looks = trained(every=5)[2]["validation"]
    assert len(np.unique(looks[4:39])) == 7
    with pytest.raises(ValueError, match="`every` must be at least 1"):
        trained(every=0)
    with pytest.raises(ValueError, match="`patience` must be at least 1"):
        KeepBest(Descent(LOSS, optax.sgd(0.05)), LOSS, VALID, 5, 0)


def test_the_start_is_kept_until_a_look_beats_it_beyond_doubt():
    """Validation rows at 0 on average: a step towards them is a gain, but no sure one."""
    scattered = jnp.linspace(-3.0, 3.2, 40)[:, None]
    for rows, sure in ((scattered, False), (scattered / 100 + 0.1, True)):
        learner = KeepBest(Descent(LOSS, optax.sgd(0.01)), LOSS, rows, 1)
        run = train.start(
            learner, Bowl(jnp.zeros(1)), ROWS / 30, key=jax.random.key(0), batch_size=None
        )
        run, metrics = next(train.fit(learner, run, ROWS / 30, batch_size=None, chunk_steps=10))
        assert metrics["validation"][-1] < float(jnp.mean(run.state.start))
        assert bool(metrics["kept"][-1] > 0) is sure
        assert bool(learner.energy(run.state).mean[0] == 0) is not sure


def stopped(patience):
    """Training in chunks of ten updates that ends by itself, and how many chunks it took."""
    learner = KeepBest(Descent(LOSS, optax.sgd(0.05)), LOSS, VALID, 2, patience)
    start = train.start(learner, Bowl(jnp.zeros(1)), ROWS, key=jax.random.key(0), batch_size=None)
    options = {"batch_size": None, "chunk_steps": 10}
    steps = []
    for run, _ in train.fit_until(learner, start, ROWS, 100, **options):
        steps.append(int(run.step))
    assert not list(train.fit_until(learner, run, ROWS, 100, **options)), "nothing is left to do"
    return run, len(steps)


def test_training_ends_when_looks_are_no_longer_better():
    """The mean passes 1.5 at update 13 or 14: four looks later, training ends with its chunk."""
    run, chunks = stopped(4)
    best = int(run.state.kept)
    assert best in (12, 14)
    assert int(run.step) == 10 * chunks == 30
    patient, _ = stopped(None)  # negative control
    assert int(patient.step) == 100
    assert int(patient.state.kept) == best
