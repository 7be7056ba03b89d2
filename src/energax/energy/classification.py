"""The logits of a classifier, read as an energy."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from energax.energy.base import AbstractEnergy, Energy


class Classifier(AbstractEnergy):
    """The logits f(x) of a classifier as an energy: E(x) = -log sum_y exp(f(x)[y]).

    It is the marginal of E(x, y) = -f(x)[y], and p(y | x) = softmax(f(x)) is the usual classifier.
    Adding a constant to all logits shifts log Z alone, so noise-contrastive estimation needs no
    `Normalised`. `Tilt(distribution, Classifier(...))` has log Z = log labels where f = 0.

    Args:
        network: from an example to `labels` logits.
        labels: how many, at least 2.

    Raises:
        ValueError: for fewer than 2 labels; once called, for logits of another shape.

    Trap: p(y | x) does not depend on what is added to all logits at once, and p(x) is made of just
    that: accuracy says nothing about likelihood, nor the other way round.

    Source: Grathwohl et al. (2020), eq. 5-8.

    Example:
        >>> energy = ex.energy.Classifier(lambda x: jnp.log(x), (2,), labels=2)
        >>> jnp.exp(energy.log_odds(jnp.array([1.0, 3.0]))).round(6).tolist()
        [0.25, 0.75]
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)
    labels: int = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...], labels: int):
        if labels < 2:
            raise ValueError(f"`labels` must be at least 2; got {labels}.")
        self.network, self.shape, self.labels = network, shape, labels

    def logits(self, x: Shaped[Array, "*shape"]) -> Float[Array, " labels"]:
        """f(x): log p(x, y) in nats for each label y, up to one constant."""
        found = self.network(x)
        if found.shape != (self.labels,):
            raise ValueError(
                f"`network` must return logits of shape {(self.labels,)}; got {found.shape}."
            )
        return found

    def log_odds(self, x: Shaped[Array, "*shape"]) -> Float[Array, " labels"]:
        """log p(y | x) for each label y."""
        return jax.nn.log_softmax(self.logits(x))

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return -jax.nn.logsumexp(self.logits(x))


def _is_classifier(node: Any) -> bool:
    return type(node) is Classifier


def find_classifier(energy: Any) -> Classifier:
    """The `Classifier` inside an energy, such as `Normalised(Tilt(distribution, Classifier(...)))`.

    Raises:
        ValueError: where there is none, or more than one.

    Example:
        >>> inside = ex.energy.Classifier(lambda x: x, (2,), labels=2)
        >>> ex.energy.find_classifier(ex.energy.Normalised(inside)) is inside
        True
    """
    nodes = jax.tree.leaves(energy, is_leaf=_is_classifier)
    found = [node for node in nodes if _is_classifier(node)]
    if len(found) != 1:
        raise ValueError(f"`energy` must hold one Classifier; got {len(found)} of them.")
    return found[0]


class Conditional(AbstractEnergy):
    """E(x, y) = E(x) - log p(y | x) at one `label` y: samples from it have that label.

    exp(-E(x, y)) sums over the labels to exp(-E(x)), so log Z of this energy is that of E(x) plus
    log p(y).

    Args:
        energy: holds one `Classifier`.
        label: from 0 to labels - 1.

    Raises:
        ValueError: for a label outside that range, or an energy without a classifier.

    Example:
        >>> energy = ex.energy.Classifier(lambda x: x, (2,), labels=2)
        >>> float(ex.energy.Conditional(energy, 1)(jnp.array([1.0, 3.0])))  # -f(x)[1]
        -3.0
    """

    energy: Energy
    label: Int[Array, ""]
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: Energy, label: int):
        inside = find_classifier(energy)
        if not 0 <= label < inside.labels:
            raise ValueError(f"`label` must lie in 0..{inside.labels - 1}; got {label}.")
        self.energy, self.shape = energy, inside.shape
        self.label = jnp.asarray(label, jnp.int32)

    def __call__(self, x: Shaped[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(x) - find_classifier(self.energy).log_odds(x)[self.label]
