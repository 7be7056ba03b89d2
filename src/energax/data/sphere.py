"""A distribution of two neurons on the sphere, known exactly: the teacher of dual training."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.data.base import Dataset
from energax.energy import AbstractDistribution, UniformSphere

_RADIAL, _ANGULAR = 128, 64
"""Nodes of the quadrature along the radius, and on each arc between two kinks."""

_BLOCK = 1 << 16
"""Proposals at a time where rows are drawn by rejection."""


class TwoNeurons(AbstractDistribution):
    """Two neurons on the unit sphere: E(x) = -b sum_k max(<z_k, x>, 0), k = 1, 2.

    The energy depends on the projection of x to the plane of z_1 and z_2 alone. For uniform x the
    projection has a uniform angle and the radius r = sin s, with density
    (dim - 2) sin s cos(s)^(dim - 3) in s. So log Z is a quadrature in the plane, and draws come by
    rejection there.

    Args:
        directions: z_k, (2, dim), scaled to length 1.
        strength: b, above 0.

    Raises:
        ValueError: for fewer than 3 dimensions, parallel directions, or another `strength`.

    Source: the teacher of Domingo-Enrich et al. (2021), section 6, where b = 5.

    Example:
        >>> teacher = ex.data.TwoNeurons(np.eye(3)[:2], strength=5.0)
        >>> round(teacher.angle, 4), teacher.sample(key=key).shape
        (1.5708, (3,))
    """

    directions: Float[Array, " 2 dim"]
    frame: Float[Array, " 2 dim"]
    strength: Float[Array, ""]
    log_mean: Float[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, directions: ArrayLike, strength: float = 5.0):
        z = np.asarray(directions, np.float64)
        if z.ndim != 2 or len(z) != 2 or z.shape[1] < 3:
            raise ValueError(f"`directions` must have shape (2, dim), dim >= 3; got {z.shape}.")
        if not (strength > 0 and math.isfinite(strength)):
            raise ValueError(f"`strength` must be above 0 and finite; got {strength}.")
        lengths = np.linalg.norm(z, axis=1, keepdims=True)
        if not (np.all(lengths > 0) and np.all(np.isfinite(lengths))):
            raise ValueError(
                f"`directions` must be finite and not 0; got lengths {lengths.ravel().tolist()}."
            )
        z = z / lengths
        if not np.linalg.norm(z[1] - (z[0] @ z[1]) * z[0]) > 1e-6:
            raise ValueError("`directions` must not be parallel.")
        self.directions = jnp.asarray(z)
        self.frame = jnp.asarray(_frame(z))
        self.strength = jnp.asarray(strength, self.directions.dtype)
        # At birth, in NumPy: under compilation the directions have no values.
        log_mean = _log_mean(z.shape[1], _angle(z), strength)
        self.log_mean = jnp.asarray(log_mean, self.directions.dtype)
        self.shape = (z.shape[1],)

    @property
    def angle(self) -> float:
        """The angle between the two directions, in radians."""
        return _angle(np.asarray(self.directions, np.float64))

    def __call__(self, x: Float[Array, " dim"]) -> Float[Array, ""]:
        pull = jax.nn.relu(self.directions.astype(x.dtype) @ x)
        return -self.strength.astype(x.dtype) * jnp.sum(pull)

    def log_z(self) -> Float[Array, ""]:
        return UniformSphere(self.shape).log_z().astype(self.log_mean.dtype) + self.log_mean

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, " dim"]:
        dtype, dim = self.directions.dtype, self.shape[0]
        plane, rest = jax.random.split(key)
        best = self._best()

        def propose(key: PRNGKeyArray) -> tuple[Array, Array, Array]:
            turn, share, coin = jax.random.uniform(key, (3,), dtype)
            out = share ** (1 / (dim - 2))
            angle = 2 * math.pi * turn
            point = jnp.sqrt(1 - out**2) * jnp.stack([jnp.cos(angle), jnp.sin(angle)])
            return point, out, jnp.log(coin) < -self(point @ self.frame) - best

        def again(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
            tries = carry[0] + 1
            return tries, *propose(jax.random.fold_in(plane, tries))

        first = jnp.zeros((), jnp.int32)
        carry = (first, *propose(jax.random.fold_in(plane, first)))
        _, point, out, _ = jax.lax.while_loop(lambda carry: ~carry[3], again, carry)
        noise = jax.random.normal(rest, self.shape, dtype)
        off = noise - (self.frame @ noise) @ self.frame
        # Little may be left off the plane: brought to length 1, it is freed of rounding again.
        off = off / jnp.linalg.norm(off)
        off = off - (self.frame @ off) @ self.frame
        return point @ self.frame + out * off / jnp.linalg.norm(off)

    def _best(self) -> Float[Array, ""]:
        """The largest -E on the sphere."""
        together = jnp.linalg.norm(jnp.sum(self.directions, axis=0))
        return self.strength * jnp.maximum(together, 1)


def _angle(z: np.ndarray) -> float:
    """Between two directions of length 1, in radians, to full precision near 0 and pi too."""
    return 2 * math.atan2(np.linalg.norm(z[0] - z[1]), np.linalg.norm(z[0] + z[1]))


def _frame(z: np.ndarray) -> np.ndarray:
    """Two rows of length 1, at right angles, that span the plane of the directions."""
    across = z[1] - (z[0] @ z[1]) / (z[0] @ z[0]) * z[0]
    return np.stack([part / np.linalg.norm(part) for part in (z[0], across)])


_QUARTERS = (math.pi / 2, -math.pi / 2)


def _log_mean(dim: int, angle: float, strength: float) -> float:
    """log of the mean of exp(-E) over the uniform distribution, by Gauss-Legendre nodes."""
    nodes, shares = np.polynomial.legendre.leggauss(_RADIAL)
    s = math.pi / 4 * (nodes + 1)
    log_radial = np.log(math.pi / 4 * shares * (dim - 2) * np.sin(s) * np.cos(s) ** (dim - 3))
    # The sum of ramps has kinks where a direction turns its back: no arc may hold one.
    kinks = np.sort([(edge + turn) % (2 * math.pi) for edge in (0, angle) for turn in _QUARTERS])
    ends = np.append(kinks, kinks[0] + 2 * math.pi)
    nodes, shares = np.polynomial.legendre.leggauss(_ANGULAR)
    width = np.diff(ends) / 2
    t = (width[:, None] * (nodes + 1)[None] + ends[:-1, None]).ravel()
    log_angular = np.log((width[:, None] * shares[None]).ravel() / (2 * math.pi))
    log_mass = strength * np.sin(s)[:, None] * _ramps(t, angle)[None]
    return float(np.logaddexp.reduce((log_mass + log_radial[:, None] + log_angular).ravel()))


def _ramps(turn: np.ndarray, angle: float) -> np.ndarray:
    """sum_k max(cos(turn - angle_k), 0), the first direction at angle 0."""
    return np.maximum(np.cos(turn), 0) + np.maximum(np.cos(turn - angle), 0)


def two_neurons(
    distribution: TwoNeurons, *, train: int = 10_000, test: int = 10_000, seed: int = 0
) -> Dataset:
    """Rows of a `TwoNeurons` distribution, by rejection in NumPy: the same on every backend.

    Example:
        >>> rows = ex.data.two_neurons(ex.data.TwoNeurons(np.eye(3)[:2]), train=8, test=4)
        >>> rows.train.shape, rows.name
        ((8, 3), 'two-neurons-3d')
    """
    rng, count, dim = np.random.default_rng(seed), train + test, distribution.shape[0]
    angle, best, strength = (
        distribution.angle,
        float(distribution._best()),
        float(distribution.strength),
    )
    taken: list[np.ndarray] = []
    while sum(map(len, taken)) < count:
        turn = rng.uniform(0, 2 * math.pi, _BLOCK)
        r = np.sqrt(1 - rng.random(_BLOCK) ** (2 / (dim - 2)))
        keep = np.log(rng.random(_BLOCK)) < strength * r * _ramps(turn, angle) - best
        taken.append(np.stack([r * np.cos(turn), r * np.sin(turn)], axis=1)[keep])
    plane = np.concatenate(taken)[:count]
    frame = _frame(np.asarray(distribution.directions, np.float64))
    noise = rng.standard_normal((count, dim))
    off = noise - (noise @ frame.T) @ frame
    off *= np.sqrt(1 - np.sum(plane**2, axis=1))[:, None] / np.linalg.norm(off, axis=1)[:, None]
    rows = (plane @ frame + off).astype(np.float32)
    return Dataset(f"two-neurons-{dim}d", rows[:train], rows[train:], distribution=distribution)
