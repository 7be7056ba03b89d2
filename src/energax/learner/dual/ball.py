"""The two balls of shallow energies: how weights move in each, and the distance each defines."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.network import Shallow


class AbstractBall(eqx.Module):
    """All shallow f whose norm is at most `radius`, over the neurons of one network.

    `gap`, in all methods, is Delta_j = mean of phi_j over the model less its mean over the data.

    Example:
        >>> isinstance(ex.learner.KernelBall(2.0), ex.learner.AbstractBall)
        True
    """

    radius: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def norm(self, network: Shallow) -> Float[Array, ""]:
        """The norm of f, as its weights bound it."""

    @abc.abstractmethod
    def distance(self, gap: Float[Array, " neurons"]) -> Float[Array, ""]:
        """sup over f in the unit ball of mean f(model) - mean f(data)."""

    @abc.abstractmethod
    def move_weights(
        self, network: Shallow, gap: Float[Array, " neurons"], step_size: Float[Array, ""]
    ) -> Float[Array, " neurons"]:
        """The weights after a step that raises f where the model has more mass than the data."""

    @abc.abstractmethod
    def check(self, network: Shallow, direction_step: Float[Array, ""]) -> None:
        """Refuse a network that cannot be trained in this ball.

        Raises:
            ValueError: the weights lie outside, or directions would move that the ball holds fixed.
        """


def _radius(radius: float) -> Float[Array, ""]:
    if not radius > 0:
        raise ValueError(
            f"`radius` must be above 0, or infinite for no bound; got {radius}: nothing but f = 0 "
            "would be left."
        )
    return jnp.asarray(radius, jnp.result_type(float))


class VariationBall(AbstractBall):
    """The ball of variation norm, F1: mean_j w_j <= radius with w_j >= 0. Features are learned.

    Weights move by multiplication, w_j <- w_j exp(h c_j Delta_j), so they keep their sign, and are
    all scaled by one factor where their mean exceeds the radius: a Fisher-Rao step. The distance is
    max_j |Delta_j| over the network's own neurons: a lower bound on the sup over all directions.

    Args:
        radius: above 0; infinite for no bound.

    Raises:
        ValueError: `radius` is not above 0.

    Trap: a weight of 0 stays 0.
    Source: Domingo-Enrich et al. (2021), sections 2 and 4.

    Example:
        >>> float(ex.learner.VariationBall(2.0).distance(jnp.array([0.5, -1.0])))
        1.0
    """

    radius: Float[Array, ""]

    def __init__(self, radius: float = float("inf")):
        self.radius = _radius(radius)

    def norm(self, network: Shallow) -> Float[Array, ""]:
        return jnp.mean(jnp.abs(network.weights))

    def distance(self, gap: Float[Array, " neurons"]) -> Float[Array, ""]:
        return jnp.max(jnp.abs(gap))

    def move_weights(
        self, network: Shallow, gap: Float[Array, " neurons"], step_size: Float[Array, ""]
    ) -> Float[Array, " neurons"]:
        signs = network.signs.astype(gap.dtype)
        weights = network.weights * jnp.exp(step_size.astype(gap.dtype) * signs * gap)
        return _rescale(weights, jnp.mean(weights), self.radius)

    def check(self, network: Shallow, direction_step: Float[Array, ""]) -> None:
        if not bool(jnp.all(network.weights >= 0)):
            at = int(jnp.argmin(network.weights))
            raise ValueError(
                f"`weights` must be at least 0 in the variation ball; neuron {at} has "
                f"{float(network.weights[at]):.6g}: put its sign into `signs`."
            )


class KernelBall(AbstractBall):
    """The ball of a kernel's space, F2: root mean square of w_j at most radius, directions fixed.

    This is lazy training. With many directions uniform on the sphere the ball is that of the space
    that `feature.kernel` reproduces. The distance is the root mean square of Delta_j, which then
    tends to the maximum mean discrepancy of that kernel. Weights move by addition, w_j c_j <- w_j
    c_j + h Delta_j.

    Args:
        radius: above 0; infinite for no bound.

    Raises:
        ValueError: `radius` is not above 0.

    Source: Domingo-Enrich et al. (2021), section 2; Bach (2017) for both balls.

    Example:
        >>> round(float(ex.learner.KernelBall(2.0).distance(jnp.array([3.0, -4.0]))), 3)
        3.536
    """

    radius: Float[Array, ""]

    def __init__(self, radius: float = float("inf")):
        self.radius = _radius(radius)

    def norm(self, network: Shallow) -> Float[Array, ""]:
        return jnp.sqrt(jnp.mean(network.weights**2))

    def distance(self, gap: Float[Array, " neurons"]) -> Float[Array, ""]:
        return jnp.sqrt(jnp.mean(gap**2))

    def move_weights(
        self, network: Shallow, gap: Float[Array, " neurons"], step_size: Float[Array, ""]
    ) -> Float[Array, " neurons"]:
        signs = network.signs.astype(gap.dtype)
        weights = network.weights + step_size.astype(gap.dtype) * signs * gap
        return _rescale(weights, jnp.sqrt(jnp.mean(weights**2)), self.radius)

    def check(self, network: Shallow, direction_step: Float[Array, ""]) -> None:
        if float(direction_step) > 0:
            raise ValueError(
                "`direction_step` must be 0 in the kernel ball, whose directions are fixed; got "
                f"{float(direction_step):.6g}: use `VariationBall` to move them."
            )


def _rescale(
    weights: Float[Array, " neurons"], norm: Float[Array, ""], radius: Float[Array, ""]
) -> Float[Array, " neurons"]:
    radius = radius.astype(weights.dtype)
    return jnp.where(norm > radius, weights * (radius / norm), weights)
