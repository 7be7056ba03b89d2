"""Training by any f-divergence from the model to the data: f-EBM."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from energax.energy import Energy
from energax.learner.game.base import AbstractRules, Players
from energax.learner.game.weighted import AbstractSource, WeightedSamples, normalise_weights
from energax.objective import Aux

Batch = Float[Array, " batch *shape"]
Kind = Literal["kl", "reverse-kl", "js", "hellinger", "pearson"]


class _Pair(NamedTuple):
    """f'(e^u) and f*(f'(e^u)), as functions of u and of the |u| at which exponentials are clipped.

    The critic is rewarded by the first for a large u and by the second for a small one: there each
    is held constant beyond the clip. Where it punishes it goes on, exponentials along tangents.
    """

    data: Callable[[Array, float], Array]
    model: Callable[[Array, float], Array]


def _pair(data: Callable[[Array, float], Array], model: Callable[[Array, float], Array]) -> _Pair:
    return _Pair(lambda u, c: data(jnp.minimum(u, c), c), lambda u, c: model(jnp.maximum(u, -c), c))


def _exp(u: Array, limit: float) -> Array:
    """e^u, and beyond `limit` its tangent there: its derivative has a bound and does not vanish."""
    return jnp.exp(jnp.minimum(u, limit)) * (1 + jnp.maximum(u - limit, 0))


_PAIRS: dict[str, _Pair] = {
    "kl": _pair(lambda u, c: 1 + u, _exp),
    "reverse-kl": _pair(lambda u, c: -_exp(-u, c), lambda u, c: u - 1),
    "js": _pair(
        lambda u, c: math.log(2) - jax.nn.softplus(-u),
        lambda u, c: jax.nn.softplus(u) - math.log(2),
    ),
    "hellinger": _pair(lambda u, c: 1 - _exp(-u / 2, c / 2), lambda u, c: _exp(u / 2, c / 2) - 1),
    "pearson": _pair(lambda u, c: 2 * (_exp(u, c) - 1), lambda u, c: _exp(2 * u, 2 * c) - 1),
}


class SharedSamples(eqx.Module):
    """The memory of the source, and the draws of this update, which the rival sees too."""

    source: PyTree
    samples: WeightedSamples


class FDivergence(AbstractRules):
    """Training by any f-divergence from the model to the data, with a critic: f-EBM.

    min over E, max over the rival of E_data[f'(r)] - E_p[f*(f'(r))], r = exp(E - G). The rival is
    an energy G of the data, up to a constant: at its best r = p_data / p and the value is
    D_f(p_data || p). Tilt the same base distribution in both players: then r is a ratio of two
    networks.

    The energy's gradient is Cov_p(f*(f'(r)), dE), from the change of p with E: the mean under p is
    a sum over weighted draws of `source`, whose weights are differentiated.

    Where |log r| exceeds `clip`, the term that rewards the rival for more is held constant and the
    one that punishes it goes on, an exponential along its tangent. So the best rival has log r =
    log(p_data / p) clipped to [-`clip`, `clip`], gradients stay bounded, a rival that is far off
    still comes back, and the value is a lower bound on D_f: for "kl", a density ratio of 1,000 and
    `clip` 5 it is 5,852 in place of 6,908. Metrics: "clipped", the share of data rows beyond.

    Args:
        kind: the f: "kl", "reverse-kl", "js", "hellinger" (squared) or "pearson".
        clip: above 0, in nats.
        full_gradient: add, as the source does, E_data[df'] - E_p[df*] from the E in r. These terms
            cancel at the best rival, and with "kl" leave the gradient of maximum likelihood where
            E_p[r] = 1; but with a rival that lags the energy lowers the value by spoiling r, and
            diverges.

    Raises:
        ValueError: `kind` is unknown or `clip` is not above 0.

    Trap: "reverse-kl" and "pearson" depend on exponentials of the difference of two networks: use a
    smaller `clip`, no momentum, more rounds.
    Source: Yu et al. (2020), theorem 1 and table 1; the clip is ours.

    Example:
        >>> source = ex.learner.FromDistribution(ex.energy.Gaussian(jnp.zeros(2)))
        >>> ex.learner.FDivergence(source, "hellinger").clip
        5.0
    """

    source: AbstractSource
    kind: Kind = eqx.field(static=True, default="js")
    clip: float = 5.0
    full_gradient: bool = eqx.field(static=True, default=False)

    def __check_init__(self):
        if self.kind not in _PAIRS:
            raise ValueError(f"`kind` must be one of {get_args(Kind)}; got {self.kind!r}.")
        if not self.clip > 0:
            raise ValueError(f"`clip` must be above 0; got {self.clip}.")

    def init(self, players: Players, rows: Batch, *, key: PRNGKeyArray) -> SharedSamples:
        first, then = jax.random.split(key)
        memory = self.source.init(rows, key=first)
        samples, memory, _ = self.source(players.energy, rows, memory, key=then)
        return SharedSamples(memory, samples)

    def energy_loss(
        self,
        energy: Energy,
        rival: Energy,
        batch: Batch,
        memory: SharedSamples,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], Aux]:
        samples, source, health = self.source(energy, batch, memory.source, key=key)
        loss, parts = self._value(energy, rival, batch, samples, self.full_gradient)
        return loss, Aux(SharedSamples(source, samples), {"loss": loss} | parts | health)

    def rival_loss(
        self,
        rival: Energy,
        energy: Energy,
        batch: Batch,
        memory: SharedSamples,
        *,
        key: PRNGKeyArray,
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        value, _ = self._value(energy, rival, batch, memory.samples, False)
        return -value, {}

    def _value(
        self, energy: Energy, rival: Energy, batch: Batch, samples: WeightedSamples, through: bool
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        pair = _PAIRS[self.kind]

        def parts(x: Array) -> tuple[Array, Array]:
            here = energy(x)
            return here, (here if through else jax.lax.stop_gradient(here)) - rival(x)

        share = normalise_weights(energy, samples)
        (on_data, real), (on_model, false) = (jax.vmap(parts)(rows) for rows in (batch, samples.x))
        false_value = jnp.sum(share * pair.model(false, self.clip))
        value = jnp.mean(pair.data(real, self.clip)) - false_value
        clipped = jnp.mean(jnp.abs(real) > self.clip).astype(value.dtype)
        found = {"energy_data": jnp.mean(on_data), "energy_rival": jnp.sum(share * on_model)}
        return value, jax.lax.stop_gradient(found | {"clipped": clipped})
