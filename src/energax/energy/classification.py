"""The logits of a classifier, read as an energy."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from energax.energy.base import AbstractEnergy, Energy


class Classifier(AbstractEnergy):
    """E(x) = -log sum_y exp(f(x)[y]): what is left of E(x, y) = -f(x)[y] without the label.

    f(x), of shape (labels,), are the logits of `network`; p(y | x) = softmax(f(x)) is the ordinary
    classifier. A constant added to all logits only moves log Z, so the network brings the free
    constant that noise contrast needs. `Tilt(distribution, Classifier(...))` keeps log Z within
    reach: p(x) is proportional to p_base(x) sum_y exp(f(x)[y]), and log Z = log labels where f = 0.
    Raises ValueError for fewer than 2 labels and, once called, for logits of another shape.

    Trap: p(y | x) is blind to what is added to all logits at once, which is what p(x) is made of:
    neither accuracy nor likelihood tells of the other. Source: Grathwohl et al. (2020), eq. 5-8.
    """

    network: Callable
    shape: tuple[int, ...] = eqx.field(static=True)
    labels: int = eqx.field(static=True)

    def __init__(self, network: Callable, shape: tuple[int, ...], labels: int):
        if labels < 2:
            raise ValueError(f"`labels` must be at least 2; got {labels}.")
        self.network, self.shape, self.labels = network, shape, labels

    def logits(self, x: Float[Array, "*shape"]) -> Float[Array, " labels"]:
        """f(x), in nats: log p(x, y) for each label y, up to what all labels share."""
        found = self.network(x)
        if found.shape != (self.labels,):
            raise ValueError(
                f"`network` must return logits of shape {(self.labels,)}; got {found.shape}."
            )
        return found

    def log_odds(self, x: Float[Array, "*shape"]) -> Float[Array, " labels"]:
        """log p(y | x) for each label y."""
        return jax.nn.log_softmax(self.logits(x))

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return -jax.nn.logsumexp(self.logits(x))


def _is_classifier(node: Any) -> bool:
    return type(node) is Classifier


def find_classifier(energy: Any) -> Classifier:
    """The one classifier inside an energy, such as `Normalised(Tilt(distribution,
    Classifier(...)))`.

    It gives p(y | x), whatever else p(x) is made of. Raises ValueError where there is not just one.
    """
    nodes = jax.tree.leaves(energy, is_leaf=_is_classifier)
    found = [node for node in nodes if _is_classifier(node)]
    if len(found) != 1:
        raise ValueError(f"`energy` must hold one Classifier; got {len(found)} of them.")
    return found[0]


class Conditional(AbstractEnergy):
    """E(x, y) = E(x) - log p(y | x) at one `label` y: the energy of the rows that carry it.

    exp(-E(x, y)) sums over the labels to exp(-E(x)), so Z is shared and log Z of this energy is
    lower by -log p(y). Draw from it for rows of one kind. `energy` holds a `Classifier`. Raises
    ValueError for a label outside 0..labels-1.
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

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(x) - find_classifier(self.energy).log_odds(x)[self.label]
