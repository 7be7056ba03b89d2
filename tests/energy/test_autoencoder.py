"""The energy of a denoising autoencoder: its slope, its loss, and what it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from energax import learner, train
from energax.energy import DenoisingAutoencoder, score
from energax.objective import DenoisingScoreMatching

NOISE = 0.4


def made(shape, key):
    """An autoencoder whose every part is away from 0."""
    first, then = jax.random.split(key)
    plain = DenoisingAutoencoder(shape, 6, NOISE, key=first)
    leaves, form = jax.tree.flatten(plain)
    keys = jax.random.split(then, len(leaves))
    steps = [jax.random.normal(k, a.shape, a.dtype) for a, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(form, [a + 0.3 * z for a, z in zip(leaves, steps, strict=True)])


@pytest.mark.parametrize("shape", [(5,), (1, 4, 4)])
def test_slope_points_from_the_reconstruction(shape, precision, key):
    energy, x = made(shape, key), jax.random.normal(key, shape)
    slope = -score(energy, x)
    assert slope.dtype == precision
    expected = (x - energy.reconstruct(x)) / NOISE**2
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-4)


def losses(shape, noise, key):
    """Denoising score matching of an autoencoder, and its reconstruction error from that noise."""
    energy, rows = made(shape, key), jax.random.normal(key, (8, *shape))
    found = DenoisingScoreMatching(noise)(energy, rows, None, key=key)[0]
    noisy = rows + noise * jax.random.normal(key, rows.shape)
    gap = jax.vmap(energy.reconstruct)(noisy) - rows
    return float(found), float(jnp.sum(gap**2) / (2 * NOISE**4 * len(rows)))


@pytest.mark.parametrize("shape", [(5,), (1, 4, 4)])
def test_denoising_score_matching_is_reconstruction(shape, key):
    found, expected = losses(shape, NOISE, key)
    assert found == pytest.approx(expected)


def test_at_another_noise_it_is_not(key):
    """Negative control."""
    found, expected = losses((5,), 1.3 * NOISE, key)
    assert abs(found / expected - 1) > 0.1


def test_two_clusters_become_two_wells(key):
    """The energy of the clusters lies below that of the point between them."""
    build, begin, draw = jax.random.split(key, 3)
    rows = jnp.where(jnp.arange(512)[:, None] % 2 == 0, 2.0, -2.0) * jnp.ones((512, 2))
    rows = rows + 0.2 * jax.random.normal(draw, rows.shape)
    descent = learner.Descent(DenoisingScoreMatching(NOISE), optax.adam(2e-2))
    energy = DenoisingAutoencoder((2,), 8, NOISE, key=build)
    run = train.start(descent, energy, rows, key=begin, batch_size=128)
    run, _ = next(train.fit(descent, run, rows, batch_size=128, chunk_steps=400))
    model = descent.energy(run.state)
    for side in (2.0, -2.0):
        assert model(jnp.full(2, side)) < model(jnp.zeros(2)) - 1
        assert float(jnp.abs(model.reconstruct(jnp.full(2, side)) - side).max()) < 0.3


@pytest.mark.parametrize(
    ("units", "noise", "words"),
    [(0, 0.1, "`units` must be at least 1; got 0"), (3, 0.0, "`noise` must be above 0; got 0.0")],
)
def test_bad_settings_are_named(units, noise, words):
    with pytest.raises(ValueError, match=words):
        DenoisingAutoencoder((2,), units, noise, key=jax.random.key(0))
