"""The learned Stein discrepancy: a critic finds where the model's score is wrong."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.learner.game.base import AbstractMemorylessRules
from energax.objective import Aux

Batch = Float[Array, " batch *shape"]
Field = Callable[[Array], Array]


def divergence(
    field: Field, x: Float[Array, "*shape"], projections: int | None, *, key: PRNGKeyArray
) -> Float[Array, ""]:
    """tr df/dx of a field f: exact, or by random directions.

    Args:
        projections: None for the exact trace, one pass for each number of x; else the mean of
            v'(df/dx)v over so many random sign vectors v.
    """
    if projections is None:
        directions = jnp.eye(x.size, dtype=x.dtype)
    else:
        directions = jax.random.rademacher(key, (projections, x.size), x.dtype)

    def along(v: Array) -> Array:
        v = v.reshape(x.shape)
        return jnp.sum(v * jax.jvp(field, (x,), (v,))[1])

    values = jax.vmap(along)(directions)
    return jnp.sum(values) if projections is None else jnp.mean(values)


class LearnedStein(AbstractMemorylessRules):
    """The learned Stein discrepancy: a critic finds where the model's score is wrong.

    A critic f, a field from example to example, raises mean[s . f + tr df/dx] over data with s =
    -dE/dx; the energy lowers it. Rival's loss: minus that mean, plus `penalty` times mean |f|^2.
    The best critic is (s - score of the data) / (2 penalty), where mean and penalty together are
    D_F / (2 penalty), with D_F = E_data[|s - score of the data|^2] / 2. There the energy's gradient
    is that of D_F / (2 penalty): score matching without a second derivative of E in x.

    Args:
        penalty: above 0.
        projections: at least 1, random directions for the trace; None: the exact trace.

    Raises:
        ValueError: a setting is out of range.

    Trap: like every score it is blind to the weights of distant modes. A critic that lags trains
    the energy where it was wrong before: give it several rounds.
    Source: Grathwohl et al. (2020), eq. 8-10; Song and Kingma (2021), eq. 30.

    Example:
        >>> rules, rows = ex.learner.LearnedStein(), jnp.zeros((4, 2))
        >>> normal = ex.energy.Gaussian(jnp.zeros(2))
        >>> float(rules.energy_loss(normal, jnp.tanh, rows, None, key=key)[0])
        2.0
    """

    penalty: float = 0.5
    projections: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        if not self.penalty > 0:
            raise ValueError(f"`penalty` must be above 0; got {self.penalty}.")
        if self.projections is not None and self.projections < 1:
            raise ValueError(f"`projections` must be at least 1 or None; got {self.projections}.")

    def energy_loss(
        self, energy: Energy, rival: Field, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        values, sizes = self._values(energy, rival, batch, key)
        loss, size = jnp.mean(values), jnp.mean(sizes)
        parts = {"loss": loss, "critic_size": size, "discrepancy": loss - self.penalty * size}
        return loss, Aux(memory, parts)

    def rival_loss(
        self, rival: Field, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        values, sizes = self._values(energy, rival, batch, key)
        return self.penalty * jnp.mean(sizes) - jnp.mean(values), {}

    def _values(
        self, energy: Energy, field: Field, batch: Batch, key: PRNGKeyArray
    ) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
        """s . f + tr df/dx and |f|^2 of each row."""

        def one(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            value = field(x)
            along = jax.jvp(energy, (x,), (value,))[1]
            return divergence(field, x, self.projections, key=k) - along, jnp.sum(value**2)

        return jax.vmap(one)(batch, jax.random.split(key, len(batch)))
