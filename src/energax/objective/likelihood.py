"""Maximum likelihood with the model's side replaced by chains: contrastive divergence and kin."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws, stop_gradient
from energax.objective.base import AbstractMemoryless, AbstractObjective, Aux
from energax.sampler import AbstractSampler, Buffer, chains, trace

Batch = Float[Array, " batch *shape"]


def contrast(
    energy: Energy, data: Batch, model: Batch, penalty: float
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """mean E(data) - mean E(model) + penalty (mean (E(data) - m)^2 + mean (E(model) - m)^2).

    m, the mean over both sides, is held constant: a constant in E means nothing, so the penalty
    must not see it (Du and Mordatch 2019 penalise E^2 itself). It keeps the gap within about
    1 / penalty, in nats.

    With model rows drawn from p = exp(-E)/Z and held constant, the gradient of the first two terms
    is that of the mean negative log-likelihood (Song and Kingma 2021, eq. 3-4). Its value is no
    sign of progress: near the optimum it hovers about 0.
    """
    on_data, on_model = jax.vmap(energy)(data), jax.vmap(energy)(jax.lax.stop_gradient(model))
    up, down = jnp.mean(on_data), jnp.mean(on_model)
    middle = jax.lax.stop_gradient((up + down) / 2)
    spread = jnp.mean((on_data - middle) ** 2) + jnp.mean((on_model - middle) ** 2)
    loss = up - down + penalty * spread
    return loss, {"loss": loss, "energy_data": up, "energy_chain": down}


def walk(
    sampler: AbstractSampler, energy: Energy, starts: Batch, steps: int, *, key: PRNGKeyArray
) -> tuple[Batch, dict[str, Float[Array, ""]]]:
    """Chains that no gradient flows through: where they end, and how they fared."""
    state, info = chains(
        sampler, stop_gradient(energy), starts, steps, key=key, keep=trace, thin=steps
    )
    health = {
        "acceptance": jnp.mean(info.acceptance),
        "input_grad_norm": jnp.mean(info.slope),
        "displacement": jnp.sqrt(jnp.mean((state.x - starts) ** 2)),
    }
    return jax.lax.stop_gradient(state.x), health


def _check(steps: int, penalty: float) -> None:
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1; got {steps}.")
    if not penalty >= 0:
        raise ValueError(f"`penalty` must be at least 0; got {penalty}.")


class ContrastiveDivergence(AbstractMemoryless):
    """CD-k: chains of `steps` steps that start at the data.

    Biased for any finite k: with one Langevin step of size h its gradient is h times that of score
    matching, not of the likelihood. Source: Hinton (2002); for the link with score matching,
    Hyvarinen (2007) and Song and Kingma (2021), section 4.3.
    """

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
    """Chains of `steps` steps that start afresh from `distribution` at every update.

    The chain becomes part of the model: draw with the same distribution, sampler and number of
    steps that it was trained with, for longer chains leave the data. Source: Nijkamp et al. (2019).
    """

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
    """Chains that live on in a buffer of `size` states; a fraction `reinit_probability` starts
    again from `distribution`.

    At each update as many slots as the batch has rows are picked without replacement, walk `steps`
    steps and go back to where they came from. Unbiased as far as the buffer follows the changing
    distribution: a large step of the optimiser outruns it. Sources: Tieleman (2008); Du and
    Mordatch (2019) for the buffer.
    """

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
    """CD-k that also lowers KL(chain | model), how far the chains' own distribution is from the
    model.

    Added are `through` times (mean E(chain), E held constant and the chain differentiated through
    its last step) less `entropy` times the chains' entropy, in nats and up to a constant: d times
    the mean log distance of a chain to the nearest other one, for examples of d entries.

    For short steps h, CD-k gives k h times the slope of the Fisher divergence and the two terms -h
    times it. So `steps` = 1 learns next to nothing. CD's own objective, KL(data | model) -
    KL(chain | model), has them with the other sign (Hinton 2002).

    Trap: the noise of the last step makes close neighbours move apart at unrelated speeds, so on
    two axes the slope of the entropy has infinite variance and on one axis no mean: clip it. In
    many axes neighbours are far apart: the slope is exact for a scaling of all axes, too large
    along wide axes and too small along narrow ones. The last step of a sampler that rejects has no
    useful slope: give it Langevin. Two chains at one point have log distance -inf, which stops the
    run. Source: Du et al. (2021), section 3, where the factor d is left out; Kozachenko and
    Leonenko (1987) for the entropy.
    """

    sampler: AbstractSampler
    steps: int = eqx.field(static=True, default=20)
    penalty: float = 0.0
    through: float = 1.0
    entropy: float = 1.0

    def __check_init__(self):
        _check(self.steps, self.penalty)
        for name in ("through", "entropy"):
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
        spread = jnp.mean(jnp.log(nearest_distance(moved)))
        total = loss + self.through * cost - self.entropy * batch[0].size * spread
        health = {
            "acceptance": jnp.mean(accepted),
            "displacement": jnp.sqrt(jnp.mean((moved - batch) ** 2)),
            "log_nearest": spread,
        }
        return total, Aux(memory, parts | {"loss": total} | jax.lax.stop_gradient(health))
