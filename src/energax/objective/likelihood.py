"""Maximum likelihood with the model term by chains: contrastive divergence and its variants."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.energy import AbstractDistribution, Energy, draws, stop_gradient
from energax.objective.base import FINITE, REAL, AbstractMemoryless, AbstractObjective, Aux
from energax.sampler import AbstractSampler, Buffer, chains, trace

Batch = Shaped[Array, " batch *shape"]


def contrast(
    energy: Energy, data: Batch, model: Batch, penalty: float
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """mean E(data) - mean E(model) + penalty (mean (E(data) - m)^2 + mean (E(model) - m)^2).

    m, the mean over both sides, is held constant: a constant in E has no meaning, so the penalty
    must ignore it (Du and Mordatch 2019 penalise E^2 itself). It keeps the gap within about
    1 / penalty, in nats.

    With model rows drawn from p = exp(-E)/Z and held constant, the gradient of the first two terms
    is that of the mean negative log-likelihood (Song and Kingma 2021, eq. 3-4). The value does not
    measure progress: near the optimum it fluctuates about 0.
    """
    on_data, on_model = jax.vmap(energy)(data), jax.vmap(energy)(jax.lax.stop_gradient(model))
    up, down = jnp.mean(on_data), jnp.mean(on_model)
    middle = jax.lax.stop_gradient((up + down) / 2)
    variation = jnp.mean((on_data - middle) ** 2) + jnp.mean((on_model - middle) ** 2)
    loss = up - down + penalty * variation
    return loss, {"loss": loss, "energy_data": up, "energy_chain": down}


def measure_displacement(before: Batch, after: Batch) -> Float[Array, ""]:
    """The root mean square move, of real numbers; of bits and categories the share of changed sites
    in [0, 1], for a difference of categories says nothing."""
    if jnp.issubdtype(before.dtype, jnp.floating):
        return jnp.sqrt(jnp.mean((after - before) ** 2))
    return jnp.mean(after != before)


def walk(
    sampler: AbstractSampler, energy: Energy, starts: Batch, steps: int, *, key: PRNGKeyArray
) -> tuple[Batch, dict[str, Float[Array, ""]]]:
    """Chains that no gradient flows through: their last positions and their diagnostics."""
    state, info = chains(
        sampler, stop_gradient(energy), starts, steps, key=key, keep=trace, thin=steps
    )
    health = {
        "acceptance": jnp.mean(info.acceptance),
        "input_grad_norm": jnp.mean(info.grad_norm),
        "displacement": measure_displacement(starts, state.x).astype(info.acceptance.dtype),
    }
    return jax.lax.stop_gradient(state.x), health


def _check(steps: int, penalty: float) -> None:
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1; got {steps}.")
    if not penalty >= 0:
        raise ValueError(f"`penalty` must be at least 0; got {penalty}.")


class ContrastiveDivergence(AbstractMemoryless):
    """CD-k: mean E(data) - mean E(chain), chains of k = `steps` steps that start at the data.

    Args:
        penalty: Weight of the mean squared deviation of E, over data and chains, from its mean;
            bounds the gap.

    Raises:
        ValueError: for `steps` below 1 or a negative `penalty`.

    Trap: biased for any finite k. With one Langevin step of size h its gradient is h times that of
    score matching, not of the likelihood. Source: Hinton (2002); for the link with score matching,
    Hyvarinen (2007) and Song and Kingma (2021), section 4.3.

    Example:
        >>> objective = ex.objective.ContrastiveDivergence(ex.sampler.Langevin(0.1), steps=5)
        >>> energy, rows = ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((4, 2))
        >>> float(objective(energy, rows, None, key=key)[1].metrics["energy_data"])
        1.0
    """

    serves = (*REAL, *FINITE)
    sampler: AbstractSampler
    steps: int = eqx.field(static=True, default=20)
    penalty: float = 0.0

    def __check_init__(self):
        _check(self.steps, self.penalty)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        model, health = walk(self.sampler, energy, batch, self.steps, key=key)
        loss, parts = contrast(energy, batch, model, self.penalty)
        return loss, Aux(memory, parts | health)


class ShortRun(AbstractMemoryless):
    """Contrastive divergence with chains of `steps` steps that start at draws of `distribution`.

    `penalty` as in `ContrastiveDivergence`.

    Raises:
        ValueError: for `steps` below 1 or a negative `penalty`.

    Trap: the chain becomes part of the model. Sample with the distribution, sampler and number of
    steps of training, for longer chains leave the data. Source: Nijkamp et al. (2019).

    Example:
        >>> energy, rows = ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((4, 2))
        >>> objective = ex.objective.ShortRun(ex.sampler.Langevin(0.1), energy, steps=5)
        >>> float(objective(energy, rows, None, key=key)[1].metrics["energy_data"])
        1.0
    """

    serves = (*REAL, *FINITE)
    sampler: AbstractSampler
    distribution: AbstractDistribution
    steps: int = eqx.field(static=True, default=60)
    penalty: float = 0.0

    def __check_init__(self):
        _check(self.steps, self.penalty)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        born, move = jax.random.split(key)
        starts = draws(self.distribution, len(batch), key=born)
        model, health = walk(self.sampler, energy, starts, self.steps, key=move)
        loss, parts = contrast(energy, batch, model, self.penalty)
        return loss, Aux(memory, parts | health)


class PersistentContrastiveDivergence(AbstractObjective):
    """Contrastive divergence with persistent chains, kept in a buffer of `size` states.

    Each update takes as many chains as the batch has rows, without replacement, moves them by
    `steps` steps and puts them back.

    Args:
        distribution: Where chains start.
        size: Chains in the buffer, at least the batch size.
        reinit_probability: Probability that a chain starts again at a draw of `distribution`.
        penalty: As in `ContrastiveDivergence`.

    Raises:
        ValueError: for a value out of its range, or a batch larger than the buffer.

    Trap: unbiased only as far as the chains follow the changing model: large optimiser steps outrun
    them. Source: Tieleman (2008); Du and Mordatch (2019) for the buffer.

    Example:
        >>> energy, walk = ex.energy.Gaussian(jnp.zeros(2)), ex.sampler.Langevin(0.1)
        >>> objective = ex.objective.PersistentContrastiveDivergence(walk, energy, size=8)
        >>> objective.init(energy, jnp.ones((4, 2)), key=key).x.shape
        (8, 2)
    """

    serves = (*REAL, *FINITE)
    sampler: AbstractSampler
    distribution: AbstractDistribution
    steps: int = eqx.field(static=True, default=20)
    size: int = eqx.field(static=True, default=8192)
    reinit_probability: float = 0.05
    penalty: float = 0.0

    def __check_init__(self):
        _check(self.steps, self.penalty)
        if not 0 <= self.reinit_probability <= 1:
            raise ValueError(
                f"`reinit_probability` must lie in [0, 1]; got {self.reinit_probability}."
            )
        if self.size < 1:
            raise ValueError(f"`size` must be at least 1; got {self.size}.")

    def init(self, energy: Energy, rows: Batch, *, key: PRNGKeyArray) -> Buffer:
        if len(rows) > self.size:
            raise ValueError(
                f"`size` must be at least the batch size, {len(rows)}; got {self.size}."
            )
        return Buffer.create(self.distribution, self.size, key=key)

    def __call__(
        self, energy: Energy, batch: Batch, memory: Buffer, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        choose, move = jax.random.split(key)
        slots, old = memory.draw(self.distribution, len(batch), self.reinit_probability, key=choose)
        model, health = walk(self.sampler, energy, old.x, self.steps, key=move)
        loss, parts = contrast(energy, batch, model, self.penalty)
        age = {"age": jnp.mean(old.age.astype(loss.dtype))}
        return loss, Aux(memory.update(slots, model, old.age), parts | health | age)


def nearest_distance(points: Batch) -> Float[Array, " batch"]:
    """Distance of each point to the nearest other one; gradients move both ends, not the choice."""
    flat = points.reshape(len(points), -1)
    still = jax.lax.stop_gradient(flat)
    squared = jnp.sum((still[:, None] - still[None]) ** 2, axis=2)
    nearest = jnp.argmin(jnp.where(jnp.eye(len(points), dtype=bool), jnp.inf, squared), axis=1)
    return jnp.sqrt(jnp.sum((flat - flat[nearest]) ** 2, axis=1))


class ImprovedContrastiveDivergence(AbstractMemoryless):
    """CD-k that also lowers KL(chain | model), the divergence of the chains from the model.

    Added to CD-k are `pathwise_weight` times mean E(chain), with E held constant and the chain
    differentiated through its last step, and -`entropy_weight` times the chains' entropy. The
    entropy, in nats and up to a constant, is d times the mean log distance of a chain to the
    nearest other one, for examples of d entries; both ends of a distance are differentiated.

    For short steps h, CD-k gives k h times the gradient of the Fisher divergence and the two terms
    -h times it. So `steps` = 1 learns next to nothing. CD's own objective, KL(data | model) -
    KL(chain | model), has them with the other sign (Hinton 2002).

    Raises:
        ValueError: for `steps` below 1 or a negative weight or `penalty`.

    Trap: the noise of the last step makes close neighbours move apart at unrelated speeds, so on
    two axes the gradient of the entropy has infinite variance and on one axis no mean: clip it. In
    many axes neighbours are far apart: the gradient is exact for a scaling of all axes, too large
    along wide axes and too small along narrow ones. The last step of a sampler that rejects has no
    useful gradient: use Langevin. Two chains at one point have log distance -inf, which stops the
    run. Source: Du et al. (2021), section 3, where the factor d is left out; Kozachenko and
    Leonenko (1987) for the entropy.

    Example:
        >>> objective = ex.objective.ImprovedContrastiveDivergence(ex.sampler.Langevin(0.1), 5)
        >>> energy, rows = ex.energy.Gaussian(jnp.zeros(3)), jax.random.normal(key, (8, 3))
        >>> "log_nearest" in objective(energy, rows, None, key=key)[1].metrics
        True
    """

    sampler: AbstractSampler
    steps: int = eqx.field(static=True, default=20)
    penalty: float = 0.0
    pathwise_weight: float = 1.0
    entropy_weight: float = 1.0

    def __check_init__(self):
        _check(self.steps, self.penalty)
        for name in ("pathwise_weight", "entropy_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least 0; got {getattr(self, name)}.")

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        move, last = jax.random.split(key)
        near, frozen = batch, stop_gradient(energy)
        if self.steps > 1:
            near = walk(self.sampler, energy, batch, self.steps - 1, key=move)[0]

        def end(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            first, then = jax.random.split(k)
            state = self.sampler.init(energy, x, key=first)
            state, info = self.sampler.step(energy, state, key=then)
            return state.x, info.acceptance

        moved, accepted = jax.vmap(end)(near, jax.random.split(last, len(batch)))
        loss, parts = contrast(energy, batch, moved, self.penalty)
        cost = jnp.mean(jax.vmap(frozen)(moved))
        log_nearest = jnp.mean(jnp.log(nearest_distance(moved)))
        total = (
            loss + self.pathwise_weight * cost - self.entropy_weight * batch[0].size * log_nearest
        )
        health = {
            "acceptance": jnp.mean(accepted),
            "displacement": jnp.sqrt(jnp.mean((moved - batch) ** 2)),
            "log_nearest": log_nearest,
        }
        return total, Aux(memory, parts | {"loss": total} | jax.lax.stop_gradient(health))
