"""Annealed walks of many particles: one compiled program, forward, backward or standing still."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from energax.evaluate.kernel import AbstractKernel
from energax.evaluate.path import AbstractPath


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

    x: Shaped[Array, " size *shape"]
    log_weight: Float[Array, " size"]
    energy: Float[Array, " room size"]
    gap: Float[Array, " room size"]
    acceptance: Float[Array, " room"]


@eqx.filter_jit
def walk(
    path: AbstractPath,
    kernel: AbstractKernel,
    protocol: Protocol,
    x: Shaped[Array, " size *shape"],
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
    begin = gap(x)
    blank = jnp.zeros((room, len(x)), begin.dtype)
    start = Walk(x, -protocol.first * begin, blank, blank, blank[:, 0])
    return jax.lax.fori_loop(0, protocol.count, body, start)
