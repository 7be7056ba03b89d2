"""A network with one hidden layer in its mean-field form: the model of dual training."""

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import i0e
from jaxtyping import Array, Float, Int, PRNGKeyArray


class AbstractFeature(eqx.Module):
    """The activation phi(<z, u>) of a neuron of direction z, and the kernel of infinitely many.

    A subclass writes `__call__`, phi, and `kernel`.

    Example:
        >>> class Cube(ex.network.AbstractFeature):
        ...     def __call__(self, t): return t**3
        ...     def kernel(self, u, v): raise NotImplementedError
        >>> float(Cube()(jnp.array(2.0)))
        8.0
    """

    @abc.abstractmethod
    def __call__(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        """phi(t), elementwise, with t = <z, u>."""

    @abc.abstractmethod
    def kernel(self, u: Float[Array, " dim"], v: Float[Array, " dim"]) -> Float[Array, ""]:
        """k(u, v) = E[phi(<z, u>) phi(<z, v>)] over directions z uniform on the unit sphere."""


class Relu(AbstractFeature):
    """phi(t) = max(t, 0), with k(u, v) = |u| |v| ((pi - a) cos a + sin a) / (2 pi dim).

    a is the angle between u and v. On unit vectors k(u, u) = 1 / (2 dim).

    Trap: the gradient of the kernel has an infinite second derivative at u = v, and the second
    derivative of phi is 0 almost everywhere: score matching by derivatives misses its kinks.

    Source: Cho and Saul (2009), degree 1. Their mean over Gaussian directions is `dim` times ours.

    Example:
        >>> u = jnp.array([0.6, 0.8])
        >>> float(ex.network.Relu().kernel(u, u))  # 1 / (2 dim)
        0.25
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
    """phi(t) = t^2 / 2: smooth, with k(u, v) = (|u|^2 |v|^2 + 2 <u, v>^2) / (4 dim (dim + 2)).

    Example:
        >>> float(ex.network.Square()(jnp.array(3.0)))
        4.5
    """

    def __call__(self, t: Float[Array, "..."]) -> Float[Array, "..."]:
        return t**2 / 2

    def kernel(self, u: Float[Array, " dim"], v: Float[Array, " dim"]) -> Float[Array, ""]:
        dim = len(u)
        both = jnp.dot(u, u) * jnp.dot(v, v) + 2 * jnp.dot(u, v) ** 2
        return both / (4 * dim * (dim + 2))


class Peak(AbstractFeature):
    """phi(t) = exp(a (t - 1)), a = `sharpness`: smooth, a bump of width 1 / sqrt(a) around z.

    On the circle (dim 2) k(u, v) = exp(-2 a) I_0(a |u + v|).

    Raises:
        ValueError: for a `sharpness` that is not above 0; from `kernel` in other dimensions.

    Example:
        >>> float(ex.network.Peak(sharpness=4.0)(jnp.array(1.0)))
        1.0
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


def flatten(x: Float[Array, "*shape"]) -> Float[Array, " size"]:
    """The flattened example: the embedding for rows on the unit sphere.

    Example:
        >>> ex.network.flatten(jnp.zeros((2, 3))).shape
        (6,)
    """
    return x.reshape(-1)


def add_bias(x: Float[Array, "*shape"]) -> Float[Array, " dim"]:
    """(x, 1) / sqrt(size + 1): the embedding for rows in R^size.

    The last entry gives each neuron a threshold. For standardised rows the length is about 1.

    Example:
        >>> ex.network.add_bias(jnp.ones(3)).tolist()
        [0.5, 0.5, 0.5, 0.5]
    """
    flat = x.reshape(-1)
    return jnp.concatenate([flat, jnp.ones(1, flat.dtype)]) / math.sqrt(flat.size + 1)


def map_to_circles(x: Float[Array, "*shape"]) -> Float[Array, " dim"]:
    """(cos 2 pi x, sin 2 pi x) / sqrt(size): the embedding for rows on the torus of period 1.

    Example:
        >>> ex.network.map_to_circles(jnp.array([0.25])).round(6).tolist()
        [0.0, 1.0]
    """
    turn = 2 * math.pi * x.reshape(-1)
    return jnp.concatenate([jnp.cos(turn), jnp.sin(turn)]) / math.sqrt(turn.size)


class Shallow(eqx.Module):
    """A network with one hidden layer of m neurons, in its mean-field form.

    f(x) = (1/m) sum_j w_j c_j phi(<z_j, u(x)>)

    The mean over neurons keeps the size of f as m grows. With w_j >= 0, mean_j w_j bounds the
    variation norm of f, and the root mean square of w bounds its norm in the space of the kernel of
    phi (fixed directions). `make_shallow` makes an untrained one.

    Args:
        directions: z_j, of unit length, (m, dim).
        weights: w_j, at least 0, (m,).
        signs: c_j, each 1 or -1, (m,).
        feature: phi.
        embedding: u, such as `flatten`, `add_bias` or `map_to_circles`.

    Raises:
        ValueError: where shapes do not match. Lengths and signs are checked by the learner.

    Source: Domingo-Enrich et al. (2021), section 2.

    Example:
        >>> parts = jnp.eye(2), jnp.array([1.0, 3.0]), jnp.array([1, -1])
        >>> network = ex.network.Shallow(*parts, ex.network.Relu(), ex.network.flatten)
        >>> float(network(jnp.array([2.0, 1.0])))  # (1 * 2 - 3 * 1) / 2
        -0.5
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


def make_shallow(
    shape: tuple[int, ...],
    neurons: int = 64,
    feature: AbstractFeature | None = None,
    embedding: Callable = flatten,
    *,
    negative: float = 0.5,
    weight: float = 1.0,
    key: PRNGKeyArray,
) -> Shallow:
    """An untrained `Shallow` network: directions uniform on the sphere, all weights `weight`.

    Args:
        shape: of one example.
        feature: `Relu()` unless given.
        negative: share of neurons with sign -1, in [0, 1]. They lower the energy where their
            feature is large.

    Raises:
        ValueError: for a share outside [0, 1], a weight below 0 or no neurons.

    Example:
        >>> network = ex.network.make_shallow((3,), 8, negative=0.25, key=key)
        >>> network.directions.shape, int(network.signs.sum())
        ((8, 3), 4)
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
