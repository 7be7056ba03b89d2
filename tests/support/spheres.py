"""What the tests of the sphere share: distributions on it, rows, and quadratures without JAX."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from energax.energy import AbstractDistribution

BIMODAL = np.array([[-0.4907, 0.7621, 0.4224], [0.4253, -0.3558, -0.8321]])
"""Two directions 2.55 rad apart, before they are brought to length 1."""


def unit(count, dim, seed=5):
    """Points uniform on the unit sphere in R^dim."""
    x = np.random.default_rng(seed).normal(size=(count, dim))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


class OneNeuron(AbstractDistribution):
    """E(x) = -b max(<z, x>, 0) on the unit sphere in R^3."""

    direction: Array
    strength: float = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True, default=(3,))

    def __call__(self, x):
        return -self.strength * jnp.maximum(jnp.dot(self.direction.astype(x.dtype), x), 0)

    def mean_mass(self):
        """The mean of exp(-E) over the uniform distribution: (1 + (e^b - 1) / b) / 2."""
        return (1 + math.expm1(self.strength) / self.strength) / 2

    def log_z(self):
        return jnp.asarray(math.log(4 * math.pi * self.mean_mass()))

    def mean_pull(self):
        """E[-E] under the distribution: b d log(mass) / db."""
        b = self.strength
        return b * (math.exp(b) / b - math.expm1(b) / b**2) / 2 / self.mean_mass()

    def sample(self, *, key):
        """Heights <z, x> of uniform points are uniform: this one's are drawn by their inverse."""
        height, turn = jax.random.split(key)
        b, total = self.strength, 2 * self.mean_mass()
        mass = total * jax.random.uniform(height)
        t = jnp.where(mass < 1, mass - 1, jnp.log1p(jnp.maximum(mass - 1, 0) * b) / b)
        noise = jax.random.normal(turn, (3,))
        off = noise - jnp.dot(noise, self.direction) * self.direction
        off = off / jnp.linalg.norm(off)
        return t * self.direction + jnp.sqrt(1 - t**2) * off


def normal_nodes(dim, count):
    """Gauss-Hermite nodes (count^dim, dim) of independent standard normal numbers, and shares."""
    nodes, shares = np.polynomial.hermite_e.hermegauss(count)
    shares = shares / shares.sum()
    every = np.array(list(itertools.product(nodes, repeat=dim)))
    return every, np.array([math.prod(part) for part in itertools.product(shares, repeat=dim)])
