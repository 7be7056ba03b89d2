"""Learning by comparison: data against noise of a known distribution, or against disturbed
copies."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws, log_density
from energax.objective.base import AbstractMemoryless, Aux
from energax.objective.pairs import check_pairs, compared, disturbed

Batch = Float[Array, " batch *shape"]
Divergence = Literal["logistic", "kl", "squared"]


class _Bregman(NamedTuple):
    """What a row costs, as a function of its logit l = log u, u = model / (r noise) at the row."""

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
    """Cross-entropy of the classifier with logit l(x) = -E(x) - log p_noise(x) - log r.

    r = `ratio` noise draws per data row (the tutorial's nu is 1 / r); loss = (mean a(l) over data
    + r mean b(l) over noise) / (1 + r), with a and b those of the `divergence`: "logistic"
    softplus(-l) and softplus(l); "kl" -l and exp(l), which is maximum likelihood with Z by
    importance sampling from the noise; "squared" -exp(l) and exp(2 l) / 2. Each is the Bregman
    divergence of a convex function between the ratio of the densities and the one of the data. At
    the optimum exp(-E) is the density itself, so the energy needs a free constant: wrap it in
    `Normalised`, whose log Z then comes out right.

    Trap: noise far from the data is told apart by a crude energy, and nothing more is learned;
    "kl" and "squared" have infinite variance where the model's tails are heavier than the noise's.
    Source: Gutmann and Hyvarinen (2012); Song and Kingma (2021), eq. 18-21; Gutmann and Hirayama
    (2011) for the other divergences.
    """

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
        return loss, Aux(memory, parts | {"loss": loss, "accuracy": right.astype(loss.dtype)})


class RankingNoiseContrastiveEstimation(AbstractMemoryless):
    """Which of r + 1 rows is the data row? Cross-entropy of softmax(-E(x) - log p_noise(x)).

    r = `ratio` rows of noise stand beside each data row; loss = -mean log of the share that the
    data row gets. A constant in E drops out: log Z is neither needed nor learned. Its minimiser is
    the distribution of the data for any r. Source: Ma and Collins (2018), the ranking objective; as
    a loss over representations, van den Oord et al. (2018).

    Trap: as for `NoiseContrastiveEstimation`. The loss starts at log(r + 1), where nothing is told
    apart; noise that is too easy brings it to 0, and nothing more is learned.
    """

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
        return loss, Aux(memory, parts | {"loss": loss, "accuracy": right.astype(loss.dtype)})


class ConditionalNoiseContrastiveEstimation(AbstractMemoryless):
    """Which of x and y = x + s z is the data row? 2 mean softplus(E(x) - E(y)), s = `noise`.

    `ratio` disturbed copies of each row. Consistent for every s, without a noise distribution and
    without Z: the disturbed point is as likely to come from the row as the row from it. As s falls
    the loss is 2 log 2 + s^2 / 2 times implicit score matching.

    Trap: with s far below the scale of the data the pairs are alike and the gradient vanishes; far
    above it, y is told apart by a crude energy. Source: Ceylan and Gutmann (2018), section 2.
    """

    noise: float = 0.3
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_pairs(self.noise, self.ratio)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        others = disturbed(batch, self.noise, self.ratio, key=key)
        loss, parts = compared(energy, batch, others, lambda gap: 2 * jax.nn.softplus(gap))
        return loss, Aux(memory, parts)


class SelfPerturbedNoiseContrastiveEstimation(AbstractMemoryless):
    """Noise made of the data, told apart by the model itself: both x + v and x - v for each row.

    mean softplus(E(x) - E(x - v)) + softplus(E(x) - E(x + v)) with v = s z, s = `noise`. As s falls
    it is 2 log 2 + s^2 / 2 times sliced score matching; the two signs cancel every odd term, so
    its variance is below that of two independent directions.

    Trap: as in `ConditionalNoiseContrastiveEstimation`, whose mean it shares. The tutorial prints
    the prefactor 1/4 of the expansion, which belongs to half this loss. Source: Song and Kingma
    (2021), eq. 25-26.
    """

    noise: float = 0.3

    def __check_init__(self):
        check_pairs(self.noise)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        ahead = disturbed(batch, self.noise, 1, key=key)
        others = jnp.concatenate([ahead, 2 * batch[None] - ahead])
        loss, parts = compared(energy, batch, others, lambda gap: 2 * jax.nn.softplus(gap))
        return loss, Aux(memory, parts)
