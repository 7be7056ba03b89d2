"""Pairs of a data row and a point made from it, whose density ratio is free of Z.

For a pair {x, y} that is as likely to be made from x as from y, p(x) / (p(x) + p(y)) = sigmoid(E(y)
- E(x)): the mean over pairs of a suitable function of E(x) - E(y), x a data row, is least at the
distribution of the data.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.energy import Energy

Batch = Shaped[Array, " batch *shape"]
Others = Shaped[Array, " copies batch *shape"]


def perturb(batch: Batch, noise: float, copies: int, *, key: PRNGKeyArray) -> Others:
    """x + s z with z ~ N(0, I) and s = `noise`, `copies` times for each row."""
    return batch[None] + noise * jax.random.normal(key, (copies, *batch.shape), batch.dtype)


def compare(
    energy: Energy, batch: Batch, others: Others, cost: Callable[[Array], Array]
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """mean cost(E(x) - E(y)) over rows x and their `others` y, and metrics."""
    here, there = jax.vmap(energy)(batch), jax.vmap(jax.vmap(energy))(others)
    loss = jnp.mean(cost(here[None] - there))
    right = jnp.mean(there > here[None]).astype(loss.dtype)
    return loss, {"loss": loss, "energy_data": jnp.mean(here), "accuracy": right}


def check_pairs(noise: float, ratio: int = 1) -> None:
    """Raise ValueError for settings that make no pairs."""
    if not noise > 0:
        raise ValueError(f"`noise` must be above 0; got {noise}.")
    if ratio < 1:
        raise ValueError(f"`ratio` must be at least 1; got {ratio}.")


def average_discrepancy(gaps: Float[Array, " copies batch"], stabiliser: float) -> Float[Array, ""]:
    """Mean over rows of log(w / M + mean_j exp(gap_j)), gap_j = E(x) - E(x_j) of M copies x_j."""
    steady = jnp.full_like(gaps[:1], jnp.log(stabiliser))
    whole = jax.nn.logsumexp(jnp.concatenate([gaps, steady]), axis=0)
    return jnp.mean(whole) - math.log(len(gaps))


def check_discrepancy(copies: int, stabiliser: float) -> None:
    """Raise ValueError for settings of an energy discrepancy that are out of range."""
    if copies < 1:
        raise ValueError(f"`copies` must be at least 1; got {copies}.")
    if not stabiliser >= 0:
        raise ValueError(f"`stabiliser` must be at least 0; got {stabiliser}.")
