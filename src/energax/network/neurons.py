"""One hidden layer whose neurons all count alike: the shallow network of dual training."""

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import i0e
from jaxtyping import Array, Float, Int, PRNGKeyArray


class AbstractFeature(eqx.Module):
    """What a neuron makes of t = <z, u>, and the kernel that all neurons together have."""

    @abc.abstractmethod
    def __call__(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        """phi(t), elementwise."""

    @abc.abstractmethod
    def kernel(self, u: Float[Array, " dim"], v: Float[Array, " dim"]) -> Float[Array, ""]:
        """k(u, v) = E[phi(<z, u>) phi(<z, v>)] over directions z uniform on the unit sphere."""


class Relu(AbstractFeature):
    """phi(t) = max(t, 0), with k(u, v) = |u| |v| ((pi - a) cos a + sin a) / (2 pi dim).

    a is the angle between u and v. On unit vectors k(u, u) = 1 / (2 dim).

    Trap: the kernel's slope has an infinite second derivative at u = v, and phi itself no second
    derivative in the ordinary sense: score matching by derivatives does not see its kinks.

    Reference: Cho and Saul (2009), degree 1, whose Gaussian mean is `dim` times ours.
    """

    def __call__(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.nn.relu(t)

    def kernel(self, u: Float[Array, " dim"], v: Float[Array, " dim"]) -> Float[Array, ""]:
        # sin a |u| |v|, from parts that keep their slope where u and v are parallel.
        dot, lengths = jnp.dot(u, v), jnp.sqrt(jnp.dot(u, u) * jnp.dot(v, v))
        square = lengths**2 - dot**2
        open_ = square > 16 * jnp.finfo(u.dtype).eps * lengths**2
        sine = jnp.where(open_, jnp.sqrt(jnp.where(open_, square, 1)), 0)
        angle = jnp.where(open_, jnp.arctan2(sine, dot), jnp.where(dot > 0, 0, math.pi))
        return ((math.pi - angle) * dot + sine) / (2 * math.pi * len(u))


class Square(AbstractFeature):
    """phi(t) = t^2 / 2: smooth, with k(u, v) = (|u|^2 |v|^2 + 2 <u, v>^2) / (4 dim (dim + 2))."""

    def __call__(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        return t**2 / 2

    def kernel(self, u: Float[Array, " dim"], v: Float[Array, " dim"]) -> Float[Array, ""]:
        dim = len(u)
        both = jnp.dot(u, u) * jnp.dot(v, v) + 2 * jnp.dot(u, v) ** 2
        return both / (4 * dim * (dim + 2))


class Peak(AbstractFeature):
    """phi(t) = exp(a (t - 1)), a = `sharpness`: smooth, a bump of width 1 / sqrt(a) around z.

    On the circle (dim 2) k(u, v) = exp(-2 a) I_0(a |u + v|); other dimensions raise ValueError.
    """

    sharpness: float = eqx.field(static=True, default=10.0)

    def __check_init__(self):
        if not self.sharpness > 0:
            raise ValueError(f"`sharpness` must be above 0; got {self.sharpness}.")

    def __call__(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(self.sharpness * (t - 1))

    def kernel(self, u: Float[Array, " dim"], v: Float[Array, " dim"]) -> Float[Array, ""]:
        if len(u) != 2:
            raise ValueError(f"`Peak` has a closed kernel on the circle alone; got dim {len(u)}.")
        square = jnp.sum((u + v) ** 2)
        apart = square > 0
        length = jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1)), 0)
        return i0e(self.sharpness * length) * jnp.exp(self.sharpness * (length - 2))


def plain(x: Float[Array, "*shape"]) -> Float[Array, " size"]:
    """The flattened example: for rows on the unit sphere."""
    return x.reshape(-1)


def with_bias(x: Float[Array, "*shape"]) -> Float[Array, " dim"]:
    """(x, 1) / sqrt(size + 1): for rows in R^d, of about unit length where axes are standardised.

    The last entry lets a neuron have a threshold.
    """
    flat = x.reshape(-1)
    return jnp.concatenate([flat, jnp.ones(1, flat.dtype)]) / math.sqrt(flat.size + 1)


def on_circles(x: Float[Array, "*shape"]) -> Float[Array, " dim"]:
    """(cos 2 pi x, sin 2 pi x) / sqrt(size): for rows on the torus, each axis of period 1."""
    turn = 2 * math.pi * x.reshape(-1)
    return jnp.concatenate([jnp.cos(turn), jnp.sin(turn)]) / math.sqrt(turn.size)


class Shallow(eqx.Module):
    """f(x) = (1/m) sum_j w_j c_j phi(<z_j, u(x)>): directions z_j of unit length, signs c_j = +-1.

    The mean over neurons, not the sum, so that f stays of one size as m grows. With w_j >= 0,
    mean_j w_j bounds the variation norm of f, and the root mean square of w the norm in the space
    of the kernel of phi (fixed directions). `embedding` is u: `plain`, `with_bias` or `on_circles`.

    Raises ValueError for arrays that do not fit together. Lengths and signs are checked where a
    network is given to a learner.
    Source: Domingo-Enrich et al. (2021), section 2.
    """

    directions: Float[Array, " neurons dim"]
    weights: Float[Array, " neurons"]
    signs: Int[Array, " neurons"]
    feature: AbstractFeature
    embedding: Callable = eqx.field(static=True)

    def __check_init__(self):
        count = (len(self.directions),)
        for name in ("weights", "signs"):
            shape = getattr(self, name).shape
            if shape != count:
                raise ValueError(
                    f"`{name}` must have shape {count}, one for each direction; got {shape}."
                )

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        # Row times matrix: under `vmap` one product, in the layout that CPUs multiply fastest.
        features = self.feature(self.embedding(x) @ self.directions.T)
        return jnp.mean(self.weights * self.signs.astype(features.dtype) * features)


def shallow(
    shape: tuple[int, ...],
    neurons: int = 64,
    feature: AbstractFeature | None = None,
    embedding: Callable = plain,
    *,
    negative: float = 0.5,
    weight: float = 1.0,
    key: PRNGKeyArray,
) -> Shallow:
    """A shallow network before training: directions uniform on the sphere, all weights `weight`.

    `negative`: the share of neurons whose sign is -1, which attract where their feature is large.
    `feature` is `Relu()` unless given. Raises ValueError for a share outside [0, 1], a weight below
    0 or no neurons.
    """
    if neurons < 1:
        raise ValueError(f"`neurons` must be at least 1; got {neurons}.")
    if not 0 <= negative <= 1:
        raise ValueError(f"`negative` must be a share in [0, 1]; got {negative}.")
    if not (weight >= 0 and math.isfinite(weight)):
        raise ValueError(f"`weight` must be at least 0 and finite; got {weight}.")
    dim = len(jax.eval_shape(embedding, jnp.zeros(shape)))
    directions = jax.random.normal(key, (neurons, dim))
    directions = directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
    signs = jnp.where(jnp.arange(neurons) < round(negative * neurons), -1, 1)
    weights = jnp.full(neurons, weight, directions.dtype)
    return Shallow(directions, weights, signs, feature or Relu(), embedding)
