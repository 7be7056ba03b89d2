"""Checkpoints of a run (Orbax), and weights alone (safetensors)."""

import hashlib
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import safetensors
import safetensors.numpy
from jaxtyping import Array, PyTree

from energax.errors import InputError
from energax.files import write_bytes
from energax.train.loop import Run


def name_arrays(tree: PyTree) -> dict[str, Array]:
    """The arrays of a tree by their path, such as `energy.network.layers.0.weight`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def fill_arrays(like: PyTree, arrays: dict[str, Array], *, source: str) -> PyTree:
    """`like` with each of its arrays replaced by the one of the same path.

    Raises InputError, naming `source`, where a path or a shape does not agree.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(eqx.filter(like, eqx.is_array))
    leaves = []
    for path, leaf in paths:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if name not in arrays or arrays[name].shape != leaf.shape:
            found = arrays[name].shape if name in arrays else "nothing"
            raise InputError(
                f"{source} does not fit this run: {name} should have shape {leaf.shape}, "
                f"found {found}."
            )
        leaves.append(arrays[name])
    restored = jax.tree_util.tree_unflatten(structure, leaves)
    return eqx.combine(restored, eqx.filter(like, eqx.is_array, inverse=True))


def _digest(arrays: dict[str, Array]) -> str:
    seal = hashlib.sha256()
    for name in sorted(arrays):
        leaf = arrays[name]
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        value = np.asarray(leaf)
        seal.update(f"{name}{value.dtype}{value.shape}".encode() + value.tobytes())
    return seal.hexdigest()


class Checkpoints:
    """The newest `keep` checkpoints of a run in one folder; each is complete or absent.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(ex.train.Checkpoints(pathlib.Path(folder), keep=2).newest())
        None
    """

    def __init__(self, folder: Path, keep: int = 2):
        self._folder = folder.resolve()
        # Synchronous: the next chunk may reuse the very memory that is being written.
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def newest(self) -> int | None:
        """The number of updates at the newest checkpoint; None where there is none."""
        return self._manager.latest_step()

    def save(self, run: Run) -> None:
        """Write the run with a digest of its bytes, unless it is the newest already."""
        if self.newest() == int(run.step):
            return
        arrays = name_arrays(run)
        self._manager.save(
            int(run.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(arrays),
                seal=ocp.args.JsonSave({"sha256": _digest(arrays)}),
            ),
            force=True,
        )

    def restore(self, like: Run) -> Run:
        """The newest checkpoint, in the structure of `like`.

        Raises InputError where there is none, or where it is damaged or of another run.
        """
        step = self.newest()
        if step is None:
            raise InputError(f"{self._folder} holds no checkpoint to resume from: train it again.")
        damaged = InputError(
            f"Checkpoint {self._folder / str(step)} is damaged: delete that folder to go on from "
            "the one before it."
        )
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(name_arrays(like)), seal=ocp.args.JsonRestore()
        )
        try:
            found = self._manager.restore(step, args=args)
        # Orbax and TensorStore raise many types for bytes that are not there or not right.
        except Exception as reason:
            raise damaged from reason
        if _digest(found["state"]) != found["seal"]["sha256"]:
            raise damaged
        return fill_arrays(like, found["state"], source=f"Checkpoint {self._folder / str(step)}")


def write_weights(path: Path, parts: dict[str, PyTree]) -> None:
    """Write the arrays of named parts to a safetensors file, under `part.path`.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.safetensors"
        ...     ex.train.write_weights(path, {"energy": ex.energy.Gaussian(jnp.zeros(2))})
    """
    arrays = {name: np.asarray(leaf) for name, leaf in name_arrays(parts).items()}
    write_bytes(path, safetensors.numpy.save(arrays))


def read_weights(path: Path, like: dict[str, PyTree]) -> dict[str, PyTree]:
    """Read the parts written by `write_weights`, in the structure of `like`.

    Raises:
        InputError: where the file is missing, damaged, or of another model.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.safetensors"
        ...     ex.train.write_weights(path, {"energy": jnp.ones(2)})
        ...     print(ex.train.read_weights(path, {"energy": jnp.zeros(2)})["energy"])
        [1. 1.]
    """
    arrays = {name: jnp.asarray(array) for name, array in _read(path).items()}
    return fill_arrays(like, arrays, source=str(path))


def list_parts(path: Path) -> frozenset[str]:
    """The names of the parts in a file of `write_weights`: those that contain an array.

    Raises:
        InputError: where the file is missing or damaged.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "weights.safetensors"
        ...     ex.train.write_weights(path, {"energy": jnp.ones(2), "empty": None})
        ...     print(ex.train.list_parts(path))
        frozenset({'energy'})
    """
    return frozenset(name.partition(".")[0] for name in _read(path))


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        return safetensors.numpy.load_file(path)
    except FileNotFoundError as reason:
        raise InputError(
            f"{path} is missing: resume the run if it was stopped, else train it again."
        ) from reason
    except (safetensors.SafetensorError, OSError) as reason:
        raise InputError(f"{path} is damaged ({reason}): train the run again.") from reason
