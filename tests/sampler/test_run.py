"""`run` and `chains` are plain loops: same chain however it is kept, no memory per step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees

from energax.energy import AbstractDistribution, Gaussian
from energax.sampler import (
    AbstractSampler,
    Buffer,
    Info,
    Langevin,
    State,
    chains,
    nothing,
    path,
    run,
    trace,
)

PLAIN = Gaussian(jnp.zeros(2, jnp.float64))


def test_thin_keeps_every_so_manieth_step_of_the_same_chain(key):
    x = jnp.ones(2)
    last, whole = run(Langevin(0.1), PLAIN, x, 12, key=key)
    thinned_last, thinned = run(Langevin(0.1), PLAIN, x, 12, key=key, thin=4)
    assert whole.shape == (12, 2)
    assert np.array_equal(thinned, whole[3::4])
    assert np.array_equal(thinned_last.x, last.x)
    assert np.array_equal(whole[-1], last.x)


def test_run_is_step_after_step_with_keys_of_its_own(key):
    """The loop against a loop in Python; no two steps share their noise."""
    sampler, x = Langevin(0.1), jnp.ones(2)
    _, rest = jax.random.split(key)
    state, seen = State(x), []
    for index in range(4):
        state, _ = sampler.step(PLAIN, state, key=jax.random.fold_in(rest, index))
        seen.append(state.x)
    _, found = run(sampler, PLAIN, x, 4, key=key)
    assert np.allclose(found, jnp.stack(seen), rtol=1e-12)
    kicks = found - 0.9 * jnp.concatenate([x[None], found[:-1]])
    assert len(np.unique(np.asarray(kicks).round(12))) == kicks.size


def test_what_is_kept_is_what_was_asked(key):
    x = jnp.ones(2)
    assert run(Langevin(0.1), PLAIN, x, 6, key=key, keep=nothing)[1] is None
    seen = run(Langevin(0.1), PLAIN, x, 6, key=key, keep=trace, thin=3)[1]
    assert seen.energy.shape == (2,)
    both = run(Langevin(0.1), PLAIN, x, 6, key=key, keep=lambda s, i: (path(s, i), i.grad_norm))[1]
    assert [part.shape for part in both] == [(6, 2), (6,)]
    still, none = run(Langevin(0.1), PLAIN, x, 0, key=key)
    assert np.array_equal(still.x, x)
    assert none.shape == (0, 2)


def memory(steps, keep, thin):
    """Bytes that the compiled chains need beside what goes in."""

    def walk(x, key):
        return chains(Langevin(0.1), PLAIN, x, steps, key=key, keep=keep, thin=thin)

    wanted = jax.jit(walk).lower(jnp.zeros((8, 2)), jax.random.key(0)).compile()
    size = wanted.memory_analysis()
    return size.temp_size_in_bytes + size.output_size_in_bytes


def test_memory_does_not_grow_with_the_chain():
    short = memory(10, nothing, 1)
    assert memory(10_000, nothing, 1) == short
    assert memory(10_000, trace, 10_000) < 2 * short
    assert memory(10_000, path, 1) > 100 * short  # negative control


def test_chains_are_independent_and_each_is_a_run(key):
    _, x = chains(Langevin(0.1), PLAIN, jnp.ones((3, 2)), 5, key=key)
    _, alone = run(Langevin(0.1), PLAIN, jnp.ones(2), 5, key=jax.random.split(key, 3)[1])
    assert x.shape == (3, 5, 2)
    assert np.allclose(x[1], alone, rtol=1e-12)
    assert not np.any(np.isclose(x[0], x[2]))


@pytest.mark.parametrize(("steps", "thin"), [(5, 2), (-5, 1), (4, 0)])
def test_steps_that_cannot_be_made_are_refused(steps, thin, key):
    words = f"`steps` must be a multiple of `thin` and not negative; got {steps} and {thin}"
    with pytest.raises(ValueError, match=words):
        run(Langevin(0.1), PLAIN, jnp.zeros(2), steps, key=key, thin=thin)


class Flip(AbstractSampler):
    """Metropolis on spins of -1 and 1: turn one of them, accept or reject."""

    def init(self, energy, x, *, key):
        return State(x)

    def step(self, energy, state, *, key):
        choose, coin = jax.random.split(key)
        at = jax.random.randint(choose, (), 0, len(state.x))
        other = state.x.at[at].multiply(-1)
        gap = energy(state.x) - energy(other)
        taken = jnp.log(jax.random.uniform(coin)) < gap
        x = jnp.where(taken, other, state.x)
        return State(x), Info(jnp.exp(jnp.minimum(gap, 0)), energy(x), jnp.zeros_like(gap))


class Coins(AbstractDistribution):
    """Fair spins."""

    shape: tuple[int, ...] = (3,)

    def __call__(self, x):
        return jnp.zeros(())

    def log_z(self):
        return 3 * jnp.log(2.0)

    def sample(self, *, key):
        return jax.random.rademacher(key, self.shape, jnp.int8)


def test_whole_numbers_run_in_chains_and_in_a_buffer(key):
    """Issue 11, defect 7: annotations kept every state but floats out. Means are tanh(h)."""
    field = jnp.asarray([0.5, 0.0, -1.0])

    def energy(x):
        return -jnp.sum(field * x.astype(field.dtype))

    state, kept = chains(Flip(), energy, jnp.ones((400, 3), jnp.int8), 40, key=key)
    assert kept.dtype == jnp.int8
    assert agrees(state.x, np.tanh(field))
    assert not agrees(state.x, np.tanh(-field))  # negative control
    assert run(Flip(), energy, jnp.ones(3, jnp.int8), 2, key=key)[1].shape == (2, 3)
    slots, old = Buffer.create(Coins(), 8, key=key).draw(Coins(), 4, 0.5, key=key)
    moved = chains(Flip(), energy, old.x, 2, key=key)[0].x
    after = Buffer(jnp.ones((8, 3), jnp.int8), jnp.zeros(8, jnp.int32)).update(
        slots, moved, old.age
    )
    assert after.x.dtype == old.x.dtype == jnp.int8
    assert np.array_equal(after.x[slots], moved)
