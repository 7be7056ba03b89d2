"""Arrays of a tree in a file: safetensors with a digest, and with what they belong to."""

import hashlib
import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Array, PyTree

from energax.errors import InputError
from energax.files import write_bytes

About = dict[str, Any]
"""What arrays belong to, as JSON can say it: a file name with its content or its digest."""

ENTRY, DIGITS = "energax", 64
"""The entry of a file's metadata, and the digits of the digest that it begins with."""

RETRAIN = "train the run again"
"""What to do about a damaged file, where nothing else helps."""


def name_arrays(tree: PyTree) -> dict[str, Array]:
    """The arrays of a tree by their path, such as `energy.network.layers.0.weight`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def fill_arrays(like: PyTree, arrays: dict[str, np.ndarray], *, source: str) -> PyTree:
    """`like` with each of its arrays replaced by the one of the same path.

    Raises InputError, naming `source`, where a path or a shape does not agree.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(eqx.filter(like, eqx.is_array))
    leaves = []
    for path, leaf in paths:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        shape = _plain(leaf).shape
        if name not in arrays or arrays[name].shape != shape:
            found = arrays[name].shape if name in arrays else "nothing"
            raise InputError(
                f"{source} does not fit this run: {name} should have shape {shape}, found {found}; "
                "use the code that the run was trained with."
            )
        # A copy: training gives away the memory of its arrays.
        value = jax.device_put(arrays[name], may_alias=False)
        leaves.append(
            jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf))
            if _is_key(leaf)
            else value
        )
    restored = jax.tree_util.tree_unflatten(structure, leaves)
    return eqx.combine(restored, eqx.filter(like, eqx.is_array, inverse=True))


def _is_key(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf: Array) -> np.ndarray:
    """An array as numbers, which typed keys are not."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf, order="C")


def _digest(arrays: dict[str, np.ndarray], about: str) -> str:
    seal = hashlib.sha256(about.encode())
    for name in sorted(arrays):
        value = arrays[name]
        seal.update(f"{name}{value.dtype}{value.shape}".encode() + value.tobytes())
    return seal.hexdigest()


def write_arrays(path: Path, tree: PyTree, about: About | None = None) -> None:
    """The arrays of a tree; `about`: what they belong to."""
    write_named(path, {name: _plain(leaf) for name, leaf in name_arrays(tree).items()}, about)


def write_named(path: Path, arrays: dict[str, np.ndarray], about: About | None = None) -> None:
    """Arrays by name, as they are."""
    words = json.dumps(about or {})
    # One entry: safetensors writes several in no fixed order, and the same run is the same bytes.
    write_bytes(path, safetensors.numpy.save(arrays, {ENTRY: _digest(arrays, words) + words}))


def read_arrays(
    path: Path, about: About | None = None, remedy: str = RETRAIN
) -> dict[str, np.ndarray]:
    """What `write_arrays` wrote, by path; `about`: what it should belong to, where not None.

    Raises InputError where the file is missing, is not as it was written (the sentence ends with
    `remedy`), or belongs to something else.
    """
    arrays, _, before = _read(path, remedy)
    if about is not None:
        _compare(path, json.loads(before), json.loads(json.dumps(about)))
    return arrays


def read_digest(path: Path) -> str:
    """The digest of a file of `write_arrays`. Raises InputError where it is missing or damaged."""
    return _read(path, RETRAIN)[1]


def check_numbers(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Raise InputError, naming the file and the array, for a number that is not finite."""
    for name, array in arrays.items():
        if jnp.issubdtype(array.dtype, jnp.inexact) and not np.all(np.isfinite(array)):
            raise InputError(
                f"{path} holds a number that is not finite, in {name}: {RETRAIN}, with a smaller "
                "learning rate."
            )


def _read(path: Path, remedy: str) -> tuple[dict[str, np.ndarray], str, str]:
    """The arrays, the digest, and what they belong to, in JSON."""
    damaged = f"{path} is damaged: {remedy}."
    try:
        with safetensors.safe_open(path, "numpy") as file:
            entry = (file.metadata() or {}).get(ENTRY, "")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as reason:
        raise InputError(
            f"{path} is missing: resume the run if it was stopped, else train it again."
        ) from reason
    except safetensors.SafetensorError as reason:
        raise InputError(damaged) from reason
    digest, words = entry[:DIGITS], entry[DIGITS:]
    if _digest(arrays, words) != digest:
        raise InputError(damaged)
    return arrays, digest, words


def _compare(source: Path, before: About, now: About) -> None:
    """Raise InputError, naming the first change, for arrays that belong to something else."""
    if (found := _first_change(before, now)) is None:
        return
    (file, *place), old, new = found
    what = (
        f", {'.'.join(place)} was {json.dumps(old)} and is {json.dumps(new)} now" if place else ""
    )
    raise InputError(
        f"{source} does not fit this run: {file} has changed since{what}; put the old one back."
    )


def _first_change(before: Any, now: Any) -> tuple[tuple[str, ...], Any, Any] | None:
    """Where two trees of JSON differ first, and the two values there."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return None if before == now else ((), before, now)
    for name in before | now:
        if (found := _first_change(before.get(name), now.get(name))) is not None:
            return (name, *found[0]), *found[1:]
    return None
