"""How neurons follow particles: the half of dual training that the primal reference shares."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from energax.learner.dual.ball import AbstractBall
from energax.network import Shallow


class Neurons(eqx.Module):
    """Step sizes of directions and weights, and the ball that the weights stay in.

    Directions move along the sphere, z_j <- normalise(z_j + direction_step c_j P grad Delta_j(z_j))
    with P the projection on the tangent space: neither w_j nor 1/m enters, which is the Wasserstein
    part of a Wasserstein-Fisher-Rao flow. Weights move as the ball says. Both use the directions
    before the step.

    Args:
        direction_step: at least 0; 0 fixes the directions (lazy training).
        weight_step: at least 0.

    Raises:
        ValueError: a step is negative or infinite.

    Source: Domingo-Enrich et al. (2021), algorithm 1.

    Example:
        >>> neurons = ex.learner.Neurons(0.0, 2.0, ex.learner.KernelBall(10.0))
        >>> float(neurons.weight_step)
        2.0
    """

    direction_step: Float[Array, ""]
    weight_step: Float[Array, ""]
    ball: AbstractBall

    def __init__(self, direction_step: float, weight_step: float, ball: AbstractBall):
        for name, size in (("direction_step", direction_step), ("weight_step", weight_step)):
            if not (size >= 0 and math.isfinite(size)):
                raise ValueError(f"`{name}` must be at least 0 and finite; got {size}.")
        self.direction_step = jnp.asarray(direction_step, jnp.result_type(float))
        self.weight_step = jnp.asarray(weight_step, jnp.result_type(float))
        self.ball = ball

    def check(self, network: Shallow) -> None:
        """Raise ValueError for a network that these steps in this ball cannot train."""
        self.ball.check(network, self.direction_step)

    def step(
        self,
        network: Shallow,
        data: tuple[Float[Array, " size dim"], Float[Array, " size"]],
        model: tuple[Float[Array, " count dim"], Float[Array, " count"]],
        pace: Float[Array, ""] | float = 1.0,
    ) -> tuple[Shallow, Float[Array, " neurons"], Float[Array, " neurons"]]:
        """The network after one step, and the mean of each feature over data and over model.

        Args:
            data: embedded points, and their weights, which sum to 1.
            model: the same of the model.
            pace: multiplies both step sizes.
        """

        # Differentiated in columns: their gradient is a matrix product in the layout that CPUs
        # multiply fastest.
        def gap(columns: Array) -> tuple[Array, tuple[Array, Array]]:
            means = [_means(network, columns, *points) for points in (data, model)]
            return jnp.sum(means[1] - means[0]), (means[0], means[1])

        slope, (of_data, of_model) = jax.grad(gap, has_aux=True)(network.directions.T)
        slope = slope.T
        signs = network.signs.astype(slope.dtype)[:, None]
        z = network.directions
        along = slope - jnp.sum(slope * z, axis=1, keepdims=True) * z
        pace = jnp.asarray(pace, z.dtype)
        z = z + pace * self.direction_step.astype(z.dtype) * signs * along
        z = z / jnp.linalg.norm(z, axis=1, keepdims=True)
        weights = self.ball.move_weights(
            network, of_model - of_data, pace * self.weight_step.astype(z.dtype)
        )
        after = Shallow(z, weights, network.signs, network.feature, network.embedding)
        return after, of_data, of_model

    def measure(
        self,
        network: Shallow,
        of_data: Float[Array, " neurons"],
        of_model: Float[Array, " neurons"],
    ) -> dict[str, Float[Array, ""]]:
        """The metrics of `network` before the step that gave these means.

        "loss": f on data less f on the model; "variation": mean weight; "distance":
        `AbstractBall.distance` of model and data.
        """
        weights = network.weights * network.signs.astype(of_data.dtype)
        data, model = jnp.mean(weights * of_data), jnp.mean(weights * of_model)
        return {
            "loss": data - model,
            "energy_data": data,
            "energy_chain": model,
            "variation": jnp.mean(jnp.abs(weights)),
            "distance": self.ball.distance(of_model - of_data),
        }


def _means(
    network: Shallow,
    columns: Float[Array, " dim neurons"],
    points: Float[Array, " size dim"],
    shares: Float[Array, " size"],
) -> Float[Array, " neurons"]:
    return shares @ network.feature(points @ columns)


def embed(network: Shallow, rows: Float[Array, " size *shape"]) -> Float[Array, " size dim"]:
    """Rows as the neurons see them."""
    return jax.vmap(network.embedding)(rows)


def weigh_evenly(rows: Float[Array, " size dim"]) -> tuple[Array, Float[Array, " size"]]:
    """Rows, each with the weight 1 / size."""
    return rows, jnp.full(len(rows), 1 / len(rows), rows.dtype)
