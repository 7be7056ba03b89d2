"""Rows of a file as a generator makes them, from the latent vectors that are inferred for them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import jax
import numpy as np
import tyro
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax.learner import TeachingPlayers
from energax.recipe import build
from energax.recipe.folder import Folder, Model, load, whole, write_arrays
from energax.recipe.generate import checked, codes, made
from energax.recipe.option import otherwise
from energax.recipe.players import load_trio
from energax.recipe.rows import check_images, write_csv, write_sheet
from energax.recipe.score import check_out, rows_for
from energax.recipe.settings import check_seed

Rows = Shaped[np.ndarray, " size *shape"]


@dataclasses.dataclass(frozen=True)
class Reconstruct:
    """Write what a run's generator makes of the rows of a file, from their inferred z.

    In .png each row stands left of its reconstruction.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run that has a generator."""
    rows: Annotated[Path, tyro.conf.Positional]
    """File with the columns of the training data: .csv, .parquet, .npy, ..."""
    out: Path
    """Where they go: .png (images), .npz (arrays `reconstructions` and `z`) or .csv."""
    steps: Annotated[int | None, otherwise("as in training; 0 after a variational encoder")] = None
    """Langevin steps on z from the encoder's mean, or from N(0, I) without an encoder; 0: none."""
    seed: int = 0
    """Seed of the chains."""

    def __call__(self) -> None:
        check_out(self.out, tuple(WRITERS))
        check_seed(self.seed)
        model, trio, folder = load(self.run), load_trio(self.run), Folder(self.run)
        told, rows = folder.config()["data"], rows_for(folder, self.rows)
        check_images(self.out, told)
        key = jax.random.key(self.seed)
        found = reconstructed(model, trio, rows, self.steps, key=key)
        with whole(self.out) as draft:
            WRITERS[self.out.suffix](draft, found, rows, told)
        print(f"Reconstructed {len(rows)} rows into {self.out}: {found.words}.")


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """`rows`: g(z) in the user's units, at `z`, where the chains ended; `begun`: where they began.

    `before` and `after`: mean squared error of a number of a row, in the user's units squared, of
    `begun` and of `rows`. `steps`: those of the chains. `start` says where they began, `words` all.
    """

    rows: Rows
    begun: Rows
    z: Float[Array, " size latent"]
    before: float
    after: float
    steps: int
    start: str
    words: str


def reconstructed(
    model: Model, trio: TeachingPlayers, rows: Rows, steps: int | None = None, *, key: PRNGKeyArray
) -> Reconstruction:
    """The generator's rows at the z that are inferred for `rows`, in the user's units.

    Whole numbers are dequantised once, by `key`, before they are read. Raises as `generate.codes`.
    """
    spread, walk = jax.random.split(key)
    y, _ = build.encoded(model.transform, rows, key=spread)
    found = codes(trio, model.settings, y, steps, key=walk)

    def shown(z: Array) -> Rows:
        return np.asarray(jax.vmap(model.transform.decode)(checked(made(trio, z))))

    begun, ended = shown(found.starts), shown(found.ends)
    before, after = missed(begun, rows), missed(ended, rows)
    words = f"mean squared error {before:.4g} {found.words}"
    if found.steps > 0:
        words += f", {after:.4g} after {found.steps} Langevin steps on z"
    return Reconstruction(ended, begun, found.ends, before, after, found.steps, found.words, words)


def missed(found: Rows, rows: Rows) -> float:
    """Mean squared difference of all numbers."""
    return float(np.mean((found.astype(np.float64) - rows.astype(np.float64)) ** 2))


def _write_png(path: Path, found: Reconstruction, rows: Rows, told: dict) -> None:
    pairs = np.stack([rows, found.rows.astype(rows.dtype)], axis=1).reshape(-1, *rows.shape[1:])
    across = 2 * max(1, round((len(pairs) / 4) ** 0.5))
    write_sheet(path, pairs, told, across)


WRITERS: dict[str, Callable[[Path, Reconstruction, Rows, dict], None]] = {
    ".png": _write_png,
    ".npz": lambda path, found, rows, told: write_arrays(
        path, reconstructions=found.rows, z=np.asarray(found.z)
    ),
    ".csv": lambda path, found, rows, told: write_csv(path, found.rows, told),
}
