"""Noise-contrastive estimation: data against known noise, or against perturbed copies."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.energy import AbstractDistribution, Energy, draws, log_density
from energax.objective.base import FINITE, REAL, AbstractMemoryless, Aux
from energax.objective.coverage import noise_coverage
from energax.objective.pairs import check_pairs, compare, perturb

Batch = Shaped[Array, " batch *shape"]
Divergence = Literal["logistic", "kl", "squared"]
"""The Bregman divergences of `NoiseContrastiveEstimation`."""


class _Bregman(NamedTuple):
    """Loss of a row as a function of its logit l = log u, u = model / (r noise) at the row."""

    data: Callable[[Array], Array]
    noise: Callable[[Array], Array]


_BREGMAN: dict[str, _Bregman] = {
    "logistic": _Bregman(lambda log_u: jax.nn.softplus(-log_u), jax.nn.softplus),
    "kl": _Bregman(lambda log_u: -log_u, jnp.exp),
    "squared": _Bregman(lambda log_u: -jnp.exp(log_u), lambda log_u: jnp.exp(2 * log_u) / 2),
}


def _against_noise(
    energy: Energy,
    distribution: AbstractDistribution,
    batch: Batch,
    ratio: int,
    *,
    key: PRNGKeyArray,
) -> tuple[Float[Array, " batch"], Float[Array, " noise"], dict[str, Float[Array, ""]]]:
    """-E(x) - log p_noise(x) of the rows and of `ratio` noise draws for each, and mean energies."""
    fake = jax.lax.stop_gradient(draws(distribution, ratio * len(batch), key=key))

    def logit(x: Array) -> tuple[Array, Array]:
        value = energy(x)
        return -value - log_density(distribution, x), value

    (real, on_data), (false, on_noise) = jax.vmap(logit)(batch), jax.vmap(logit)(fake)
    return real, false, {"energy_data": jnp.mean(on_data), "energy_noise": jnp.mean(on_noise)}


class NoiseContrastiveEstimation(AbstractMemoryless):
    """Cross-entropy of the classifier of data against noise with logit -E - log p_noise - log r.

    loss = (mean a(l) over data + r mean b(l) over noise) / (1 + r). At the optimum exp(-E) is the
    density itself, so the energy needs a free constant: wrap it in `Normalised`, whose log Z is
    then learned too.

    Args:
        noise: Distribution of the noise, close to the data.
        ratio: r, noise draws per data row; the tutorial's nu is 1 / r.
        divergence: The Bregman divergence between the density ratios of model and data, by a and b:
            "logistic" softplus(-l) and softplus(l); "kl" -l and exp(l), which is maximum likelihood
            with Z by importance sampling from the noise; "squared" -exp(l) and exp(2 l) / 2.

    Raises:
        ValueError: for a `ratio` below 1 or an unknown `divergence`.

    Metrics: "accuracy" of the classifier, and "noise_coverage" in [0, 1]: the mean P(noise | row)
    over data rows, relative to noise that is distributed as the data. With a good model it is the
    integral of (1 + r) p q / (p + r q) for data p and noise q; near 0 few rows still teach.

    Trap: noise far from the data is classified by a crude energy, and nothing more is learned: see
    `coverage_warning`. "kl" and "squared" have infinite variance where the model's tails are
    heavier than the noise's. Source: Gutmann and Hyvarinen (2012); Song and Kingma (2021), eq.
    18-21; Gutmann and Hirayama (2011) for the other divergences.

    Example:
        >>> objective = ex.objective.NoiseContrastiveEstimation(ex.energy.Gaussian(jnp.zeros(2)))
        >>> energy = ex.energy.Normalised(objective.noise, objective.noise.log_z())
        >>> round(float(objective(energy, jnp.ones((4, 2)), None, key=key)[0]), 3)
        0.693
    """

    serves = (*REAL, *FINITE)
    noise: AbstractDistribution
    ratio: int = eqx.field(static=True, default=1)
    divergence: Divergence = eqx.field(static=True, default="logistic")

    def __check_init__(self):
        if self.ratio < 1:
            raise ValueError(f"`ratio` must be at least 1; got {self.ratio}.")
        if self.divergence not in _BREGMAN:
            raise ValueError(
                f"`divergence` must be one of {get_args(Divergence)}; got {self.divergence!r}."
            )

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        real, false, parts = _against_noise(energy, self.noise, batch, self.ratio, key=key)
        real, false = real - math.log(self.ratio), false - math.log(self.ratio)
        share, cost = 1 / (1 + self.ratio), _BREGMAN[self.divergence]
        loss = share * jnp.mean(cost.data(real)) + (1 - share) * jnp.mean(cost.noise(false))
        right = share * jnp.mean(real > 0) + (1 - share) * jnp.mean(false < 0)
        covered = noise_coverage(jax.nn.sigmoid(-real), self.ratio)
        health = {"accuracy": right.astype(loss.dtype), "noise_coverage": covered}
        return loss, Aux(memory, parts | {"loss": loss} | health)


class RankingNoiseContrastiveEstimation(AbstractMemoryless):
    """Cross-entropy of picking the data row among r = `ratio` noise rows and itself.

    loss = -mean log softmax of the data row, by the logits -E(x) - log p_noise(x). A constant in E
    drops out: log Z is neither needed nor learned. The minimiser is the distribution of the data
    for any r. Metrics are those of `NoiseContrastiveEstimation`.

    Raises:
        ValueError: for a `ratio` below 1.

    Trap: as for `NoiseContrastiveEstimation`. The loss is log(r + 1) where the rows cannot be
    classified; noise far from the data brings it to 0, and nothing more is learned. Source: Ma and
    Collins (2018), the ranking objective; as a loss over representations, van den Oord et al.
    (2018).

    Example:
        >>> noise = ex.energy.Gaussian(jnp.zeros(2))
        >>> objective = ex.objective.RankingNoiseContrastiveEstimation(noise, 3)
        >>> round(float(objective(noise, jnp.ones((4, 2)), None, key=key)[0] - jnp.log(4)), 6)
        0.0
    """

    serves = (*REAL, *FINITE)
    noise: AbstractDistribution
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        if self.ratio < 1:
            raise ValueError(f"`ratio` must be at least 1; got {self.ratio}.")

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        real, false, parts = _against_noise(energy, self.noise, batch, self.ratio, key=key)
        rivals = false.reshape(len(batch), self.ratio)
        whole = jax.nn.logsumexp(jnp.concatenate([real[:, None], rivals], axis=1), axis=1)
        loss = jnp.mean(whole - real)
        right = jnp.mean(real > jnp.max(rivals, axis=1))
        covered = noise_coverage(-jnp.expm1(real - whole), self.ratio)
        health = {"accuracy": right.astype(loss.dtype), "noise_coverage": covered}
        return loss, Aux(memory, parts | {"loss": loss} | health)


class ConditionalNoiseContrastiveEstimation(AbstractMemoryless):
    """Classification of each data row x against perturbed copies y = x + s z, s = `noise`.

    loss = 2 mean softplus(E(x) - E(y)) with `ratio` copies of each row. Consistent for every s,
    without a noise distribution and without Z, because the perturbation is symmetric. As s falls
    the loss is 2 log 2 + s^2 / 2 times implicit score matching.

    Raises:
        ValueError: for a `noise` not above 0 or a `ratio` below 1.

    Trap: with s far below the scale of the data the pairs are alike and the gradient vanishes; far
    above it, a crude energy classifies y. Source: Ceylan and Gutmann (2018), section 2.

    Example:
        >>> objective = ex.objective.ConditionalNoiseContrastiveEstimation(noise=0.3)
        >>> flat, rows = lambda x: 0 * jnp.sum(x), jnp.ones((4, 2))
        >>> round(float(objective(flat, rows, None, key=key)[0] - 2 * jnp.log(2)), 6)
        0.0
    """

    noise: float = 0.3
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_pairs(self.noise, self.ratio)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        others = perturb(batch, self.noise, self.ratio, key=key)
        loss, parts = compare(energy, batch, others, lambda gap: 2 * jax.nn.softplus(gap))
        return loss, Aux(memory, parts)


class SelfPerturbedNoiseContrastiveEstimation(AbstractMemoryless):
    """Classification of each data row x against both x + v and x - v, v = s z, s = `noise`.

    loss = mean softplus(E(x) - E(x - v)) + softplus(E(x) - E(x + v)). As s falls it is 2 log 2 +
    s^2 / 2 times sliced score matching; the two signs cancel every odd term, so its variance is
    below that of two independent directions.

    Raises:
        ValueError: for a `noise` not above 0.

    Trap: as in `ConditionalNoiseContrastiveEstimation`, which has the same mean. The tutorial
    prints the prefactor 1/4 of the expansion, which belongs to half this loss. Source: Song and
    Kingma (2021), eq. 25-26.

    Example:
        >>> objective = ex.objective.SelfPerturbedNoiseContrastiveEstimation(noise=0.3)
        >>> flat, rows = lambda x: 0 * jnp.sum(x), jnp.ones((4, 2))
        >>> round(float(objective(flat, rows, None, key=key)[0] - 2 * jnp.log(2)), 6)
        0.0
    """

    noise: float = 0.3

    def __check_init__(self):
        check_pairs(self.noise)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        ahead = perturb(batch, self.noise, 1, key=key)
        others = jnp.concatenate([ahead, 2 * batch[None] - ahead])
        loss, parts = compare(energy, batch, others, lambda gap: 2 * jax.nn.softplus(gap))
        return loss, Aux(memory, parts)
