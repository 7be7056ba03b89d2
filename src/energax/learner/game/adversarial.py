"""Maximum likelihood against a rival that draws samples: no chains."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws, log_density, stop_gradient
from energax.learner.game.base import AbstractMemorylessRules
from energax.learner.game.posterior import estimate_score, widen
from energax.network import NoisyGenerator
from energax.objective import Aux
from energax.objective.likelihood import contrast

Batch = Float[Array, " batch *shape"]


def contrast_with_rival(
    energy: Energy, batch: Batch, rivals: Batch, penalty: float
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """mean E(data) - mean E(rival), with the penalty of `contrast` on the spread of E."""
    loss, parts = contrast(energy, batch, rivals, penalty)
    names = {"energy_chain": "energy_rival"}
    return loss, {names.get(name, name): value for name, value in parts.items()}


def check_penalty(penalty: float) -> None:
    """Raise ValueError for a penalty that would reward."""
    if not penalty >= 0:
        raise ValueError(f"`penalty` must be at least 0; got {penalty}.")


class AdversarialLikelihood(AbstractMemorylessRules):
    """Maximum likelihood where a normalised distribution q replaces the chains.

    Energy: mean E(data) - E_q[E], plus `penalty` times the spread of E over both. Rival, any
    reparameterised distribution (a `Flow`): E_q[E] - H(q) = E_q[E + log q]. That value less mean
    E(data) bounds the mean log-likelihood from above, by KL(q || p). Of the rival's gradient only
    the path through the draw is kept: the other part has mean 0, and without it the noise vanishes
    where q = p (Roeder et al. 2017).

    Raises:
        ValueError: `penalty` is below 0.

    Trap: where q has no mass the energy is not trained, and KL(q || p) hardly responds to a mode
    that q has lost. Fit q to the data first, tilt a base distribution that is near them, and give q
    several rounds for each of the energy.
    Source: Song and Kingma (2021), eq. 31-32; Dai et al. (2017).

    Example:
        >>> players = ex.learner.Players(*[ex.energy.Gaussian(jnp.full(2, m)) for m in (0.0, 1.0)])
        >>> rules, rows = ex.learner.AdversarialLikelihood(), jnp.zeros((4, 2))
        >>> loss, aux = rules.energy_loss(players.energy, players.rival, rows, None, key=key)
    """

    penalty: float = 0.0

    def __check_init__(self):
        check_penalty(self.penalty)

    def energy_loss(
        self,
        energy: Energy,
        rival: AbstractDistribution,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        loss, parts = contrast_with_rival(
            energy, batch, draws(rival, len(batch), key=key), self.penalty
        )
        return loss, Aux(memory, parts)

    def rival_loss(
        self,
        rival: AbstractDistribution,
        energy: Energy,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        frozen = stop_gradient(rival)
        rows = draws(rival, len(batch), key=key)
        entropy = -jnp.mean(jax.vmap(lambda x: log_density(frozen, x))(rows))
        loss = jnp.mean(jax.vmap(energy)(rows)) - entropy
        return loss, {"rival_entropy": entropy}


class AdversarialGenerator(AbstractMemorylessRules):
    """Maximum likelihood where a generator replaces the chains; its entropy is raised by its score.

    Energy: as in `AdversarialLikelihood`. Rival, a `NoisyGenerator`: E_q[E] - H(q), where of the
    entropy only the gradient is known, dH = -E[score(x) . dx] with score(x) = d log q(x) / dx,
    estimated from `proposals` draws of the latent vector given x. The value of its loss leaves H
    out.

    Metrics: "rival_proposals", the effective number of those draws; near 1 the score is poor, and a
    generator with more noise is the cure. "rival_score_scale", -E[score . (x - E x)] for each
    number of x: 1 in the mean for the true score (integration by parts), above 1 where the entropy
    counts too much. It shows some of the bias that the effective number hides.

    Args:
        proposals: at least 1.
        penalty: at least 0, on the spread of E.

    Raises:
        ValueError: a setting is out of range.

    Trap: the score is biased where the generator bends. For g = 0.8 z + 0.3 sin 2z and noise 0.3
    the root mean square of the bias is 13% of that of the score at 16 proposals, of which 11.9 are
    effective. Where the data are finer than the generator's noise its draws never get as narrow,
    and E narrows without bound unless `penalty` stops it. A generator that starts far from the
    energy's distribution leaves gaps that E then lowers: start from a broad base distribution, and
    train the generator alone at first.
    Source: Grathwohl et al. (2021), section 3, with a proposal of our own.

    Example:
        >>> ex.learner.AdversarialGenerator(proposals=16).penalty
        0.0
    """

    proposals: int = eqx.field(static=True, default=16)
    penalty: float = 0.0

    def __check_init__(self):
        check_penalty(self.penalty)
        if self.proposals < 1:
            raise ValueError(f"`proposals` must be at least 1; got {self.proposals}.")

    def energy_loss(
        self,
        energy: Energy,
        rival: NoisyGenerator,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        rivals = jax.vmap(lambda k: rival.sample(key=k))(jax.random.split(key, len(batch)))
        loss, parts = contrast_with_rival(energy, batch, rivals, self.penalty)
        return loss, Aux(memory, parts)

    def rival_loss(
        self,
        rival: NoisyGenerator,
        energy: Energy,
        batch: Batch,
        memory: None,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        frozen = stop_gradient(rival)

        factor = widen(rival.latent)

        def one(key: PRNGKeyArray) -> tuple[Array, ...]:
            first, then = jax.random.split(key)
            z, x = rival.sample_pair(key=first)
            still = jax.lax.stop_gradient(x)
            score, size = estimate_score(frozen, still, z, self.proposals, factor, key=then)
            score = jax.lax.stop_gradient(score)
            # The pull has the value 0 and the gradient of the negative entropy.
            return energy(x), jnp.sum(score * (x - still)), still, score, size

        cost, pull, x, score, size = jax.vmap(one)(jax.random.split(key, len(batch)))
        metrics = {"rival_proposals": jnp.mean(size), "rival_score_scale": _scale(x, score)}
        return jnp.mean(cost) + jnp.mean(pull), metrics


def _scale(x: Batch, score: Batch) -> Float[Array, ""]:
    """-mean of score . (x - mean x) for each number of x: 1 in the mean for the true score."""
    apart = x - jnp.mean(x, axis=0, keepdims=True)
    return -jnp.sum(score * apart) / (max(len(x) - 1, 1) * x[0].size)
