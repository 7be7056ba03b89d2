"""Kernel Stein discrepancy between data and model, from scores alone."""

from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy
from energax.objective.base import AbstractMemoryless, Aux

Batch = Float[Array, " batch *shape"]
Kernel = Literal["gaussian", "multiquadric"]
"""The kernels of `stein_kernel`."""
Statistic = Literal["u", "v"]


BANDWIDTH_ROWS = 64
"""Rows whose distances are sorted: sorting all pairs of a batch would dominate the update."""


def median_bandwidth(rows: Batch) -> Float[Array, ""]:
    """The median distance of two different rows: the usual bandwidth of a kernel.

    Taken over the first 64 rows, which in a shuffled batch are a random sample.

    Example:
        >>> float(ex.objective.median_bandwidth(jnp.array([[0.0], [1.0], [3.0]])))
        2.0
    """
    flat = rows[:BANDWIDTH_ROWS].reshape(min(len(rows), BANDWIDTH_ROWS), -1)
    above = jnp.triu_indices(len(flat), 1)
    return jnp.median(jnp.sqrt(jnp.sum((flat[above[0]] - flat[above[1]]) ** 2, axis=1)))


def stein_kernel(
    rows: Batch, scores: Batch, bandwidth: Float[Array, ""], kernel: Kernel
) -> Float[Array, " batch batch"]:
    """The Stein kernel of all pairs: u(x, y) = s(x)'k s(y) + s(x)'dk/dy + s(y)'dk/dx + tr d2k/dxdy.

    With q = |x - y|^2 / h^2, h = `bandwidth`: k = exp(-q / 2) ("gaussian") or (1 + q)^(-1/2)
    ("multiquadric", the inverse one). Its mean over the model's own distribution is 0 in either
    argument.

    Args:
        scores: s at each row, -dE/dx of the model.

    Example:
        >>> rows, h = jnp.array([[0.0], [1.0]]), jnp.asarray(1.0)
        >>> ex.objective.stein_kernel(rows, -rows, h, "gaussian").round(3).tolist()
        [[1.0, -0.607], [-0.607, 2.0]]
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
    """Squared kernel Stein discrepancy: the mean of the Stein kernel over pairs of data rows.

    Needs no Hessian: only scores at the rows are differentiated.

    Args:
        kernel: "multiquadric" (the inverse one) or "gaussian".
        statistic: "u" leaves out the pairs of a row with itself: unbiased, and can be negative. "v"
            keeps them and is never negative.
        bandwidth: In the units of the rows; None takes `median_bandwidth` of each batch.

    Raises:
        ValueError: for an unknown kernel or statistic, a `bandwidth` not above 0, a batch of 1 row.

    Trap: a kernel as wide as the median distance sees only broad differences and learns slowly. A
    narrow one sees fine ones: the Gaussian becomes the Fisher divergence weighted by the density,
    but then each row needs several others within the width. Blind to the weights of distant modes,
    and weak in many dimensions, where all pairs are equally far apart. "v" has the bias
    E[u(x, x)] / n, which prefers flat models: use large batches. Source: Liu, Lee and Jordan
    (2016); Chwialkowski, Strathmann and Gretton (2016); Song and Kingma (2021), section 6.2, eq.
    30; Gorham and Mackey (2017) for "multiquadric".

    Example:
        >>> objective, rows = ex.objective.KernelStein(bandwidth=1.0), jnp.array([[0.0], [1.0]])
        >>> loss, _ = objective(lambda x: jnp.sum(x**2) / 2, rows, None, key=key)
        >>> round(float(loss), 3)
        -0.53
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
        return loss, Aux(memory, {"loss": loss, "input_grad_norm": size, "bandwidth": width})
