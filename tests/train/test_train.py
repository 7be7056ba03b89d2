"""The loop compiles once, follows from key and step alone, and stops at the first bad number."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees
from cases import Bowl
from training import ROWS, chunks, create, learner, same

from energax.energy import Gaussian, Tilt
from energax.errors import Diverged
from energax.learner import AbstractLearner, Descent
from energax.network import MLP
from energax.objective import (
    DenoisingScoreMatching,
)
from energax.train import Run, fit, start

TRACES = []


class Counted(Bowl):
    """A bowl that notes each time it is traced."""

    def __call__(self, x):
        TRACES.append(x.dtype)
        return jnp.sum(jnp.exp(self.log_precision) * (x - self.mean) ** 2) / 2


@pytest.mark.parametrize("name", ["dsm", "pcd"])
def test_nothing_is_traced_again_after_the_first_chunk(name, key):
    made = learner.__wrapped__(name)
    run = create(made, key, Counted(jnp.zeros(2), jnp.ones(2)))
    TRACES.clear()
    run, _ = chunks(made, run, 1)
    first = len(TRACES)
    assert first > 0
    chunks(made, run, 3)
    assert len(TRACES) == first


def test_a_program_that_is_traced_again_is_seen(key):
    """Negative control: a new optimiser is a new program."""
    for _ in range(2):
        TRACES.clear()
        made = learner.__wrapped__("dsm")
        chunks(made, create(made, key, Counted(jnp.zeros(2), jnp.ones(2))), 1)
        assert len(TRACES) > 0


def test_metrics_are_one_number_per_update_and_steps_are_counted(key):
    run, metrics = chunks(learner("pcd"), create(learner("pcd"), key), 2)
    assert int(run.step) == 10
    assert {"loss", "energy_data", "energy_chain", "grad_norm", "age"} <= set(metrics)
    assert {values.shape for values in metrics.values()} == {(10,)}


class Scripted(AbstractLearner):
    """A learner whose metrics are read from a table: `numbers[name][update]`."""

    numbers: dict

    def init(self, players, rows, *, key):
        return jnp.zeros((), jnp.int32)

    def step(self, state, batch, *, key):
        return state + 1, {name: jnp.asarray(row)[state] for name, row in self.numbers.items()}

    def energy(self, state):
        return jnp.sum


def diary(**rows):
    """A learner with 10 quiet updates, changed where `rows` says: name -> {update: value}."""
    table = {name: np.ones(10) for name in ("loss", "energy_data", "grad_norm")}
    for name, changes in rows.items():
        for at, value in changes.items():
            table[name][at] = value
    return Scripted({name: jnp.asarray(row) for name, row in table.items()})


NAN, INF = float("nan"), float("inf")
DIVERGENCES = {  # what happens (updates from 0) -> what is said (updates from 1), chunks before it
    "nan": (diary(grad_norm={7: NAN}), "grad_norm became nan at update 8", 1),
    "infinite": (diary(loss={3: -INF}), "loss became -inf at update 4", 0),
    "exploding": (diary(energy_data={6: -2e4}), r"energy_data exploded to -2e\+04 at update 7", 1),
    "first in time": (diary(loss={4: NAN}, grad_norm={2: INF}), "grad_norm became inf at up", 0),
    "first in order": (
        diary(energy_data={8: NAN}, grad_norm={8: NAN}, loss={9: NAN}),
        "energy_data became nan at update 9",
        1,
    ),
    "bad from the start": (diary(loss={0: NAN}), "loss became nan at update 1", 0),
}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergence_names_what_failed_first_and_when(name, key):
    made, words, before = DIVERGENCES[name]
    runs = fit(made, create(made, key), ROWS, batch_size=16, chunk_steps=5)
    for index in range(before):
        assert int(next(runs)[0].step) == 5 * (index + 1)
    with pytest.raises(Diverged, match=words):
        next(runs)


def test_a_large_metric_that_was_large_from_the_start_is_no_divergence(key):
    made = Scripted({"loss": jnp.asarray([3e4, -4e4, 2e5, 5e4, 1e4])})
    _, metrics = chunks(made, create(made, key), 1)
    assert metrics["loss"][2] == 2e5
    with pytest.raises(Diverged, match="loss exploded"):  # negative control
        chunks(made, create(made, key), 1, limit=2.0)


def test_weights_that_leap_at_the_first_update_are_named_before_what_follows(key):
    """They are judged by the state before it: 0 here, so that a norm may reach 1e4."""
    script = {"encoder_weight_norm": jnp.full(5, 2e4), "energy_chain": jnp.full(5, NAN)}
    with pytest.raises(Diverged, match=r"encoder_weight_norm exploded to 2e\+04 at update 1"):
        chunks(Scripted(script), create(Scripted(script), key), 1)
    small = script | {"encoder_weight_norm": jnp.full(5, 9e3)}
    with pytest.raises(Diverged, match="energy_chain became nan at update 1"):  # control
        chunks(Scripted(small), create(Scripted(small), key), 1)


def test_a_learning_rate_of_ten_diverges(key):
    energy = Tilt(Gaussian(jnp.zeros(2), 2.0), MLP((2,), 8, 1, key=key))
    made = Descent(learner("pcd").objective, optax.adam(10.0))
    with pytest.raises(Diverged, match=r"(exploded to|became) .* at update"):
        chunks(made, create(made, key, energy), 20)


def test_chunks_of_any_length_make_the_same_run(key):
    """Batch and noise are functions of (key, step) alone."""
    made = learner("dsm")
    one, first = chunks(made, create(made, key), 4)
    other, second = chunks(made, create(made, key), 2, chunk_steps=10)
    assert all(np.allclose(first[name], second[name], rtol=1e-9) for name in first)
    for a, b in zip(*(jax.tree.leaves(run.state.energy) for run in (one, other)), strict=True):
        assert np.allclose(a, b, rtol=1e-9)


def test_another_key_is_another_run(key):
    made = learner("dsm")
    one, _ = chunks(made, create(made, key), 1)
    again, _ = chunks(made, create(made, key), 1)
    other, _ = chunks(made, create(made, jax.random.key(1)), 1)
    assert same(one, again)
    assert not same(one, other)


class Watching(AbstractLearner):
    """A learner that only reports which rows it was given."""

    def init(self, players, rows, *, key):
        return jnp.zeros(())

    def step(self, state, batch, *, key):
        return state, {"row": batch[0, 0], "repeated": (batch[0, 0] == batch[1, 0]).astype(float)}

    def energy(self, state):
        return jnp.sum


def test_each_row_is_equally_likely_and_no_batch_repeats_the_last(key):
    rows, made = np.arange(8.0)[:, None], Watching()
    run = start(made, jnp.zeros(1), rows, key=key, batch_size=2)
    _, metrics = next(fit(made, run, rows, batch_size=2, chunk_steps=4000))
    assert agrees(metrics["row"][:, None] == np.arange(8), np.full(8, 1 / 8))
    assert agrees(metrics["row"][1:] == metrics["row"][:-1], 1 / 8)
    assert agrees(metrics["repeated"], 1 / 8)  # with replacement, as documented


def test_without_a_batch_size_each_update_sees_all_rows_in_their_order(key):
    rows = np.arange(8.0)[:, None]

    class Ordered(AbstractLearner):
        """Reports whether the batch is the rows."""

        def init(self, players, rows, *, key):
            return jnp.zeros(())

        def step(self, state, batch, *, key):
            whole = batch.shape == rows.shape and jnp.all(batch == rows)
            return state, {"whole": jnp.asarray(whole, float)}

        def energy(self, state):
            return jnp.sum

    def share(size):
        run = start(Ordered(), jnp.zeros(1), rows, key=key, batch_size=size)
        _, metrics = next(fit(Ordered(), run, rows, batch_size=size, chunk_steps=50))
        return metrics["whole"].mean()

    assert share(None) == 1
    assert share(8) == 0, "with replacement"


def test_the_callers_energy_and_rows_outlive_the_run(key):
    energy, rows, made = Bowl(jnp.zeros(2), jnp.ones(2)), jnp.asarray(ROWS), learner("dsm")
    run = start(made, energy, rows, key=key, batch_size=16)
    for _ in itertools.islice(fit(made, run, rows, batch_size=16, chunk_steps=5), 2):
        pass
    assert np.array_equal(energy.mean, np.zeros(2))
    assert np.array_equal(rows, ROWS)
    assert isinstance(run, Run)


def test_training_by_the_loop_finds_the_gaussian_of_its_rows(key):
    """The whole path, by a method whose minimiser is known: variance of the rows plus noise^2."""
    schedule = optax.cosine_decay_schedule(0.05, 400)
    made = Descent(DenoisingScoreMatching(0.3), optax.adam(schedule))
    run, _ = chunks(made, create(made, key), 4, chunk_steps=100, batch_size=64)
    variance = np.exp(-np.asarray(run.state.energy.log_precision))
    assert np.allclose(run.state.energy.mean, ROWS.mean(0), atol=0.15)
    assert np.allclose(variance, ROWS.var(0) + 0.09, rtol=0.15)
    assert not np.allclose(variance, ROWS.var(0), rtol=0.15)
