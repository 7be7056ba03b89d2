"""Rows on the sphere from a teacher of two neurons, whose law is known exactly."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.data.base import Dataset
from energax.energy import AbstractLaw

_RADIAL, _ANGULAR = 128, 64
"""Nodes of the quadrature along the radius, and on each arc between two kinks."""

_BLOCK = 1 << 16
"""Proposals at a time where rows are drawn by rejection."""


class TwoNeurons(AbstractLaw):
    """E(x) = -b sum_k max(<z_k, x>, 0) on the unit sphere in R^dim, k = 1, 2, b = `strength`.

    The energy depends on the projection of x to the plane of z_1 and z_2 alone: with x uniform, its
    radius is r = sin s with density (dim - 2) sin s cos(s)^(dim - 3) in s, its angle is uniform. So
    log Z is a sum over a grid in the plane, and draws come by rejection there.

    `directions` (2, dim) are brought to length 1. Raises ValueError for fewer than 3 dimensions or
    parallel directions. Source: the teacher of Domingo-Enrich et al. (2021), section 6 (b = 5).
    """

    directions: Float[Array, " 2 dim"]
    frame: Float[Array, " 2 dim"]
    strength: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, directions: ArrayLike, strength: float = 5.0):
        z = np.asarray(directions, np.float64)
        if z.ndim != 2 or len(z) != 2 or z.shape[1] < 3:
            raise ValueError(f"`directions` must have shape (2, dim), dim >= 3; got {z.shape}.")
        if not (strength > 0 and math.isfinite(strength)):
            raise ValueError(f"`strength` must be above 0 and finite; got {strength}.")
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        if not np.linalg.norm(z[1] - (z[0] @ z[1]) * z[0]) > 1e-6:
            raise ValueError("`directions` must not be parallel.")
        self.directions = jnp.asarray(z)
        self.frame = jnp.asarray(_frame(z))
        self.strength = jnp.asarray(strength, self.directions.dtype)
        self.shape = (z.shape[1],)

    @property
    def angle(self) -> float:
        """Between the two directions, in radians."""
        return math.acos(float(np.clip(self.directions[0] @ self.directions[1], -1, 1)))

    def __call__(self, x: Float[Array, " dim"]) -> Float[Array, ""]:
        pull = jax.nn.relu(self.directions.astype(x.dtype) @ x)
        return -self.strength.astype(x.dtype) * jnp.sum(pull)

    def log_z(self) -> Float[Array, ""]:
        half = self.shape[0] / 2
        log_area = math.log(2) + half * math.log(math.pi) - math.lgamma(half)
        return jnp.asarray(log_area + self._log_mean(), self.strength.dtype)

    def _log_mean(self) -> float:
        """log of the mean of exp(-E) over the uniform law, by Gauss-Legendre nodes."""
        dim, angle = self.shape[0], self.angle
        nodes, shares = np.polynomial.legendre.leggauss(_RADIAL)
        s = math.pi / 4 * (nodes + 1)
        log_radial = np.log(math.pi / 4 * shares * (dim - 2) * np.sin(s) * np.cos(s) ** (dim - 3))
        # The sum of ramps has kinks where a direction turns its back: no arc may hold one.
        kinks = np.sort(
            [(edge + turn) % (2 * math.pi) for edge in (0, angle) for turn in _QUARTERS]
        )
        ends = np.append(kinks, kinks[0] + 2 * math.pi)
        nodes, shares = np.polynomial.legendre.leggauss(_ANGULAR)
        width = np.diff(ends) / 2
        t = (width[:, None] * (nodes + 1)[None] + ends[:-1, None]).ravel()
        log_angular = np.log((width[:, None] * shares[None]).ravel() / (2 * math.pi))
        pull = _ramps(t, angle)
        log_mass = float(self.strength) * np.sin(s)[:, None] * pull[None]
        return float(np.logaddexp.reduce((log_mass + log_radial[:, None] + log_angular).ravel()))

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, " dim"]:
        dtype, dim = self.directions.dtype, self.shape[0]
        plane, rest = jax.random.split(key)
        best = self._best()

        def proposed(key: PRNGKeyArray) -> tuple[Array, Array]:
            turn, out, coin = jax.random.uniform(key, (3,), dtype)
            r = jnp.sqrt(1 - out ** (2 / (dim - 2)))
            angle = 2 * math.pi * turn
            point = r * jnp.stack([jnp.cos(angle), jnp.sin(angle)])
            return point, jnp.log(coin) < -self(point @ self.frame) - best

        def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            tries = carry[0] + 1
            return tries, *proposed(jax.random.fold_in(plane, tries))

        first = jnp.zeros((), jnp.int32)
        carry = (first, *proposed(jax.random.fold_in(plane, first)))
        point = jax.lax.while_loop(lambda carry: ~carry[2], again, carry)[1]
        noise = jax.random.normal(rest, self.shape, dtype)
        off = noise - (self.frame @ noise) @ self.frame
        # Rounding takes a point in the plane beyond length 1; and where noise nearly lies in the
        # plane, rounding of the frame is not small beside `off`.
        height = jnp.sqrt(jnp.maximum(1 - jnp.sum(point**2), 0))
        x = point @ self.frame + height * off / jnp.linalg.norm(off)
        return x / jnp.linalg.norm(x)

    def _best(self) -> float:
        """The largest -E on the sphere."""
        together = math.sqrt(max(2 + 2 * math.cos(self.angle), 0))
        return float(self.strength) * max(1.0, together)


def _frame(directions: np.ndarray) -> np.ndarray:
    """Two orthonormal rows that span the plane of the directions, the first along the first."""
    first = directions[0] / np.linalg.norm(directions[0])
    across = directions[1] - (first @ directions[1]) * first
    return np.stack([first, across / np.linalg.norm(across)])


_QUARTERS = (math.pi / 2, -math.pi / 2)


def _ramps(turn: np.ndarray, angle: float) -> np.ndarray:
    """sum_k max(cos(turn - angle_k), 0), the first direction at angle 0."""
    return np.maximum(np.cos(turn), 0) + np.maximum(np.cos(turn - angle), 0)


def two_neurons(
    law: TwoNeurons, *, train: int = 10_000, test: int = 10_000, seed: int = 0
) -> Dataset:
    """Rows of a `TwoNeurons` law, by rejection in NumPy: the same on every backend."""
    rng, count, dim = np.random.default_rng(seed), train + test, law.shape[0]
    angle, best, strength = law.angle, law._best(), float(law.strength)
    taken: list[np.ndarray] = []
    while sum(map(len, taken)) < count:
        turn = rng.uniform(0, 2 * math.pi, _BLOCK)
        r = np.sqrt(1 - rng.random(_BLOCK) ** (2 / (dim - 2)))
        keep = np.log(rng.random(_BLOCK)) < strength * r * _ramps(turn, angle) - best
        taken.append(np.stack([r * np.cos(turn), r * np.sin(turn)], axis=1)[keep])
    plane = np.concatenate(taken)[:count]
    # Anew in double precision: rounded to single, it leaves rare rows 1e-4 off the sphere.
    frame = _frame(np.asarray(law.directions, np.float64))
    noise = rng.standard_normal((count, dim))
    off = noise - (noise @ frame.T) @ frame
    height = np.sqrt(np.maximum(1 - np.sum(plane**2, axis=1), 0))
    off *= height[:, None] / np.linalg.norm(off, axis=1)[:, None]
    rows = (plane @ frame + off).astype(np.float32)
    return Dataset(f"two-neurons-{dim}d", rows[:train], rows[train:], law=law)
