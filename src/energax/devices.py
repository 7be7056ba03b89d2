"""Rows spread over the devices of this machine: the cores of a CPU, or several GPUs."""

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

LEAST = 8
"""Rows that a device has at least."""


def find_mesh(rows: int) -> Mesh | None:
    """As many devices as divide a number of rows into equal parts; None for one device."""
    devices = jax.local_devices()
    fits = [
        count
        for count in range(2, len(devices) + 1)
        if rows % count == 0 and rows // count >= LEAST
    ]
    return Mesh(np.array(devices[: fits[-1]]), ("rows",)) if fits else None


def spread(rows: PyTree, count: int) -> PyTree:
    """`count` rows, of which each device computes with a part; as they are on one device.

    What follows from them row by row is computed where the row is; sums over rows are gathered.
    """
    mesh = find_mesh(count)
    if mesh is None:
        return rows
    return jax.lax.with_sharding_constraint(rows, NamedSharding(mesh, PartitionSpec("rows")))


def copy_to_all(tree: PyTree, count: int) -> PyTree:
    """A tree whose arrays are on all devices that `count` rows are spread over."""
    mesh = find_mesh(count)
    if mesh is None:
        return tree
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.device_put(arrays, NamedSharding(mesh, PartitionSpec())), rest)


def copy_to_one(tree: PyTree) -> PyTree:
    """A tree whose arrays are on the first device alone."""
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.device_put(arrays, jax.local_devices()[0]), rest)
