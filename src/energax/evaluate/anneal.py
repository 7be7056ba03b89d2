"""Annealed walks of many particles: one compiled program, forward, backward or standing still."""

import math

import blackjax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.mcmc.metrics import Metric, gaussian_euclidean
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from energax.energy import draws, score
from energax.evaluate.path import AbstractPath
from energax.sampler import FromBlackjax, Info, State

JITTER = 0.2
"""By how much at most a random step size is longer or shorter: a fixed one resonates with a
near-Gaussian distribution."""

DENSE = 256
"""Largest number of axes for which the mass matrix of the moves is a full matrix."""


class Kernel(eqx.Module):
    """A transition that leaves exp(-E_t) as it is: a jump to base draws, then Hamiltonian steps.

    The jump alone crosses from mode to mode; the Hamiltonian steps alone go where no base draw
    falls. `leaps` leapfrog steps; `tries` base draws offered to each particle.
    """

    inverse_mass: Float[Array, "..."]
    leaps: int = eqx.field(static=True)
    tries: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.leaps < 1 or self.tries < 1:
            raise ValueError(
                f"`leaps` and `tries` must be at least 1; got {self.leaps} and {self.tries}."
            )

    def jump(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        x: Float[Array, "*shape"],
        allowed: Bool[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> Float[Array, "*shape"]:
        """Stay, or go to one of `tries` fresh base draws, with odds exp(-t gap) for each seat.

        Where it is not `allowed`, stay.

        Reference: iterated sampling importance resampling, Andrieu, Lee and Vihola (2018).
        """
        offer, pick = jax.random.split(key)
        seats = jnp.concatenate([x[None], draws(path.base, self.tries, key=offer)])
        odds = -time * jax.vmap(path.gap)(seats)
        return seats[jnp.where(allowed, jax.random.categorical(pick, odds), 0)]

    def metric(self) -> Metric:
        """BlackJAX's metric, its kinetic energy as a sum of squares.

        p'M^-1 p, as it has it, can overflow to minus infinity: an endless trajectory is accepted.
        """
        found = gaussian_euclidean(self.inverse_mass)
        if self.inverse_mass.ndim == 1:
            return found
        factor = jnp.linalg.cholesky(self.inverse_mass)

        def kinetic_energy(
            momentum: Float[Array, "*shape"], position: object = None
        ) -> Float[Array, ""]:
            del position
            return 0.5 * jnp.sum((factor.T @ momentum.ravel()) ** 2)

        return found._replace(kinetic_energy=kinetic_energy)

    def __call__(
        self,
        path: AbstractPath,
        time: Float[Array, ""],
        step_size: Float[Array, ""],
        x: Float[Array, " size *shape"],
        jumps: Bool[Array, ""],
        shortest: Float[Array, ""],
        *,
        key: PRNGKeyArray,
    ) -> tuple[State, Info]:
        """One transition of every particle at time t.

        `jumps`: may they go to base draws? Step sizes are between `shortest` and 1 + `JITTER` times
        `step_size`, their logarithms uniform.
        """
        energy = path.at(time)
        fixed = {"inverse_mass_matrix": self.metric(), "num_integration_steps": self.leaps}

        def one(x: Float[Array, "*shape"], key: PRNGKeyArray) -> tuple[State, Info]:
            leave, shake, first, go = jax.random.split(key, 4)
            x = self.jump(path, time, x, jumps, key=leave)
            ends = jnp.log(shortest), math.log1p(JITTER)
            factor = jnp.exp(jax.random.uniform(shake, (), x.dtype, *ends))
            sampler = FromBlackjax(blackjax.hmc, fixed | {"step_size": step_size * factor})
            return sampler.step(energy, sampler.init(energy, x, key=first), key=go)

        return jax.vmap(one)(x, jax.random.split(key, len(x)))


def make_kernel(
    path: AbstractPath, x: Float[Array, " size *shape"], leaps: int, tries: int
) -> Kernel:
    """A kernel whose inverse mass is (E[s s'] + Cov(x)^-1)^-1 over base draws `x`, s = score.

    The first term is the mean precision of the base, exact for a Gaussian; the second keeps flat
    directions finite. A diagonal above `DENSE` axes.
    """
    slopes = eqx.filter_jit(jax.vmap(lambda y: score(path.base, y)))(x)
    rows, slopes = (np.asarray(a, np.float64).reshape(len(x), -1) for a in (x, slopes))
    if rows.shape[1] > DENSE:
        precision = np.mean(slopes**2, axis=0) + 1 / rows.var(axis=0)
        return Kernel(jnp.asarray(1 / precision, x.dtype), leaps, tries)
    spread = np.atleast_2d(np.cov(rows, rowvar=False))
    # Shrinking towards the diagonal keeps the inverse finite with fewer draws than axes.
    spread = 0.9 * spread + 0.1 * np.diag(np.diag(spread))
    precision = slopes.T @ slopes / len(rows) + np.linalg.inv(spread)
    return Kernel(jnp.asarray(np.linalg.inv(precision), x.dtype), leaps, tries)


class Protocol(eqx.Module):
    """A frozen order of events: `first` is added to time, then `count` times a move and a shift.

    Move k is made at `times[k]` with `steps[k]`; after it `shifts[k]` is added to time. Entries
    from `count` on are padding, so that protocols of any length share one compiled program.
    `jumps`: may the moves go to base draws? `shortest`: of the random step sizes, times `steps`.
    """

    first: Float[Array, ""]
    times: Float[Array, " room"]
    steps: Float[Array, " room"]
    shifts: Float[Array, " room"]
    count: Int[Array, ""]
    jumps: Bool[Array, ""]
    shortest: Float[Array, ""]


class Walk(eqx.Module):
    """Where the particles ended, what they gathered on the way, and how their moves went.

    `log_weight`: minus the sum of gap times shift, in nats. `energy` and `gap`: E_t and dE_t/dt
    after each move, one row a move; `acceptance`: its mean over the particles. Rows of padding
    are 0.
    """

    x: Float[Array, " size *shape"]
    log_weight: Float[Array, " size"]
    energy: Float[Array, " room size"]
    gap: Float[Array, " room size"]
    acceptance: Float[Array, " room"]


@eqx.filter_jit
def walk(
    path: AbstractPath,
    kernel: Kernel,
    protocol: Protocol,
    x: Float[Array, " size *shape"],
    *,
    key: PRNGKeyArray,
) -> Walk:
    """Annealed importance sampling: exp(log_weight) averages to Z_end / Z_start (Neal 2001).

    Exact for any protocol fixed beforehand, if `x` are draws of the distribution at the starting
    time; the particles never meet, so their weights are independent if the starts are.
    """
    gap = jax.vmap(path.gap)

    def body(index: Int[Array, ""], now: Walk) -> Walk:
        state, info = kernel(
            path,
            protocol.times[index],
            protocol.steps[index],
            now.x,
            protocol.jumps,
            protocol.shortest,
            key=jax.random.fold_in(key, index),
        )
        slope = gap(state.x)
        return Walk(
            state.x,
            now.log_weight - protocol.shifts[index] * slope,
            now.energy.at[index].set(info.energy),
            now.gap.at[index].set(slope),
            now.acceptance.at[index].set(jnp.mean(info.acceptance)),
        )

    room = len(protocol.times)
    blank = jnp.zeros((room, len(x)), x.dtype)
    start = Walk(x, -protocol.first * gap(x), blank, blank, blank[:, 0])
    return jax.lax.fori_loop(0, protocol.count, body, start)
