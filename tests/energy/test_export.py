"""Energies take whole numbers where their network does, and run from an exported program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.energy import (
    Bridge,
    Classifier,
    Gaussian,
    Neural,
    NonTrainable,
    Normalised,
    Sum,
    Tempered,
    Tilt,
    find_classifier,
)
from energax.network import MLP, InputTransform


def unmap(x):
    return x.astype(jnp.result_type(float)) / 255


def network(key, **settings):
    return InputTransform(unmap, MLP((4,), 8, key=key, **settings))


ENERGIES = {
    "network": lambda key: network(key),
    "neural": lambda key: Neural(network(key), (4,)),
    "normalised": lambda key: Normalised(Neural(network(key), (4,)), 1.0),
    "sum": lambda key: Sum(*[Neural(network(key), (4,))] * 2),
    "tempered": lambda key: Tempered(Neural(network(key), (4,)), 2.5),
    "bridge": lambda key: Bridge(*[Neural(network(key), (4,))] * 2, 0.3),
    "frozen": lambda key: NonTrainable(Neural(network(key), (4,))),
    "classifier": lambda key: Classifier(network(key, out=3), (4,), 3),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_issue_11_whole_numbers_and_the_same_reals_have_one_energy(name, key):
    """Of a network that maps pixels 0..255 itself."""
    energy, pixels = ENERGIES[name](key), np.array([0, 3, 200, 255])
    found = energy(jnp.asarray(pixels, jnp.uint8))
    assert float(found) == pytest.approx(float(energy(jnp.asarray(pixels, float))), rel=1e-12)
    assert float(found) != float(energy(jnp.asarray(pixels[::-1].copy(), jnp.uint8)))


def test_issue_11_logits_of_whole_numbers(key):
    inside = find_classifier(ENERGIES["classifier"](key))
    assert inside.log_odds(jnp.zeros(4, jnp.uint8)).shape == (3,)


def test_issue_11_an_exported_energy_is_the_energy(key):
    """Written to bytes and read back, one example and batches of any size."""
    energy = Tilt(Gaussian(jnp.zeros(2)), MLP((2,), 8, key=key))
    x = jax.random.normal(key, (5, 2))
    exported = jax.export.export(jax.jit(lambda x: energy(x)))(x[0]).serialize()
    assert float(jax.export.deserialize(exported).call(x[0])) == float(
        jax.jit(energy.__call__)(x[0])
    )
    rows = jax.ShapeDtypeStruct(jax.export.symbolic_shape("rows, 2"), x.dtype)
    several = jax.export.export(jax.jit(jax.vmap(lambda x: energy(x))))(rows).serialize()
    found = jax.export.deserialize(several).call(x)
    assert np.allclose(found, jax.vmap(energy)(x), rtol=1e-12)
