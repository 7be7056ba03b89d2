"""Pairs of a data row and a point made from it, whose density ratio is free of Z.

For a pair {x, y} that is as likely to be made from x as from y, p(x) / (p(x) + p(y)) = sigmoid(E(y)
- E(x)): the mean over pairs of a suitable function of E(x) - E(y), x a data row, is least at the
distribution of the data.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import Energy

Batch = Float[Array, " batch *shape"]
Others = Float[Array, " copies batch *shape"]


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
