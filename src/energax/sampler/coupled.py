"""Coupled chains that meet: unbiased expectations under exp(-E)/Z from chains of finite length."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws


class Place(eqx.Module):
    """Where one of the chains is, and the energy and its slope there."""

    x: Float[Array, "*shape"]
    energy: Float[Array, ""]
    slope: Float[Array, "*shape"]


class Pair(eqx.Module):
    """The chain ahead, the one that is a step behind it, and whether they have met."""

    ahead: Place
    behind: Place
    met: Bool[Array, ""]


class SignedSamples(eqx.Module):
    """Points with weights that add to 1, some negative: sum_i weight_i h(x_i) estimates E[h].

    Example:
        >>> signed = ex.sampler.SignedSamples(jnp.arange(3.0)[:, None], jnp.array([1.0, 0.5, -0.5]))
        >>> float(signed.weight @ signed.x[:, 0])
        -0.5
    """

    x: Float[Array, " points *shape"]
    weight: Float[Array, " points"]


class Meeting(eqx.Module):
    """How two coupled chains met.

    Args:
        time: First step at which they agree; limit + 1 if not before.
        met: Whether they agree at the last step.
        acceptance: Mean acceptance probability of the chain ahead.

    Example:
        >>> walk = ex.sampler.CoupledLangevin(ex.energy.Gaussian(jnp.zeros(2)), 0.5)
        >>> _, meeting = ex.sampler.run_coupled(walk, walk.distribution, 1, 2, 40, key=key)
        >>> bool(meeting.met)
        True
    """

    time: Int[Array, ""]
    met: Bool[Array, ""]
    acceptance: Float[Array, ""]


def reflect(
    first: Float[Array, "*shape"],
    second: Float[Array, "*shape"],
    width: Float[Array, ""],
    *,
    key: PRNGKeyArray,
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Reflection coupling of N(first, width^2) and N(second, width^2): equal as often as can be.

    Where they differ, the noise of one is that of the other reflected in the plane between the
    means. Source: Bou-Rabee, Eberle and Zimmer (2020); Jacob et al. (2020), section 4.1.
    """
    draw, coin = jax.random.split(key)
    noise = jax.random.normal(draw, first.shape, first.dtype)
    gap = (first - second) / width
    along, square = jnp.sum(gap * noise), jnp.sum(gap**2)
    same = jnp.log(jax.random.uniform(coin, (), first.dtype)) < -(along + square / 2)
    turned = noise - 2 * along / jnp.where(square > 0, square, 1) * gap
    x = first + width * noise
    return x, jnp.where(same, x, second + width * turned)


class CoupledLangevin(eqx.Module):
    """Metropolis-adjusted Langevin with jumps, for two coupled chains that can meet exactly.

    With probability `jump` a step proposes a draw of `distribution`, the same for both chains; else
    each proposes its own x - h dE/dx + sqrt(2h) z, h = `step_size`, by reflection coupling. One
    uniform number accepts or rejects for both, so each chain alone is a Metropolis-Hastings chain
    for exp(-E)/Z, exact for any setting.

    Args:
        distribution: Where chains start and jump to. Jumps let chains in different modes meet, if
            it is close enough to the model for some of its draws to be accepted.

    Raises:
        ValueError: for a `step_size` not above 0 or a `jump` outside [0, 1).

    Example:
        >>> walk = ex.sampler.CoupledLangevin(ex.energy.Gaussian(jnp.zeros(2)), 0.5, jump=0.2)
        >>> float(walk.at(walk.distribution, jnp.ones(2)).energy)
        1.0
    """

    distribution: AbstractDistribution
    step_size: float
    jump: float = 0.5

    def __check_init__(self):
        if not self.step_size > 0:
            raise ValueError(f"`step_size` must be above 0; got {self.step_size}.")
        if not 0 <= self.jump < 1:
            raise ValueError(f"`jump` must lie in [0, 1); got {self.jump}.")

    def at(self, energy: Energy, x: Float[Array, "*shape"]) -> Place:
        """A chain at `x`, with the energy and its gradient there."""
        return Place(x, *jax.value_and_grad(energy)(x))

    def _mean(self, place: Place) -> Float[Array, "*shape"]:
        return place.x - self.step_size * place.slope

    def _accept(
        self, energy: Energy, old: Place, x: Array, jump: Array, level: Array
    ) -> tuple[Place, Float[Array, ""]]:
        """To `x` if `level`, the log of a uniform number, lies below the log-odds; else stay.

        Metropolis and Hastings: the odds are exp(E(old) - E(x)) q(old | x) / q(x | old).
        """
        new = self.at(energy, x)
        there = jnp.sum((new.x - self._mean(old)) ** 2)
        back = jnp.sum((old.x - self._mean(new)) ** 2)
        far = self.distribution(new.x) - self.distribution(old.x)
        proposed = jnp.where(jump, far, (there - back) / (4 * self.step_size))
        odds = old.energy - new.energy + proposed
        place = jax.tree.map(lambda a, b: jnp.where(level < odds, a, b), new, old)
        return place, jnp.exp(jnp.minimum(odds, 0))

    def step(
        self, energy: Energy, pair: Pair, *, key: PRNGKeyArray
    ) -> tuple[Pair, Float[Array, ""]]:
        """A step of both chains, and the acceptance of the one ahead. Once met, they stay equal."""
        kind, near, far, accept = jax.random.split(key, 4)
        dtype = pair.ahead.x.dtype
        jump = jax.random.bernoulli(kind, self.jump)
        level = jnp.log(jax.random.uniform(accept, (), dtype))
        width = jnp.asarray((2 * self.step_size) ** 0.5, dtype)
        close = reflect(self._mean(pair.ahead), self._mean(pair.behind), width, key=near)
        common = self.distribution.sample(key=far)
        first, second = (jnp.where(jump, common, x) for x in close)
        ahead, taken = self._accept(energy, pair.ahead, first, jump, level)
        behind, _ = self._accept(energy, pair.behind, second, jump, level)
        met = pair.met | jnp.all(ahead.x == behind.x)
        behind = jax.tree.map(lambda a, b: jnp.where(met, a, b), ahead, behind)
        return Pair(ahead, behind, met), taken


def check_span(burn: int, last: int, limit: int) -> None:
    """Check the lengths that `run_coupled` takes: ValueError unless 1 <= burn <= last <= limit.

    Example:
        >>> ex.sampler.check_span(2, 4, 8)
    """
    if not 1 <= burn <= last <= limit:
        raise ValueError(
            f"`burn`, `last` and `limit` must be 1 <= burn <= last <= limit; got {burn}, {last} "
            f"and {limit}."
        )


def run_coupled(
    kernel: CoupledLangevin,
    energy: Energy,
    burn: int,
    last: int,
    limit: int,
    *,
    key: PRNGKeyArray,
) -> tuple[SignedSamples, Meeting]:
    """Unbiased samples of exp(-E)/Z: points of two coupled chains, with signed weights.

    X starts one step ahead of Y; tau is the first t with X_t = Y_(t-1). With k = `burn`, m = `last`
    the weighted sum of any h is the mean of h(X_k), ..., h(X_m) plus, over k < t < tau,
    w_t (h(X_t) - h(Y_(t-1))) with w_t = min(1, (t - k) / (m - k + 1)). Its mean is E[h].

    Args:
        energy: Pass `stop_gradient(energy)`: no gradient should flow through the chains.
        limit: Last step of the pair; X makes limit + 1 steps.

    Returns:
        2 (limit + 1 - burn) points, and how the chains met.

    Raises:
        ValueError: unless 1 <= burn <= last <= limit.

    Trap: a pair that has not met by then leaves its last corrections out, so the mean is exact only
    if every pair meets: watch `met`; raise `limit`, or choose a `distribution` closer to the model.
    Chains that start in one mode soon meet there, and the mean is right only through rare pairs
    that visit another: `distribution` must cover all modes. Source: Jacob, O'Leary and Atchade
    (2020), section 2.

    Example:
        >>> walk = ex.sampler.CoupledLangevin(ex.energy.Gaussian(jnp.zeros(2)), 0.5)
        >>> signed, _ = ex.sampler.run_coupled(walk, walk.distribution, 2, 4, 8, key=key)
        >>> signed.x.shape, round(float(signed.weight.sum()), 6)
        ((14, 2), 1.0)
    """
    check_span(burn, last, limit)
    born, first, rest = jax.random.split(key, 3)
    start, other = (kernel.at(energy, x) for x in draws(kernel.distribution, 2, key=born))
    no = jnp.zeros((), bool)
    moved = kernel.step(energy, Pair(start, start, no), key=first)[0].ahead
    pair = Pair(moved, other, no)

    def body(pair: Pair, key: PRNGKeyArray) -> tuple[Pair, tuple]:
        seen = pair.ahead.x, pair.behind.x, pair.met
        pair, taken = kernel.step(energy, pair, key=key)
        return pair, (*seen, taken)

    end, (ahead, behind, met, taken) = jax.lax.scan(body, pair, jax.random.split(rest, limit))
    dtype, step = ahead.dtype, jnp.arange(burn, limit + 1)
    share = 1 / (last - burn + 1)
    mean = jnp.where(step <= last, share, 0.0).astype(dtype)
    ramp = jnp.minimum(1, (step - burn).astype(dtype) * share)
    left = jnp.where(met[burn - 1 :], 0, ramp)
    points = jnp.concatenate([ahead[burn - 1 :], behind[burn - 1 :]])
    time = 1 + jnp.sum(~met)
    signed = SignedSamples(points, jnp.concatenate([mean + left, -left]))
    return signed, Meeting(time, end.met, jnp.mean(taken))
