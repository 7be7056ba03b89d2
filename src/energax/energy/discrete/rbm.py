"""Restricted Boltzmann machines: hidden bits that are summed over, of bits, numbers, categories."""

import abc
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray, Shaped, UInt8

from energax.energy.base import AbstractEnergy, float_dtype
from energax.energy.discrete.base import AbstractLocal, place_flips
from energax.space import AbstractFinite, Bits, Categories


class AbstractRBM(AbstractEnergy):
    """An energy E(v, h) without couplings inside v or inside h, h bits that are summed over.

    The energy of an example v is its free energy -log sum_h exp(-E(v, h)). Given one side, the
    units of the other are independent.

    Example:
        >>> rbm = ex.energy.BernoulliRBM(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros(2))
        >>> isinstance(rbm, ex.energy.AbstractRBM), rbm.hidden_space.shape
        (True, (2,))
    """

    hidden: eqx.AbstractVar[Float[Array, " hidden"]]
    """Biases of the hidden units."""

    @property
    def hidden_space(self) -> Bits:
        """Where h lives."""
        return Bits(self.hidden.shape)

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.extend(self.space.embed(x, float_dtype(self)))

    def extend(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        return self.visible_energy(e) - jnp.sum(jax.nn.softplus(self.hidden_logits(e)))

    @abc.abstractmethod
    def visible_energy(self, e: Float[Array, "..."]) -> Float[Array, ""]:
        """E(v, 0) of an embedded example, in nats."""

    @abc.abstractmethod
    def hidden_logits(self, e: Float[Array, "..."]) -> Float[Array, " hidden"]:
        """log p(h_j = 1 given v) - log p(h_j = 0 given v) of an embedded example."""

    @abc.abstractmethod
    def hidden_energy(self, h: Shaped[Array, " hidden"]) -> Float[Array, ""]:
        """The free energy of h: minus the log of the sum or integral over v of exp(-E(v, h))."""

    @abc.abstractmethod
    def visible_given_hidden(self, h: Shaped[Array, " hidden"]) -> Float[Array, "..."]:
        """The mean of the embedded example given h: probabilities, or means of numbers."""

    @abc.abstractmethod
    def sample_visible(
        self, h: Shaped[Array, " hidden"], *, key: PRNGKeyArray
    ) -> Shaped[Array, "*shape"]:
        """An exact draw of the example given h."""

    def hidden_given_visible(self, x: Shaped[Array, "*shape"]) -> Float[Array, " hidden"]:
        """The probabilities of h_j = 1 given the example."""
        return jax.nn.sigmoid(self.hidden_logits(self.space.embed(x, float_dtype(self))))

    def sample_hidden(
        self, x: Shaped[Array, "*shape"], *, key: PRNGKeyArray
    ) -> UInt8[Array, " hidden"]:
        """An exact draw of h given the example."""
        return jax.random.bernoulli(key, self.hidden_given_visible(x)).astype(jnp.uint8)


class BernoulliRBM(AbstractRBM, AbstractLocal):
    """Bits: E(v, h) = -a'v - b'h - v'W h.

    Args:
        weights: W, (sites, hidden), of the flattened example.
        visible: a, of the shape of an example.
        hidden: b, (hidden,).

    Raises:
        ValueError: where shapes do not match.

    Source: Smolensky (1986); Hinton (2002).

    Example:
        >>> rbm = ex.energy.BernoulliRBM(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros(2))
        >>> round(float(rbm(jnp.ones(3, jnp.uint8))), 4)  # -2 log 2
        -1.3863
    """

    weights: Float[Array, " sites hidden"]
    visible: Float[Array, "*shape"]
    hidden: Float[Array, " hidden"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, weights: ArrayLike, visible: ArrayLike, hidden: ArrayLike):
        self.weights = jnp.asarray(weights)
        self.visible = jnp.asarray(visible, self.weights.dtype)
        self.hidden = jnp.asarray(hidden, self.weights.dtype)
        self.shape = self.visible.shape
        _check_weights(self.weights, (self.visible.size, self.hidden.size))

    @property
    def space(self) -> AbstractFinite:
        return Bits(self.shape)

    def visible_energy(self, e: Float[Array, "*shape"]) -> Float[Array, ""]:
        return -self.visible.reshape(-1) @ e.reshape(-1)

    def hidden_logits(self, e: Float[Array, "*shape"]) -> Float[Array, " hidden"]:
        return self.hidden + e.reshape(-1) @ self.weights

    def _visible_logits(self, h: Shaped[Array, " hidden"]) -> Float[Array, " sites"]:
        return self.visible.reshape(-1) + self.weights @ h.astype(self.weights.dtype)

    def hidden_energy(self, h: Shaped[Array, " hidden"]) -> Float[Array, ""]:
        own = self.hidden @ h.astype(self.weights.dtype)
        return -own - jnp.sum(jax.nn.softplus(self._visible_logits(h)))

    def visible_given_hidden(self, h: Shaped[Array, " hidden"]) -> Float[Array, "*shape"]:
        return jax.nn.sigmoid(self._visible_logits(h)).reshape(self.shape)

    def sample_visible(
        self, h: Shaped[Array, " hidden"], *, key: PRNGKeyArray
    ) -> UInt8[Array, "*shape"]:
        return jax.random.bernoulli(key, self.visible_given_hidden(h)).astype(jnp.uint8)

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some 2"]:
        e = x.reshape(-1).astype(self.weights.dtype)
        logits = self.hidden_logits(e)
        step = 1 - 2 * e[sites]
        moved = jax.nn.softplus(logits[None] + step[:, None] * self.weights[sites])
        gained = jnp.sum(moved - jax.nn.softplus(logits)[None], axis=1)
        return place_flips(x.reshape(-1)[sites], -step * self.visible.reshape(-1)[sites] - gained)


class CategoricalRBM(AbstractRBM, AbstractLocal):
    """Categories: E(v, h) = -sum_i a_i(v_i) - b'h - sum_ij W_ij(v_i) h_j.

    Args:
        weights: W, (sites, states, hidden), of the flattened example.
        visible: a, of the shape of an example and (states,).
        hidden: b, (hidden,).

    Raises:
        ValueError: where shapes do not match.

    Source: Salakhutdinov, Mnih and Hinton (2007), section 2.

    Example:
        >>> rbm = ex.energy.CategoricalRBM(jnp.zeros((3, 4, 2)), jnp.zeros((3, 4)), jnp.zeros(2))
        >>> rbm.space, rbm.visible_given_hidden(jnp.ones(2, jnp.uint8))[0].tolist()
        (Categories(shape=(3,), states=4), [0.25, 0.25, 0.25, 0.25])
    """

    weights: Float[Array, " sites states hidden"]
    visible: Float[Array, "*shape states"]
    hidden: Float[Array, " hidden"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, weights: ArrayLike, visible: ArrayLike, hidden: ArrayLike):
        self.weights = jnp.asarray(weights)
        self.visible = jnp.asarray(visible, self.weights.dtype)
        self.hidden = jnp.asarray(hidden, self.weights.dtype)
        self.shape = self.visible.shape[:-1]
        states = self.visible.shape[-1]
        _check_weights(self.weights, (math.prod(self.shape), states, self.hidden.size))

    @property
    def space(self) -> AbstractFinite:
        return Categories(self.shape, self.visible.shape[-1])

    def visible_energy(self, e: Float[Array, "*shape states"]) -> Float[Array, ""]:
        return -self.visible.reshape(-1) @ e.reshape(-1)

    def hidden_logits(self, e: Float[Array, "*shape states"]) -> Float[Array, " hidden"]:
        return self.hidden + e.reshape(-1) @ self.weights.reshape(-1, self.hidden.size)

    def _visible_logits(self, h: Shaped[Array, " hidden"]) -> Float[Array, "*shape states"]:
        flat = self.weights.reshape(-1, self.hidden.size) @ h.astype(self.weights.dtype)
        return self.visible + flat.reshape(self.visible.shape)

    def hidden_energy(self, h: Shaped[Array, " hidden"]) -> Float[Array, ""]:
        own = self.hidden @ h.astype(self.weights.dtype)
        return -own - jnp.sum(jax.nn.logsumexp(self._visible_logits(h), axis=-1))

    def visible_given_hidden(self, h: Shaped[Array, " hidden"]) -> Float[Array, "*shape states"]:
        return jax.nn.softmax(self._visible_logits(h), axis=-1)

    def sample_visible(
        self, h: Shaped[Array, " hidden"], *, key: PRNGKeyArray
    ) -> UInt8[Array, "*shape"]:
        return jax.random.categorical(key, self._visible_logits(h)).astype(jnp.uint8)

    def changes(
        self, x: Shaped[Array, "*shape"], sites: Int[Array, " some"]
    ) -> Float[Array, " some states"]:
        logits = self.hidden_logits(self.space.embed(x, self.weights.dtype))
        now = x.reshape(-1)[sites].astype(jnp.int32)
        biases = self.visible.reshape(self.weights.shape[:2])
        step = self.weights[sites] - self.weights[sites, now][:, None]
        moved = jax.nn.softplus(logits[None, None] + step)
        gained = jnp.sum(moved - jax.nn.softplus(logits)[None, None], axis=2)
        return biases[sites, now][:, None] - biases[sites] - gained


class GaussianRBM(AbstractRBM):
    """Numbers: E(v, h) = sum_i (v_i - a_i)^2 / (2 s_i^2) - b'h - sum_ij v_i W_ij h_j / s_i^2.

    Given h, v is N(a + W h, s^2): a mixture of 2^hidden Gaussians. s = exp(log_std) stays above 0.

    Args:
        weights: W, (sites, hidden), of the flattened example, in units of the example.
        visible: a, of the shape of an example.
        hidden: b, (hidden,).
        std: s, one number or of the shape of an example; above 0.

    Raises:
        ValueError: where shapes do not match, or for a `std` that is not above 0.

    Source: Cho, Ilin and Raiko (2011), equations 3 to 5.

    Example:
        >>> rbm = ex.energy.GaussianRBM(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros(2), 2.0)
        >>> rbm.sample_visible(jnp.ones(2, jnp.uint8), key=key).shape
        (3,)
    """

    weights: Float[Array, " sites hidden"]
    visible: Float[Array, "*shape"]
    hidden: Float[Array, " hidden"]
    log_std: Float[Array, "*shape"]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self, weights: ArrayLike, visible: ArrayLike, hidden: ArrayLike, std: ArrayLike = 1.0
    ):
        self.weights = jnp.asarray(weights)
        self.visible = jnp.asarray(visible, self.weights.dtype)
        self.hidden = jnp.asarray(hidden, self.weights.dtype)
        self.shape = self.visible.shape
        _check_weights(self.weights, (self.visible.size, self.hidden.size))
        if not np.all(np.asarray(std) > 0):
            raise ValueError(f"`std` must be above 0 everywhere; got {std}.")
        log_std = np.log(np.broadcast_to(np.asarray(std, np.float64), self.shape))
        self.log_std = jnp.asarray(log_std, self.weights.dtype)

    @property
    def std(self) -> Float[Array, "*shape"]:
        """s."""
        return jnp.exp(self.log_std)

    def visible_energy(self, e: Float[Array, "*shape"]) -> Float[Array, ""]:
        return jnp.sum(((e - self.visible) / self.std) ** 2) / 2

    def hidden_logits(self, e: Float[Array, "*shape"]) -> Float[Array, " hidden"]:
        return self.hidden + (e / self.std**2).reshape(-1) @ self.weights

    def hidden_energy(self, h: Shaped[Array, " hidden"]) -> Float[Array, ""]:
        means = self.visible_given_hidden(h)
        moved = jnp.sum((means**2 - self.visible**2) / (2 * self.std**2))
        volume = jnp.sum(self.log_std) + self.visible.size * math.log(2 * math.pi) / 2
        return -(self.hidden @ h.astype(self.weights.dtype)) - moved - volume

    def visible_given_hidden(self, h: Shaped[Array, " hidden"]) -> Float[Array, "*shape"]:
        return self.visible + (self.weights @ h.astype(self.weights.dtype)).reshape(self.shape)

    def sample_visible(
        self, h: Shaped[Array, " hidden"], *, key: PRNGKeyArray
    ) -> Float[Array, "*shape"]:
        noise = jax.random.normal(key, self.shape, self.weights.dtype)
        return self.visible_given_hidden(h) + self.std * noise


def _check_weights(weights: Array, shape: tuple[int, ...]) -> None:
    if weights.shape != shape:
        raise ValueError(
            f"`weights` must have shape {shape} to go with `visible` and `hidden`; got "
            f"{weights.shape}."
        )
