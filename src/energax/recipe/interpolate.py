"""Straight lines between the latent vectors of two rows, as a generator makes them."""

import dataclasses
from pathlib import Path
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jaxtyping import PRNGKeyArray, Shaped

from energax.errors import InputError
from energax.learner import TeachingPlayers
from energax.recipe import build
from energax.recipe.folder import Folder, Model, load, whole
from energax.recipe.generate import between, checked, codes, made
from energax.recipe.option import otherwise
from energax.recipe.players import load_trio
from energax.recipe.rows import WRITERS, check_images, write_sheet
from energax.recipe.score import check_out
from energax.recipe.settings import check_seed


@dataclasses.dataclass(frozen=True)
class Interpolate:
    """Write what a run's generator makes along straight lines between the z of test rows."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run that has a generator."""
    out: Path
    """Where they go: .png (a line of images each), .npz (array `draws`) or .csv, line by line."""
    num: int = 8
    """Points of a line, both ends included."""
    rows: int = 8
    """Lines, each between two test rows."""
    steps: Annotated[int | None, otherwise("as in training; 0 after a variational encoder")] = None
    """Langevin steps on z from the encoder's mean, or from N(0, I) without an encoder; 0: none."""
    seed: int = 0
    """Seed of the chains, and of which test rows are taken."""

    def __call__(self) -> None:
        check_out(self.out, tuple(WRITERS))
        for name, least in (("num", 2), ("rows", 1)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} must be at least {least}; got {getattr(self, name)}.")
        check_seed(self.seed)
        model, trio, folder = load(self.run), load_trio(self.run), Folder(self.run)
        told = folder.config()["data"]
        check_images(self.out, told)
        test = folder.dataset().test
        if len(test) < 2 * self.rows:
            raise InputError(
                f"--rows {self.rows} lines need {2 * self.rows} test rows; {told['name']} has "
                f"{len(test)}."
            )
        chosen = np.random.default_rng(self.seed).permutation(len(test))[: 2 * self.rows]
        key = jax.random.key(self.seed)
        found = interpolated(model, trio, test[chosen], self.num, self.steps, key=key)
        flat = found.reshape(-1, *test.shape[1:])
        with whole(self.out) as draft:
            if self.out.suffix == ".png":
                write_sheet(draft, flat, told, self.num)
            else:
                WRITERS[self.out.suffix](draft, flat, told)
        print(f"Wrote {self.rows} lines of {self.num} points to {self.out}.")


def interpolated(
    model: Model,
    trio: TeachingPlayers,
    rows: Shaped[np.ndarray, " twice *shape"],
    num: int,
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> Shaped[np.ndarray, " lines num *shape"]:
    """g(z) at `num` points of the line from the z of each row of the first half to that of the
    second, in the user's units; a line begins and ends at the reconstructions of its two rows.

    The z are inferred as by `reconstructed`, with the same words of failure.
    """
    if len(rows) % 2:
        raise ValueError(f"`rows` must be even in number, two for each line; got {len(rows)}.")
    spread, walk = jax.random.split(key)
    y, _ = build.encoded(model.transform, rows, key=spread)
    z = codes(trio, model.settings, y, steps, key=walk).ends
    first, last = jnp.split(z, 2)
    lines = between(first, last, num)
    x = checked(made(trio, lines.reshape(-1, lines.shape[-1])))
    shown = np.asarray(jax.vmap(model.transform.decode)(x))
    return shown.reshape(len(lines), num, *shown.shape[1:])
