"""Maximum likelihood over the ball with exact expectations: what dual training is compared with."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import AbstractManifold, Tilt
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.dual.dual import checked
from energax.learner.dual.neurons import Neurons, embedded, evenly
from energax.learner.update import copy_arrays


class PrimalState(eqx.Module):
    """The energy: nothing else moves."""

    energy: PyTree


class PrimalTraining(AbstractLearner):
    """Neurons that answer to the model itself, by weighted points in place of particles.

    min over f in the ball of mean f(data) + log integral exp(-f) dtau, with the integral a sum over
    `nodes` with `log_shares` (log of shares of tau: a quadrature, or draws of tau with equal ones).
    The limit of `DualTraining` where neurons move infinitely slower than particles.

    Trap: draws of tau in high dimension carry the model only as far as it overlaps with tau; watch
    "effective", the effective share of nodes, which must stay far above 1 / their number.

    Raises ValueError as `DualTraining` does, and for nodes off the manifold. Source: Domingo-Enrich
    et al. (2021), the primal reference of section 6.
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
        self.neurons.check(checked(players, self.manifold))
        self.manifold.check("rows", jax.device_get(rows))
        return copy_arrays(PrimalState(players))

    def step(
        self, state: PrimalState, batch: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> tuple[PrimalState, Metrics]:
        network = state.energy.network
        values = jax.vmap(network)(self.nodes)
        shares = jax.nn.softmax(self.log_shares.astype(values.dtype) - values)
        model = (embedded(network, self.nodes), shares)
        after, of_data, of_model = self.neurons.answered(
            network, evenly(embedded(network, batch)), model
        )
        effective = 1 / (jnp.sum(shares**2) * len(shares))
        metrics = self.neurons.watched(network, of_data, of_model) | {"effective": effective}
        return PrimalState(eqx.tree_at(lambda energy: energy.network, state.energy, after)), metrics

    def energy(self, state: PrimalState) -> Any:
        """The tilted distribution with the neurons as they are."""
        return state.energy
