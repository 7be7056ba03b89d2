"""Maximum likelihood over the ball with exact expectations: what dual training is compared with."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import AbstractManifold, Tilt
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.dual.dual import check_players
from energax.learner.dual.neurons import Neurons, embed, weigh_evenly
from energax.learner.update import copy_arrays


class PrimalState(eqx.Module):
    """What `PrimalTraining` carries: the energy and nothing else.

    Example:
        >>> ex.learner.PrimalState(None).energy is None
        True
    """

    energy: PyTree


class PrimalTraining(AbstractLearner):
    """Maximum likelihood over the ball, with weighted points in place of particles.

    min over f in the ball of mean f(data) + log integral exp(-f) dtau, the integral a weighted sum
    over `nodes`. It is the limit of `DualTraining` where neurons move infinitely slower than
    particles.

    Args:
        nodes: points of a quadrature of tau, or draws of tau.
        log_shares: the log of the share of tau at each node; shares sum to 1.

    Raises:
        ValueError: as `DualTraining`, and for nodes off the manifold.

    Trap: draws of tau in high dimension represent the model only as far as it overlaps with tau.
    Watch "effective", the effective share of nodes, which must stay far above 1 / their number.
    Source: Domingo-Enrich et al. (2021), the primal reference of section 6.

    Example:
        >>> neurons = ex.learner.Neurons(0.1, 0.1, ex.learner.VariationBall(8.0))
        >>> grid = ex.evaluate.sphere_grid(4)
        >>> ex.learner.PrimalTraining(ex.energy.Sphere((3,)), neurons, *grid).nodes.shape
        (32, 3)
    """

    manifold: AbstractManifold
    neurons: Neurons
    nodes: Float[Array, " nodes *shape"]
    log_shares: Float[Array, " nodes"]

    def __check_init__(self):
        self.manifold.check("nodes", jax.device_get(self.nodes))
        if self.log_shares.shape != self.nodes.shape[:1]:
            raise ValueError(
                f"`log_shares` must have shape {self.nodes.shape[:1]}, one for each node; got "
                f"{self.log_shares.shape}."
            )

    def init(
        self, players: Tilt, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> PrimalState:
        self.neurons.check(check_players(players, self.manifold))
        self.manifold.check("rows", jax.device_get(rows))
        return copy_arrays(PrimalState(players))

    def step(
        self, state: PrimalState, batch: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> tuple[PrimalState, Metrics]:
        network = state.energy.network
        values = jax.vmap(network)(self.nodes)
        shares = jax.nn.softmax(self.log_shares.astype(values.dtype) - values)
        model = (embed(network, self.nodes), shares)
        after, of_data, of_model = self.neurons.step(
            network, weigh_evenly(embed(network, batch)), model
        )
        effective = 1 / (jnp.sum(shares**2) * len(shares))
        metrics = self.neurons.measure(network, of_data, of_model) | {"effective": effective}
        return PrimalState(eqx.tree_at(lambda energy: energy.network, state.energy, after)), metrics

    def energy(self, state: PrimalState) -> Any:
        """The tilted distribution with the neurons as they are."""
        return state.energy
