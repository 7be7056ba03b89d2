"""A flow that plays against an energy."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from energax.data import AbstractTransform, Dataset
from energax.energy import Flow, fit_flow, make_flow
from energax.learner import Players
from energax.method.build.base import fitting_rows


def blank_flow(shape: tuple[int, ...], *, key: PRNGKeyArray) -> Flow:
    """A flow that is not fitted yet."""
    return make_flow(shape, mean=jnp.zeros(shape), std=jnp.ones(shape), key=key)


def fit_rival_flow(
    players: Players, rows: Dataset, transform: AbstractTransform, *, seed: int
) -> Players:
    """The players, the rival a flow fitted to the training rows in model units."""
    return Players(players.energy, fit_flow(fitting_rows(rows, transform, seed=seed), seed=seed))


def fold_key(key: PRNGKeyArray, number: int) -> Any:
    """Another key, by number."""
    return jax.random.fold_in(key, number)
