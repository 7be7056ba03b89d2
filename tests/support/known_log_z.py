"""Models whose log Z is known, by family, with a base and rows as a user would have them.

Used by tests/evaluate/test_calibration.py and benchmarks/coverage.py.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import quad
from scipy.special import gammaln

from energax import network
from energax.energy import (
    AbstractDistribution,
    AbstractEnergy,
    Gaussian,
    GaussianMixture,
    Tilt,
    draws,
    fit_mixture,
)

ROWS = 1000


@dataclasses.dataclass(frozen=True)
class Known:
    """A model, its base and rows in float32, and its log Z in nats."""

    family: str
    name: str
    energy: AbstractEnergy
    base: AbstractDistribution
    rows: np.ndarray
    log_z: float


def _fit(rows, components=1):
    return fit_mixture(rows, components, ridge=1e-4, seed=0)


def _single(value):
    return np.asarray(value, np.float32)


def _rotation(dim, rng):
    return np.linalg.qr(rng.normal(size=(dim, dim)))[0]


def _mixture(weights, means, factors):
    return GaussianMixture(_single(np.log(weights)), _single(means), _single(factors))


def _centred(rows):
    """A Gaussian with the mean and the variances of rows, blind to how their axes correlate."""
    factor = np.diag(rows.std(axis=0))[None]
    return _mixture([1.0], rows.mean(axis=0)[None], factor)


def scaled_gaussian(dim, condition, fitted, seed):
    """A rotated Gaussian whose widest axis is `condition` times as wide as its narrowest."""
    rng = np.random.default_rng(seed)
    widths = np.geomspace(1, 1 / condition, dim)
    factor = np.linalg.cholesky((turn := _rotation(dim, rng)) @ np.diag(widths**2) @ turn.T)
    energy = _mixture([1.0], np.zeros((1, dim)), factor[None])
    rows = np.asarray(draws(energy, ROWS, key=jax.random.key(seed)))
    return energy, _fit(rows) if fitted else _centred(rows), rows, 0.0


def two_modes(dim, far, weight, rows_know, seed):
    """N(0, I) and, with `weight`, N(far e, I): the base is the first, rows know both or that."""
    rng = np.random.default_rng(seed)
    way = rng.normal(size=dim)
    means = np.stack([np.zeros(dim), far * way / np.linalg.norm(way)])
    energy = _mixture([1 - weight, weight], means, np.stack([np.eye(dim)] * 2))
    base = Gaussian(jnp.zeros(dim))
    source = energy if rows_know else base
    return energy, base, np.asarray(draws(source, ROWS, key=jax.random.key(seed))), 0.0


class Funnel(AbstractEnergy):
    """v ~ N(0, width^2), and the others ~ N(0, e^v): Neal (2003)."""

    width: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x):
        v, rest = x[0], x[1:]
        return 0.5 * (v / self.width) ** 2 + 0.5 * jnp.sum(rest**2 * jnp.exp(-v) + v)


def funnel(dim, width, components, seed):
    """Neal's funnel."""
    rng = np.random.default_rng(seed)
    v = width * rng.normal(size=(ROWS, 1))
    rows = _single(np.hstack([v, np.exp(v / 2) * rng.normal(size=(ROWS, dim - 1))]))
    log_z = dim / 2 * math.log(2 * math.pi) + math.log(width)
    return Funnel(jnp.float32(width), (dim,)), _fit(rows, components), rows, log_z


class Banana(AbstractEnergy):
    """N(0, I) with its second axis bent along the first: Haario et al. (1999)."""

    bend: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x):
        return 0.5 * jnp.sum(x.at[1].add(self.bend * (x[0] ** 2 - 1)) ** 2)


def banana(dim, bend, components, seed):
    """A bent Gaussian."""
    rows = np.random.default_rng(seed).normal(size=(ROWS, dim))
    rows[:, 1] -= bend * (rows[:, 0] ** 2 - 1)
    rows = _single(rows)
    log_z = dim / 2 * math.log(2 * math.pi)
    return Banana(jnp.float32(bend), (dim,)), _fit(rows, components), rows, log_z


class Wells(AbstractEnergy):
    """depth (x^2 - 1)^2 + tilt x on each axis: 2^dim modes."""

    depth: jax.Array
    tilt: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x):
        return jnp.sum(self.depth * (x**2 - 1) ** 2 + self.tilt * x)


def wells(dim, depth, tilt, seed):
    """A product of double wells, its log Z by quadrature on one axis."""
    axis = np.linspace(-4, 4, 20_001)
    mass = np.exp(-(depth * (axis**2 - 1) ** 2 + tilt * axis))
    below = np.cumsum(mass) / mass.sum()
    rows = np.interp(np.random.default_rng(seed).uniform(size=(ROWS, dim)), below, axis)
    one = quad(lambda x: math.exp(-(depth * (x**2 - 1) ** 2 + tilt * x)), -4, 4, limit=200)[0]
    rows = _single(rows)
    return (
        Wells(jnp.float32(depth), jnp.float32(tilt), (dim,)),
        _fit(rows),
        rows,
        dim * math.log(one),
    )


class StudentT(AbstractEnergy):
    """A multivariate t with `freedom` degrees of freedom."""

    freedom: jax.Array
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x):
        power = (self.freedom + self.shape[0]) / 2
        return power * jnp.log1p(jnp.sum(x**2) / self.freedom)


def student_t(dim, freedom, seed):
    """Heavy tails, on a fitted Gaussian that has none."""
    rng = np.random.default_rng(seed)
    scale = np.sqrt(freedom / rng.chisquare(freedom, size=(ROWS, 1)))
    rows = _single(rng.normal(size=(ROWS, dim)) * scale)
    half = freedom / 2
    log_z = gammaln(half) - gammaln(half + dim / 2) + dim / 2 * math.log(freedom * math.pi)
    return StudentT(jnp.float32(freedom), (dim,)), _fit(rows), rows, float(log_z)


class Projected(eqx.Module):
    """A network of the first two coordinates in other axes."""

    inner: network.MLP
    axes: jax.Array
    scale: jax.Array

    def __call__(self, x):
        return self.scale * self.inner(self.axes @ x)


def permuted_tilt(dim, scale, seed):
    """N(0, I) tilted by a network of two axes, its weights shuffled: log Z by quadrature of two."""
    rng = np.random.default_rng(seed)
    inner = network.MLP((2,), 32, key=jax.random.key(seed))
    arrays, fixed = eqx.partition(inner, eqx.is_inexact_array)
    shuffled = jax.tree.map(
        lambda a: jnp.asarray(3 * rng.permutation(np.ravel(a)).reshape(a.shape)), arrays
    )
    inner = eqx.combine(shuffled, fixed)
    axes = _rotation(dim, rng)[:2]
    base = Gaussian(jnp.zeros(dim))
    grid = np.linspace(-9, 9, 601)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    tilt = scale * np.asarray(jax.jit(jax.vmap(inner))(_single(plane)), np.float64)
    exponent = -tilt - 0.5 * np.sum(plane**2, axis=1) - math.log(2 * math.pi)
    log_z = float(np.logaddexp.reduce(exponent) + 2 * math.log(grid[1] - grid[0]))
    share = np.exp(exponent - np.logaddexp.reduce(exponent))
    seen = plane[rng.choice(len(plane), ROWS, p=share / share.sum())]
    rows = rng.normal(size=(ROWS, dim))
    rows = _single(rows - rows @ axes.T @ axes + seen @ axes)
    energy = Tilt(base, Projected(inner, jnp.asarray(axes, jnp.float32), jnp.float32(scale)))
    return energy, base, rows, log_z


def _grid(**options):
    return [
        dict(zip(options, found, strict=True)) for found in itertools.product(*options.values())
    ]


FAMILIES: dict[str, tuple[Callable, list[dict]]] = {
    "scaled Gaussian": (
        scaled_gaussian,
        _grid(dim=[2, 4, 8, 16, 32, 64], condition=[10, 100], fitted=[True, False]),
    ),
    "missed mode": (
        two_modes,
        _grid(dim=[2, 4, 8, 16, 64], far=[9.0, 30.0], weight=[0.5, 0.1, 0.03], rows_know=[True]),
    ),
    "funnel": (funnel, _grid(dim=[2, 5, 10], width=[1.0, 1.5, 3.0], components=[1, 10])),
    "banana": (banana, _grid(dim=[2, 4, 8, 16], bend=[0.5, 2.0], components=[1, 10])),
    "double wells": (wells, _grid(dim=[2, 4, 8, 16, 32, 64], depth=[1.0, 3.0], tilt=[0.0, 0.3])),
    "Student t": (student_t, _grid(dim=[2, 4, 8, 16, 32], freedom=[3.0, 5.0, 10.0])),
    "permuted tilt": (permuted_tilt, _grid(dim=[2, 4, 8, 16, 64], scale=[0.3, 1.0, 3.0])),
    "spurious mode": (
        two_modes,
        _grid(dim=[2, 8, 32], far=[9.0, 30.0], weight=[0.5], rows_know=[False]),
    ),
}
"""Family -> (maker, options of each model). "spurious mode": no row lies in the far mode."""


def make_models(families=FAMILIES, *, seed=0, **wanted):
    """The models of some families, one at a time, where the options `wanted` are among theirs.

    Another `seed` gives others: rotations, directions, tilts, rows and fitted bases.
    """
    for family in families:
        maker, cases = FAMILIES[family]
        for number, options in enumerate(cases):
            if all(options[name] in values for name, values in wanted.items()):
                name = ", ".join(f"{key} {value:g}" for key, value in options.items())
                own = 10_000 * seed + 1000 * list(FAMILIES).index(family) + number
                yield Known(family, name, *maker(**options, seed=own))
