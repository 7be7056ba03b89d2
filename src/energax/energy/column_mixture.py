"""A mixture of independent columns: numbers are Gaussian, categories and holes have tables."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp
from jax.scipy.stats import norm
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray
from scipy.special import ndtri

from energax.energy.base import AbstractDistribution, Energy
from energax.space import Columns

Column = Int[ArrayLike, ""]


class Proposals(NamedTuple):
    """Cells that could stand in a column of a row.

    `cells`: (some,), NaN for a hole. `log_weight`: -log of the density that they were drawn from,
    0 where all states of a category are listed, minus infinity for places that are not used.
    `present`: the place of the cell that stands there.

    Example:
        >>> found = ex.energy.Proposals(jnp.arange(2.0), jnp.zeros(2), jnp.array(0))
        >>> found.rank(lambda x: 3 * jnp.sum(x), jnp.ones(2), 1).tolist()
        [-3.0, -6.0]
    """

    cells: Float[Array, " some"]
    log_weight: Float[Array, " some"]
    present: Int[Array, ""]

    def rank(
        self, energy: Energy, x: Float[Array, " columns"], column: Column
    ) -> Float[Array, " some"]:
        """-E of the row with each cell in the column, less the log-density of the proposal.

        A softmax of it has the conditional of a category, and ranks the cells of a number.
        """
        rows = jnp.tile(x, (len(self.cells), 1)).at[:, column].set(self.cells)
        return self.log_weight - jax.vmap(energy)(rows)


class ColumnMixture(AbstractDistribution):
    """A mixture of independent columns: E(x) = -log sum_k weight_k prod_j p_kj(x_j), normalised.

    p_kj is a table for a category; for a number it is missing with some probability, else a mixture
    of Gaussians. Draws, density, and that of any cells given any others are exact; log Z = 0.

    Args:
        log_weights: (components,), need not be normalised.
        logits: (components, columns, states): log-probabilities of states up to a constant; what
            they hold for states that a column has not is not read.
        shares, means, stds: (components, columns, bumps), of the Gaussians of numbers: log-weights
            up to a constant, means and standard deviations; not read elsewhere.
        space: of a row.

    Raises:
        ValueError: where shapes do not match.

    Example:
        >>> where, flat = ex.space.Columns((0, 2), (False, False)), jnp.zeros((1, 2, 2))
        >>> base = ex.energy.ColumnMixture(jnp.zeros(1), flat, flat, flat, flat + 1, where)
        >>> round(float(base(jnp.array([0.0, 1.0]))), 4)  # log(2 pi) / 2 + log 2
        1.6121
    """

    log_weights: Float[Array, " components"]
    logits: Float[Array, " components columns states"]
    shares: Float[Array, " components columns bumps"]
    means: Float[Array, " components columns bumps"]
    stds: Float[Array, " components columns bumps"]
    shape: tuple[int, ...] = eqx.field(static=True)
    _space: Columns = eqx.field(static=True)

    def __init__(
        self,
        log_weights: ArrayLike,
        logits: ArrayLike,
        shares: ArrayLike,
        means: ArrayLike,
        stds: ArrayLike,
        space: Columns,
    ):
        self.log_weights, self.logits = jnp.asarray(log_weights), jnp.asarray(logits)
        self.shares, self.means, self.stds = map(jnp.asarray, (shares, means, stds))
        self._space, self.shape, count = space, space.shape, len(self.log_weights)
        shapes = {"logits": (count, *space.states.shape)}
        shapes |= dict.fromkeys(("means", "stds"), self.shares.shape)
        shapes["shares"] = (count, len(space.values), self.shares.shape[-1])
        for name, shape in shapes.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"`{name}` must have shape {shape} for {space}; got {found}.")

    @property
    def space(self) -> Columns:
        return self._space

    @property
    def components(self) -> int:
        """How many components there are."""
        return len(self.log_weights)

    @property
    def log_states(self) -> Float[Array, " components columns states"]:
        """log-probabilities of the states of each column."""
        return jax.nn.log_softmax(jnp.where(self._space.states[None], self.logits, -jnp.inf))

    @property
    def log_shares(self) -> Float[Array, " components columns bumps"]:
        """log-weights of the Gaussians of each number."""
        return jax.nn.log_softmax(self.shares)

    def log_cells(self, cells: Float[Array, " some"], column: Column) -> Float[Array, " k some"]:
        """log p_kj of cells that could stand in one column j."""
        states = self._space.find_states(cells, column)
        parts = (part[:, column, None] for part in (self.log_shares, self.means, self.stds))
        table = self.log_states[:, column][:, states]
        real = jnp.asarray(self._space.is_number)[column] & ~jnp.isnan(cells)
        return table + jnp.where(real[None], _log_bumps(cells, *parts), 0)

    def log_parts(self, x: Float[Array, " columns"]) -> Float[Array, " k columns"]:
        """log p_kj(x_j) of each component and column of a row."""
        states = self._space.find_states(x, np.arange(len(x)))
        table = jnp.take_along_axis(self.log_states, states[None, :, None], axis=2)[..., 0]
        real = self._space.is_number & ~jnp.isnan(x)
        bumps = _log_bumps(x, self.log_shares, self.means, self.stds)
        return table + jnp.where(real[None], bumps, 0)

    def __call__(self, x: Float[Array, " columns"]) -> Float[Array, ""]:
        return -logsumexp(jax.nn.log_softmax(self.log_weights) + jnp.sum(self.log_parts(x), axis=1))

    def log_z(self) -> Float[Array, ""]:
        return jnp.zeros((), self.logits.dtype)

    def given(
        self, x: Float[Array, " columns"], hidden: Bool[Array, " columns"]
    ) -> Float[Array, " k"]:
        """log-probability of each component given the cells that are not hidden."""
        known = jnp.where(hidden[None], 0, self.log_parts(x))
        return jax.nn.log_softmax(self.log_weights + jnp.sum(known, axis=1))

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, " columns"]:
        return self._draw(self.log_weights, self.log_states, key=key)

    def fill(
        self, x: Float[Array, " columns"], hidden: Bool[Array, " columns"], *, key: PRNGKeyArray
    ) -> Float[Array, " columns"]:
        """The row with its hidden cells drawn given the others, none of them missing."""
        last = np.arange(self._space.states.shape[1]) == self._space.counts[:, None] - 1
        hole = jnp.asarray(last & np.array(self._space.holes)[:, None])
        values = jnp.where(hole[None], -jnp.inf, self.log_states)
        return jnp.where(hidden, self._draw(self.given(x, hidden), values, key=key), x)

    def _draw(self, log_weights: Array, log_states: Array, *, key: PRNGKeyArray) -> Array:
        """A row of a component that is drawn by its weight."""
        which, where, bump, how = jax.random.split(key, 4)
        one = jax.random.categorical(which, log_weights)
        state = jax.random.categorical(where, log_states[one])
        at = jax.random.categorical(bump, self.shares[one])[:, None]
        mean, std = (jnp.take_along_axis(p[one], at, 1)[:, 0] for p in (self.means, self.stds))
        number = mean + std * jax.random.normal(how, self.shape, self.means.dtype)
        last = np.maximum(np.array(self._space.values), 1)
        hole = np.array(self._space.holes) & (state == last)
        cells = jnp.where(self._space.is_number, number, state.astype(number.dtype))
        return jnp.where(hole, jnp.nan, cells)

    def propose(
        self, x: Float[Array, " columns"], column: Column, count: int, *, key: PRNGKeyArray
    ) -> Proposals:
        """Cells for one column of a row: what stands there among others of known density.

        Of a category, all its states. Of a number, `count` draws: half of the density is that given
        the rest of the row, half the marginal; neither depends on what stands there.
        """
        width = max(self._space.states.shape[1], count + 1)
        places = jnp.arange(width)
        values = jnp.asarray(self._space.values)[column]
        states = jnp.pad(jnp.asarray(self._space.states), ((0, 0), (0, width)))[column, :width]
        listed = jnp.where(places < values, places.astype(x.dtype), jnp.nan)
        drawn, log_density = self._draw_cells(x, column, width, key=key)
        number = values == 0
        used = jnp.where(number, places <= count, states)
        weight = jnp.where(number, -log_density, 0)
        return Proposals(
            jnp.where(used, jnp.where(number, drawn, listed), x[column]),
            jnp.where(used, weight, -jnp.inf),
            jnp.where(number, 0, self._space.find_states(x[column], column)),
        )

    def _draw_cells(
        self, x: Array, column: Column, width: int, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, " width"], Float[Array, " width"]]:
        """The cell of a number, draws after it, and the log-density of all."""
        which, bump, noise, hole = jax.random.split(key, 4)
        here = jnp.arange(len(x)) == column
        shares = jnp.stack([self.given(x, here), jax.nn.log_softmax(self.log_weights)])
        mixed = logsumexp(shares, axis=0) - np.log(2).item()
        one = jax.random.categorical(which, mixed, shape=(width - 1,))
        at = jax.random.categorical(bump, self.shares[one, column])
        steps = jax.random.normal(noise, (width - 1,), self.means.dtype)
        cells = self.means[one, column, at] + self.stds[one, column, at] * steps
        missing = self.log_states[one, column, 1]
        gone = jnp.log(jax.random.uniform(hole, (width - 1,), x.dtype)) < missing
        drawn = jnp.where(gone, jnp.nan, cells).astype(x.dtype)
        cells = jnp.concatenate([x[column][None], drawn])
        return cells, logsumexp(mixed[:, None] + self.log_cells(cells, column), axis=0)

    def list_nodes(
        self, x: Float[Array, " columns"], column: Column, count: int
    ) -> tuple[Float[Array, " nodes"], Float[Array, " nodes"]]:
        """Numbers, and log-weights, of a quadrature over one column given the rest of the row.

        sum_i exp(log-weight_i) f(number_i) is near the integral of f over the numbers: `count`
        middles of equal probability for each Gaussian, weighed by 1 / (density of all).
        """
        here = jnp.arange(len(x)) == column
        middles = jnp.asarray(ndtri((np.arange(count) + 0.5) / count), x.dtype)
        present = jax.nn.log_softmax(self.given(x, here) + self.log_states[:, column, 0])
        each = present[:, None] + self.log_shares[:, column]
        mean, std = self.means[:, column].ravel(), self.stds[:, column].ravel()
        nodes = (mean[:, None] + std[:, None] * middles[None]).ravel()
        parts = norm.logpdf(nodes[:, None], mean[None], std[None])
        density = logsumexp(each.reshape(1, -1) + parts, axis=1)
        share = jnp.repeat(each.ravel(), count) - np.log(count).item()
        return nodes, share - density


def _log_bumps(x: Array, log_shares: Array, means: Array, stds: Array) -> Array:
    """log-density of numbers, each under its mixture of Gaussians along the last axis."""
    parts = norm.logpdf(jnp.nan_to_num(x)[None, :, None], means, stds)
    return logsumexp(log_shares + parts, axis=-1)
