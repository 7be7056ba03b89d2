"""The two balls of shallow energies: how their weights move, and what a ball says of two
distributions."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.network import Shallow


class AbstractBall(eqx.Module):
    """All shallow f whose norm is at most `radius`, with the neurons that a network has.

    `gap` stands for Delta_j = mean of phi_j over the model less its mean over the data.
    """

    radius: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def norm(self, network: Shallow) -> Float[Array, ""]:
        """The bound on the norm of f that its weights give."""

    @abc.abstractmethod
    def distance(self, gap: Float[Array, " neurons"]) -> Float[Array, ""]:
        """sup of the integral of f d(model - data) over the unit ball."""

    @abc.abstractmethod
    def moved(
        self, network: Shallow, gap: Float[Array, " neurons"], step_size: Float[Array, ""]
    ) -> Float[Array, " neurons"]:
        """The weights after a step that raises f where the model exceeds the data."""

    @abc.abstractmethod
    def check(self, network: Shallow, direction_step: Float[Array, ""]) -> None:
        """Raise ValueError for weights that are no start for this ball, or directions that move."""


def _radius(radius: float) -> Float[Array, ""]:
    if not radius > 0:
        raise ValueError(
            f"`radius` must be above 0, or infinite for no bound; got {radius}: nothing but f = 0 "
            "would be left."
        )
    return jnp.asarray(radius, jnp.result_type(float))


class VariationBall(AbstractBall):
    """F1: mean_j w_j <= radius with w_j >= 0. Both layers may move: features are learned.

    Weights move by multiplication, w_j <- w_j exp(h c_j Delta_j), so they keep their sign, and are
    scaled back as one where their mean exceeds the radius: a step of the Fisher-Rao geometry. The
    distance is max_j |Delta_j|, over the network's own neurons: a lower bound on the sup over all.

    Trap: a weight of 0 stays 0. Source: Domingo-Enrich et al. (2021), sections 2 and 4.
    """

    radius: Float[Array, ""]

    def __init__(self, radius: float = float("inf")):
        self.radius = _radius(radius)

    def norm(self, network: Shallow) -> Float[Array, ""]:
        return jnp.mean(jnp.abs(network.weights))

    def distance(self, gap: Float[Array, " neurons"]) -> Float[Array, ""]:
        return jnp.max(jnp.abs(gap))

    def moved(
        self, network: Shallow, gap: Float[Array, " neurons"], step_size: Float[Array, ""]
    ) -> Float[Array, " neurons"]:
        signs = network.signs.astype(gap.dtype)
        weights = network.weights * jnp.exp(step_size.astype(gap.dtype) * signs * gap)
        return _capped(weights, jnp.mean(weights), self.radius)

    def check(self, network: Shallow, direction_step: Float[Array, ""]) -> None:
        if not bool(jnp.all(network.weights >= 0)):
            at = int(jnp.argmin(network.weights))
            raise ValueError(
                f"`weights` must be at least 0 in the variation ball; neuron {at} has "
                f"{float(network.weights[at]):.6g}: put its sign into `signs`."
            )


class KernelBall(AbstractBall):
    """F2: the root mean square of h_j = w_j c_j is at most radius, directions fixed: lazy training.

    With many directions uniform on the sphere this is the ball of the space that
    `feature.kernel` reproduces. The distance is the root mean square of Delta_j, which tends to the
    maximum mean discrepancy of that kernel; weights move by addition, h <- h + step Delta.

    Source: Domingo-Enrich et al. (2021), section 2; Bach (2017) for both balls.
    """

    radius: Float[Array, ""]

    def __init__(self, radius: float = float("inf")):
        self.radius = _radius(radius)

    def norm(self, network: Shallow) -> Float[Array, ""]:
        return jnp.sqrt(jnp.mean(network.weights**2))

    def distance(self, gap: Float[Array, " neurons"]) -> Float[Array, ""]:
        return jnp.sqrt(jnp.mean(gap**2))

    def moved(
        self, network: Shallow, gap: Float[Array, " neurons"], step_size: Float[Array, ""]
    ) -> Float[Array, " neurons"]:
        signs = network.signs.astype(gap.dtype)
        weights = network.weights + step_size.astype(gap.dtype) * signs * gap
        return _capped(weights, jnp.sqrt(jnp.mean(weights**2)), self.radius)

    def check(self, network: Shallow, direction_step: Float[Array, ""]) -> None:
        if float(direction_step) > 0:
            raise ValueError(
                "`direction_step` must be 0 in the kernel ball, whose directions are fixed; got "
                f"{float(direction_step):.6g}: use `VariationBall` to move them."
            )


def _capped(
    weights: Float[Array, " neurons"], norm: Float[Array, ""], radius: Float[Array, ""]
) -> Float[Array, " neurons"]:
    radius = radius.astype(weights.dtype)
    return jnp.where(norm > radius, weights * (radius / norm), weights)
