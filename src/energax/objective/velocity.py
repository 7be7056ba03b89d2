"""How fast, or how much, a divergence falls when the data begin to flow to the model."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from energax.energy import AbstractDistribution, Energy, draws
from energax.objective.base import AbstractMemoryless, Aux
from energax.objective.pairs import check_pairs, compare, perturb

Batch = Float[Array, " batch *shape"]


class MinimumVelocity(AbstractMemoryless):
    """Minimum velocity: |d/dt KL(p_t | model)| at t = 0, when data follow the model's Langevin SDE.

    For dx = -m dE/dx dt + sqrt(2 m) dW the speed is E[sum_i m_i (score of data - score of
    model)_i^2]: twice the Fisher divergence for m = 1. Up to a constant of the data it is mean
    sum_i m_i (g_i^2 - 2 H_ii), g the gradient and H the Hessian of E at a row; the trace is
    estimated along one random sign vector.

    Args:
        mobility: m, a number or one for each entry of an example.

    Raises:
        ValueError: for a `mobility` not above 0.

    Trap: rows on a lower-dimensional sheet have no density, and the loss falls without bound.
    Source: Movellan (2008); Song and Kingma (2021), section 6.1.

    Example:
        >>> objective, energy = ex.objective.MinimumVelocity(), ex.energy.Gaussian(jnp.zeros(2))
        >>> float(objective(energy, jnp.ones((4, 2)), None, key=key)[0])
        -2.0
    """

    mobility: Float[Array, "*shape"]

    def __init__(self, mobility: ArrayLike = 1.0):
        if not np.all(np.asarray(mobility) > 0):
            raise ValueError(f"`mobility` must be above 0 everywhere; got {mobility}.")
        self.mobility = jnp.asarray(mobility, jnp.result_type(float))

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
        return loss, Aux(memory, {"loss": loss, "input_grad_norm": jnp.mean(jnp.sqrt(squared))})


class MinimumKLContraction(AbstractMemoryless):
    """Minimum KL contraction: the divergence lost by merging each point with its mirror image.

    A map that contracts Kullback-Leibler divergences turns KL(data | model) minus that of the
    images into an objective without Z. Here the map merges x with 2 c - x, its mirror image in a
    centre c: the loss is mean softplus(E(x) - E(2 c - x)). Unlike local noise it compares points
    far apart, and so sees the weights of modes.

    Args:
        centre: Distribution of c, the same for all x.
        ratio: Centres for each row.

    Raises:
        ValueError: for a `ratio` below 1.

    Trap: centres must fall between the modes often enough. Source: Lyu (2011), with this choice of
    map; Song and Kingma (2021), section 6.1.

    Example:
        >>> objective = ex.objective.MinimumKLContraction(ex.energy.Gaussian(jnp.zeros(2)))
        >>> flat, rows = lambda x: 0 * jnp.sum(x), jnp.ones((4, 2))
        >>> round(float(objective(flat, rows, None, key=key)[0] - jnp.log(2)), 6)
        0.0
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
        loss, parts = compare(energy, batch, jax.lax.stop_gradient(others), jax.nn.softplus)
        return loss, Aux(memory, parts)


class MinimumProbabilityFlow(AbstractMemoryless):
    """Minimum probability flow: mean exp((E(x) - E(y)) / 2) over neighbours y = x + s z.

    The rate from x to y is g(x, y) exp((E(x) - E(y)) / 2) with a symmetric g, here a Gaussian of
    standard deviation s; it leaves exp(-E) invariant. The loss is the initial flow out of the data,
    least at the distribution of the data.

    Args:
        noise: s, in the units of the rows.
        ratio: Neighbours of each row.

    Raises:
        ValueError: for a `noise` not above 0 or a `ratio` below 1.

    Trap: the exponential makes the variance explode where E varies by many nats over a distance s.
    Source: Sohl-Dickstein, Battaglino and DeWeese (2011); Song and Kingma (2021), section 6.1.

    Example:
        >>> objective = ex.objective.MinimumProbabilityFlow(noise=0.3)
        >>> flat, rows = lambda x: 0 * jnp.sum(x), jnp.ones((4, 2))
        >>> float(objective(flat, rows, None, key=key)[0])
        1.0
    """

    noise: float = 0.3
    ratio: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        check_pairs(self.noise, self.ratio)

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        others = perturb(batch, self.noise, self.ratio, key=key)
        loss, parts = compare(energy, batch, others, lambda gap: jnp.exp(gap / 2))
        return loss, Aux(memory, parts)
