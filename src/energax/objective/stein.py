"""Kernel Stein discrepancy: how far the model's score is from being that of the data."""

from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import AbstractMemoryless, Aux

Batch = Float[Array, " batch *shape"]
Kernel = Literal["gaussian", "multiquadric"]
Statistic = Literal["u", "v"]


BANDWIDTH_ROWS = 64
"""Rows whose distances are sorted: all pairs of a batch would cost more than the rest of it."""


def median_bandwidth(rows: Batch) -> Float[Array, ""]:
    """The median distance of two different rows: the usual scale of a kernel.

    Taken over the first 64 rows, which in a shuffled batch are as random as any.
    """
    flat = rows[:BANDWIDTH_ROWS].reshape(min(len(rows), BANDWIDTH_ROWS), -1)
    above = jnp.triu_indices(len(flat), 1)
    return jnp.median(jnp.sqrt(jnp.sum((flat[above[0]] - flat[above[1]]) ** 2, axis=1)))


def stein_kernel(
    rows: Batch, scores: Batch, bandwidth: Float[Array, ""], kernel: Kernel
) -> Float[Array, " batch batch"]:
    """u(x, y) = s(x)'k s(y) + s(x)'dk/dy + s(y)'dk/dx + tr d2k/dxdy for all pairs of rows.

    With q = |x - y|^2 / h^2, h = `bandwidth`: k = exp(-q / 2) ("gaussian") or (1 + q)^(-1/2)
    ("multiquadric", the inverse one). Its mean over the model's own distribution is 0 in either
    argument.
    """
    x, s = rows.reshape(len(rows), -1), scores.reshape(len(rows), -1)
    gap = x[:, None] - x[None]
    q = jnp.sum(gap**2, axis=2) / bandwidth**2
    # k as a function of q, and its first two derivatives in q.
    if kernel == "gaussian":
        k = jnp.exp(-q / 2)
        first, second = -k / 2, k / 4
    else:
        k = (1 + q) ** -0.5
        first, second = -k / (2 * (1 + q)), 3 * k / (4 * (1 + q) ** 2)
    along = jnp.einsum("ijd,jd->ij", gap, s) - jnp.einsum("ijd,id->ij", gap, s)
    cross = 2 * first / bandwidth**2 * along
    trace = -2 * first * x.shape[1] / bandwidth**2 - 4 * second * q / bandwidth**2
    return k * (s @ s.T) + cross + trace


class KernelStein(AbstractMemoryless):
    """Mean of the Stein kernel over pairs of data rows: the squared kernel Stein discrepancy.

    "u" leaves out the pairs of a row with itself and is unbiased, also below 0; "v" keeps them and
    is never negative. `bandwidth`, in the units of the rows; None takes `median_bandwidth`, held
    constant. Needs no Hessian: only scores at the rows are differentiated.

    Trap: a kernel as wide as the median distance sees only broad differences and learns slowly. A
    narrow one sees fine ones: the Gaussian becomes the Fisher divergence weighted by the density,
    but then each row needs several others within the width. Blind to the shares of distant modes,
    and weak in many dimensions, where every pair is equally far. "v" has the bias E[u(x, x)] / n,
    which prefers flat models: use large batches. Source: Liu, Lee and Jordan (2016); Chwialkowski,
    Strathmann and Gretton (2016); Song and Kingma (2021), section 6.2, eq. 30; Gorham and Mackey
    (2017) for "multiquadric".
    """

    kernel: Kernel = eqx.field(static=True, default="multiquadric")
    statistic: Statistic = eqx.field(static=True, default="u")
    bandwidth: float | None = None

    def __check_init__(self):
        for name, kinds in (("kernel", Kernel), ("statistic", Statistic)):
            if getattr(self, name) not in get_args(kinds):
                raise ValueError(
                    f"`{name}` must be one of {get_args(kinds)}; got {getattr(self, name)!r}."
                )
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise ValueError(f"`bandwidth` must be above 0; got {self.bandwidth}.")

    def __call__(
        self, energy: Energy, batch: Batch, memory: None, *, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Aux]:
        if len(batch) < 2:
            raise ValueError(f"A pair needs a batch of at least 2 rows; got {len(batch)}.")
        slopes = jax.vmap(jax.grad(energy))(batch)
        width = median_bandwidth(batch) if self.bandwidth is None else self.bandwidth
        width = jax.lax.stop_gradient(jnp.asarray(width, batch.dtype))
        pairs = stein_kernel(batch, -slopes, width, self.kernel)
        if self.statistic == "u":
            loss = (jnp.sum(pairs) - jnp.trace(pairs)) / (len(batch) * (len(batch) - 1))
        else:
            loss = jnp.mean(pairs)
        size = jnp.mean(jnp.sqrt(jnp.sum(slopes.reshape(len(batch), -1) ** 2, axis=1)))
        return loss, Aux(memory, {"loss": loss, "slope": size, "bandwidth": width})
