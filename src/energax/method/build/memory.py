"""What training holds in memory, asked before it is taken."""

import os
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PyTree

from energax.errors import InputError

COPIES = 6
"""Of each weight in training: itself, where it began, gradient, two moments of Adam, update."""


def count_memory() -> int:
    """Bytes of the device that trains: its own memory, or that of the machine."""
    own = jax.local_devices()[0].memory_stats() or {}
    return own.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_memory(needed: int, what: str, instead: str) -> None:
    """Raise InputError for what cannot fit. `what` needs it; `instead`: what to choose."""
    known = count_memory()
    if needed > known:
        raise InputError(
            f"{what} needs about {needed / 1e9:.3g} GB of memory, and there are "
            f"{known / 1e9:.3g} GB: {instead}."
        )


def count_weights(players: PyTree) -> int:
    """Bytes of the arrays of players, which may be shapes alone."""
    arrays = eqx.filter(players, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct | jax.Array))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(arrays))


def check_players(method: Any, ground: Any) -> None:
    """Raise InputError for networks too large to be trained. None of them is made."""
    key = jax.random.key(0)
    players = eqx.filter_eval_shape(lambda key: method.build(ground, key=key)[0], key)
    check_memory(
        COPIES * count_weights(players),
        f"Training the networks of --method {method.name}",
        "choose a smaller --width or --depth",
    )
