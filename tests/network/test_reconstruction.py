"""The error of an autoencoder as an energy: its closed form for planes, its slope, its growth."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.energy import Neural
from energax.evaluate import pca_residual
from energax.network import ReconstructionError


def linear(shape, axes, mean):
    """One whose hidden layers are so flat that it projects on a plane: silu(t x) / t -> x / 2."""
    dim, latent = axes.shape[1], len(axes)
    net = ReconstructionError(shape, latent, latent, key=jax.random.key(0))
    tiny, eye = 1e-6, jnp.eye(latent)
    parts = (
        (tiny * axes, -tiny * axes @ mean, 2 / tiny * eye, jnp.zeros(latent)),
        (tiny * eye, jnp.zeros(latent), 2 / tiny * axes.T, mean),
    )
    halves = []
    for half, (first, bias, last, shift) in zip((net.encode, net.decode), parts, strict=True):
        where = [(layer, name) for layer in (0, 1) for name in ("weight", "bias")]
        halves.append(
            eqx.tree_at(
                lambda h, where=where: [getattr(h.layers[i], name) for i, name in where],
                half,
                [first, bias, last, shift],
            )
        )
    assert halves[0].layers[0].weight.shape == (latent, dim)
    return eqx.tree_at(lambda n: [n.encode, n.decode], net, halves)


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_without_bends_it_is_the_distance_from_the_principal_plane(shape):
    rng = np.random.default_rng(0)
    train = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 1.0
    rows = rng.normal(size=(5, 6)) * 3
    mean = train.mean(axis=0)
    axes = np.linalg.svd(train - mean, full_matrices=False)[2][:2]
    net = linear(shape, jnp.asarray(axes), jnp.asarray(mean))
    found = jax.vmap(Neural(net, shape))(jnp.asarray(rows.reshape(-1, *shape)))
    right = pca_residual(train, rows, 2) ** 2 / 6
    assert np.allclose(found, right, rtol=1e-4)
    assert not np.allclose(found, 6 * right, rtol=0.1), "a mean, not a sum"


def test_it_is_the_mean_of_what_is_missed_and_grows_with_the_square(key):
    net = ReconstructionError((4, 4), 3, 8, key=key)
    x = jax.random.normal(key, (4, 4))
    assert float(net(x)) == pytest.approx(float(jnp.mean((x - net.reconstruct(x)) ** 2)))
    # Through 3 numbers 13 directions are lost, whatever the weights: along these x is missed whole.
    far = [float(net(scale * x)) for scale in (1e3, 2e3)]
    assert far[1] / far[0] == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("name", ["latent", "width"])
def test_sizes_below_one_are_refused(name, key):
    with pytest.raises(ValueError, match=f"{name}.*at least 1; got"):
        ReconstructionError((3,), **{name: 0}, key=key)
