"""New rows from a trained model."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import jax
import numpy as np
import tyro
from jaxtyping import Array, Float

from energax.errors import InputError
from energax.recipe.draw import drawn
from energax.recipe.folder import Folder, Model, load, whole
from energax.recipe.generate import generated, revised
from energax.recipe.players import load_trio, starters
from energax.recipe.rows import WRITERS, check_images
from energax.recipe.score import check_out
from energax.recipe.settings import check_seed

By = Literal["energy", "generator", "generator-chain"]


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draw rows from a trained model, in the units of its training data."""

    run: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained run."""
    out: Path
    """Where they go: .png (images), .npz (array `draws`) or .csv (a column each)."""
    num: int = 64
    """How many rows."""
    by: By = "energy"
    """What draws them: energy (chains from the base distribution; from the generator where cold
    chains of training began there), generator (g(z), no chain), or generator-chain (g(z), then the
    chain of training, begun as there)."""
    seed: int = 0
    """Seed of the chains."""

    def __call__(self) -> None:
        check_out(self.out, tuple(WRITERS))
        if self.num < 1:
            raise InputError(f"--num must be at least 1; got {self.num}.")
        check_seed(self.seed)
        model, told = load(self.run), Folder(self.run).config()["data"]
        check_images(self.out, told)
        x, words = self._draws(model)
        rows = np.asarray(jax.vmap(model.transform.decode)(x))
        with whole(self.out) as draft:
            WRITERS[self.out.suffix](draft, rows, told)
        print(f"Wrote {self.num} draws ({words}) to {self.out}.")

    def _draws(self, model: Model) -> tuple[Float[Array, " num *shape"], str]:
        """The rows in model units, and in words what drew them."""
        key = jax.random.key(self.seed)
        if self.by == "energy":
            found = drawn(model, self.num, starters(self.run, model), key=key)
            return found.x, found.sampler
        trio = load_trio(self.run)
        if self.by == "generator":
            return generated(trio, self.num, key=key), "by the generator, no chain"
        steps = model.settings.chain_steps
        words = f"by the generator, then {steps} Langevin steps as in training"
        return revised(trio, model.settings, self.num, key=key), words
