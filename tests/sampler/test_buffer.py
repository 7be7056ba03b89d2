"""The replay buffer: slots without replacement, written back where they came from, aged by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees

from energax.energy import Gaussian
from energax.sampler import Buffer

SIZE, COUNT, SEEDS, FRESH = 12, 5, 12_000, 0.3
DISTRIBUTION = Gaussian(
    jnp.full((2,), 100.0, jnp.float64), 1.0
)  # fresh draws are easy to tell from old


def old():
    """States and ages that name their slot."""
    index = jnp.arange(SIZE)
    return Buffer(jnp.stack([index, -index], 1).astype(float), 10 + index.astype(jnp.int32))


@functools.cache
def picked(fresh):
    """Slots and what was in them, for many keys."""
    choose = jax.jit(jax.vmap(lambda k: old().draw(DISTRIBUTION, COUNT, fresh, key=k)))
    slots, taken = choose(jax.random.split(jax.random.key(5), SEEDS))
    return np.asarray(slots), np.asarray(taken.x), np.asarray(taken.age)


def test_slots_are_a_uniform_sample_without_replacement():
    slots, _, _ = picked(FRESH)
    assert all(len(set(row)) == COUNT for row in slots)
    used = np.stack([(slots == slot).any(1) for slot in range(SIZE)], 1)
    assert agrees(used, np.full(SIZE, COUNT / SIZE))
    pair = used[:, 0] & used[:, 1]
    assert agrees(pair, COUNT * (COUNT - 1) / SIZE / (SIZE - 1))
    assert not agrees(pair, (COUNT / SIZE) ** 2)  # negative control: with replacement


def test_a_fraction_starts_afresh_at_age_zero_and_the_rest_is_what_was_stored():
    slots, x, age = picked(FRESH)
    fresh = x[..., 0] > 50
    assert agrees(fresh.mean(1), FRESH)
    assert not agrees(fresh.mean(1), 1.05 * FRESH)  # negative control
    assert np.array_equal(age == 0, fresh)
    assert np.array_equal(age[~fresh], 10 + slots[~fresh])
    assert np.array_equal(x[~fresh], np.stack([slots, -slots], -1)[~fresh])
    assert agrees(x[fresh], [100.0, 100.0])
    assert agrees((x[fresh] - 100) ** 2, [1.0, 1.0])


@pytest.mark.parametrize(("fresh", "share"), [(0.0, 0.0), (1.0, 1.0)])
def test_all_or_none_start_afresh(fresh, share):
    assert np.all((picked(fresh)[1][..., 0] > 50) == share)


def test_chains_go_back_to_their_own_slots_and_no_other_slot_is_touched(key):
    before = old()
    slots, taken = before.draw(DISTRIBUTION, COUNT, 0.0, key=key)
    after = before.update(slots, taken.x + 0.5, taken.age)
    used = np.isin(np.arange(SIZE), slots)
    assert used.sum() == COUNT
    assert np.array_equal(after.x, np.where(used[:, None], before.x + 0.5, before.x))
    assert np.array_equal(after.age, np.where(used, before.age + 1, before.age))


def test_a_shuffled_write_is_seen(key):
    """Negative control: the same check refuses chains that come back to each other's slots."""
    before = old()
    slots, taken = before.draw(DISTRIBUTION, COUNT, 0.0, key=key)
    after = before.update(slots[::-1], taken.x + 0.5, taken.age)
    used = np.isin(np.arange(SIZE), slots)
    assert not np.array_equal(after.x, np.where(used[:, None], before.x + 0.5, before.x))


def test_no_key_is_used_twice(key):
    """One key for the slots and for the new states would tie the two together."""
    with jax.debug_key_reuse(True):
        old().draw(DISTRIBUTION, COUNT, FRESH, key=key)
        with pytest.raises(jax.errors.KeyReuseError):
            old().draw(DISTRIBUTION, COUNT, FRESH, key=key)


def test_a_new_buffer_holds_draws_of_the_distribution_at_age_zero(precision, key):
    distribution = Gaussian(jnp.asarray([1.0, -2.0]), 0.5)
    buffer = Buffer.create(distribution, 2000, key=key)
    assert buffer.x.dtype == precision
    assert agrees(buffer.x, [1.0, -2.0])
    assert agrees((buffer.x - distribution.mean[None]) ** 2, [0.25, 0.25])
    assert not np.any(buffer.age)
