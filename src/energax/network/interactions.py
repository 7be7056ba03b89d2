"""A network of pairs and more: linear and bilinear terms beside a multilayer perceptron."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.network.mlp import MLP


class Interactions(eqx.Module):
    """f(x) = linear . x + y' pairs y + mlp(x), with y the first numbers of x.

    With a base of independent parts, the pairs alone give each part a linear model given the
    others, logistic for categories; the perceptron adds what is not of pairs.

    Args:
        linear: (size,).
        pairs: (some, some), for the first `some` of the numbers.
        mlp: of `size` numbers; None for none.

    Source: Lee and Hastie (2015), the pairs.

    Example:
        >>> pairs = ex.network.Interactions(jnp.ones(3), jnp.ones((2, 2)), None)
        >>> float(pairs(jnp.array([1.0, 2.0, 3.0])))  # 6 + 9
        15.0
    """

    linear: Float[Array, " size"]
    pairs: Float[Array, " some some"]
    mlp: MLP | None

    def __call__(self, x: Float[Array, " size"]) -> Float[Array, ""]:
        first = x[: len(self.pairs)]
        found = self.linear @ x + first @ self.pairs @ first
        return found if self.mlp is None else found + self.mlp(x)


class SpreadNumbers(eqx.Module):
    """Embedded columns with the steps of a staircase for each number: (x, steps).

    The first numbers are held within their knots, and step t of each rises from 0 to 1 between
    knots t and t + 1; the others stay. So a network of it is bounded, and ends where the data end.

    Args:
        knots: (numbers, steps + 1), increasing.

    Source: Gorishniy, Rubachev and Babenko (2022), piecewise linear encoding.

    Example:
        >>> spread = ex.network.SpreadNumbers(jnp.array([[0.0, 1.0, 3.0]]))
        >>> spread(jnp.array([2.0, 7.0])).tolist()
        [2.0, 7.0, 1.0, 0.5]
    """

    knots: Float[Array, " numbers knots"]

    def __call__(self, x: Float[Array, " size"]) -> Float[Array, " more"]:
        knots = self.knots.astype(x.dtype)
        held = jnp.clip(x[: len(knots)], knots[:, 0], knots[:, -1])
        rise = (held[:, None] - knots[:, :-1]) / jnp.diff(knots, axis=1)
        steps = jnp.clip(rise, 0, 1).ravel()
        return jnp.concatenate([held, x[len(knots) :], steps])
