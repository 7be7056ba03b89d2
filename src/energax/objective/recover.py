"""Learning from noisy copies: recover the clean row, or compare it with its noisy copies."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractEnergy, Energy, stop_gradient
from energax.objective.base import AbstractMemoryless, Aux
from energax.objective.pairs import (
    average_discrepancy,
    check_discrepancy,
    check_pairs,
    perturb,
)
from energax.sampler import AbstractSampler, run, trace

Batch = Float[Array, " batch *shape"]


class Recovery(AbstractEnergy):
    """E(x) + |x - noisy|^2 / (2 s^2): the distribution of the clean row, given the noisy one."""

    energy: Energy
    noisy: Float[Array, "*shape"]
    noise: float
    shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, energy: Energy, noisy: Float[Array, "*shape"], noise: float):
        self.energy, self.noisy, self.noise, self.shape = energy, noisy, noise, noisy.shape

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        return self.energy(x) + jnp.sum((x - self.noisy) ** 2) / (2 * self.noise**2)


class RecoveryLikelihood(AbstractMemoryless):
    """Likelihood of the clean row x given the noisy row x + s z, s = `noise`.

    p(x | noisy) is proportional to exp(-E(x) - |x - noisy|^2 / (2 s^2)): for small s it has one
    mode, and chains of `steps` steps from the noisy row reach it where those of exp(-E) would not
    mix. Loss: mean E(x) - mean E(chain). The minimiser is the distribution of the data itself.

    Raises:
        ValueError: for a `noise` not above 0 or `steps` below 1.

    Trap: a small s makes sampling easy but the loss nearly blind to the weights of modes; a large s
    makes it ordinary maximum likelihood. The step size of the sampler must suit the width s.
    Source: Bengio et al. (2013); Gao et al. (2021), section 3, at one noise level.

    Example:
        >>> objective = ex.objective.RecoveryLikelihood(ex.sampler.Langevin(0.01), 0.5, steps=5)
        >>> energy, rows = ex.energy.Gaussian(jnp.zeros(2)), jnp.ones((4, 2))
        >>> float(objective(energy, rows, None, key=key)[1].metrics["energy_data"])
        1.0
    """

    sampler: AbstractSampler
    noise: float = 0.5
    steps: int = eqx.field(static=True, default=20)

    def __check_init__(self):
        check_pairs(self.noise)
        if self.steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {self.steps}.")

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        blur, move = jax.random.split(key)
        noisy, frozen = perturb(batch, self.noise, 1, key=blur)[0], stop_gradient(energy)

        def walk(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            goal = Recovery(frozen, x, self.noise)
            state, info = run(self.sampler, goal, x, self.steps, key=k, keep=trace, thin=self.steps)
            return state.x, info.acceptance

        model, accepted = jax.vmap(walk)(noisy, jax.random.split(move, len(batch)))
        on_data = jax.vmap(energy)(batch)
        on_model = jax.vmap(energy)(jax.lax.stop_gradient(model))
        up, down = jnp.mean(on_data), jnp.mean(on_model)
        parts = {
            "loss": up - down,
            "energy_data": up,
            "energy_chain": down,
            "acceptance": jnp.mean(accepted),
            "displacement": jnp.sqrt(jnp.mean((model - noisy) ** 2)),
        }
        return up - down, Aux(memory, parts)


class EnergyDiscrepancy(AbstractMemoryless):
    """Energy discrepancy: how much lower the energy of a row is than that of its neighbourhood.

    mean log(w / M + (1 / M) sum_j exp(E(x) - E(y_j))), y_j = x + s z + s z_j: one perturbation z of
    the row, then M perturbations z_j of the result. With w = 1 the minimiser is the distribution of
    the data for any s and M: given the middle x + s z, the loss is that of ranking x among M draws
    of N(middle, s^2), less log M. As M grows it lies between score matching (small s) and
    likelihood (large s). With M = w = 1 it is half of conditional noise-contrastive estimation at
    the noise sqrt(2) s.

    Args:
        noise: s, in the units of the rows.
        copies: M.
        stabiliser: w, at least 0.

    Raises:
        ValueError: for a value out of its range.

    Trap: s must be small enough for some y_j to be likely, or all of the loss is a constant. With
    w other than 1 the logarithm of a mean over few copies is biased, and so is the minimiser.
    Source: Schröder et al. (2023), whose w is 1 too.

    Example:
        >>> objective = ex.objective.EnergyDiscrepancy(0.3, copies=4)
        >>> flat, rows = lambda x: 0 * jnp.sum(x), jnp.ones((4, 2))
        >>> round(float(objective(flat, rows, None, key=key)[0]), 3)
        0.223
    """

    noise: float = 0.3
    copies: int = eqx.field(static=True, default=16)
    stabiliser: float = 1.0

    def __check_init__(self):
        check_pairs(self.noise)
        check_discrepancy(self.copies, self.stabiliser)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        first, then = jax.random.split(key)
        middle = perturb(batch, self.noise, 1, key=first)[0]
        others = perturb(middle, self.noise, self.copies, key=then)
        here, there = jax.vmap(energy)(batch), jax.vmap(jax.vmap(energy))(others)
        loss = average_discrepancy(here[None] - there, self.stabiliser)
        parts = {"loss": loss, "energy_data": jnp.mean(here), "energy_noise": jnp.mean(there)}
        return loss, Aux(memory, parts)
