"""How fast, or how much, the divergence from the model falls when the data begin to flow to it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws
from energax.objective.base import AbstractMemoryless, Aux
from energax.objective.pairs import check_pairs, compared, disturbed

Batch = Float[Array, " batch *shape"]


class MinimumVelocity(AbstractMemoryless):
    """|d/dt KL(p_t | model)| at t = 0, when the data follow the model's own Langevin dynamics.

    For dx = -m dE/dx dt + sqrt(2 m) dW with `mobility` m, a number or one for each entry of an
    example, the speed is E[sum_i m_i (score of data - score of model)_i^2]: twice the Fisher
    divergence for m = 1. Up to a constant of the data it is mean sum_i m_i (g_i^2 - 2 H_ii), g
    the slope and H the Hessian of E at a row; the trace is estimated along one random sign vector.

    Trap: rows on a lower-dimensional sheet have no density, and the loss falls without end.
    Source: Movellan (2008); Song and Kingma (2021), section 6.1.
    """

    mobility: Float[Array, "*shape"]

    def __init__(self, mobility: ArrayLike = 1.0):
        self.mobility = jnp.asarray(mobility, jnp.result_type(float))
        if not bool(jnp.all(self.mobility > 0)):
            raise ValueError(f"`mobility` must be above 0 everywhere; got {mobility}.")

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        def one(x: Array, k: PRNGKeyArray) -> tuple[Array, Array]:
            mobility = jax.lax.stop_gradient(self.mobility).astype(x.dtype)
            root = jnp.broadcast_to(jnp.sqrt(mobility), x.shape)
            v = root * jax.random.rademacher(k, x.shape, x.dtype)
            slope, bent = jax.jvp(jax.grad(energy), (x,), (v,))
            return jnp.sum((root * slope) ** 2) - 2 * jnp.sum(v * bent), jnp.sum(slope**2)

        each, squared = jax.vmap(one)(batch, jax.random.split(key, len(batch)))
        loss = jnp.mean(each)
        return loss, Aux(memory, {"loss": loss, "slope": jnp.mean(jnp.sqrt(squared))})


class MinimumKLContraction(AbstractMemoryless):
    """What is lost about the model's error by forgetting which of x and its mirror image one saw.

    A map that contracts Kullback-Leibler divergences turns KL(data | model) minus that of the
    images into an objective without Z. Here the map lumps x with 2 c - x, its mirror image in a
    centre c drawn from `centre`: the loss is mean softplus(E(x) - E(2 c - x)), `ratio` centres for
    each row. Unlike local noise it compares points far apart, and so sees the shares of modes.

    Trap: the centres must be drawn without regard to x, and fall between the modes often enough.
    Source: Lyu (2011), with this choice of map; Song and Kingma (2021), section 6.1.
    """

    centre: AbstractDistribution
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_pairs(1.0, self.ratio)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        centres = draws(self.centre, self.ratio * len(batch), key=key)
        others = 2 * centres.reshape(self.ratio, *batch.shape) - batch[None]
        loss, parts = compared(energy, batch, jax.lax.stop_gradient(others), jax.nn.softplus)
        return loss, Aux(memory, parts)


class MinimumProbabilityFlow(AbstractMemoryless):
    """How fast probability flows out of the data: mean exp((E(x) - E(y)) / 2), y = x + s z.

    The rate from x to y is g(x, y) exp((E(x) - E(y)) / 2) with a symmetric g, here a Gaussian of
    standard deviation s = `noise`, under which exp(-E) stays as it is; the loss is the initial
    outflow of the data, least at the distribution of the data. `ratio` neighbours of each row.

    Trap: the exponential makes the variance explode where E varies by many nats over a distance s.
    Source: Sohl-Dickstein, Battaglino and DeWeese (2011); Song and Kingma (2021), section 6.1.
    """

    noise: float = 0.3
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_pairs(self.noise, self.ratio)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        others = disturbed(batch, self.noise, self.ratio, key=key)
        loss, parts = compared(energy, batch, others, lambda gap: jnp.exp(gap / 2))
        return loss, Aux(memory, parts)
