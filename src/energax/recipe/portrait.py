"""The players beside the energy of a run, as its page shows them."""

from pathlib import Path

import jax
import numpy as np
from jaxtyping import Array, Shaped

from energax import report
from energax.learner import TeachingPlayers
from energax.recipe.folder import Model
from energax.recipe.generate import between, generated, made, own_steps, walked
from energax.recipe.interpolate import interpolated
from energax.recipe.players import GENERATORS, load_trio
from energax.recipe.reconstruct import reconstructed
from energax.recipe.settings import CHAINS

DRAWS = 256
"""Draws of the generator, and test rows that are read."""

LINES, POINTS = 6, 10
"""Straight lines in z, and the points of each."""

FINE = 24
"""Points of a line that is drawn in the plane."""

Rows = Shaped[np.ndarray, " size *shape"]


def portrait(path: Path, model: Model, test: Rows) -> report.GeneratorResults | None:
    """Draws, reconstructions and lines of a run's generator; None where it trained none."""
    settings = model.settings
    if settings.objective not in GENERATORS:
        return None
    trio, keys = load_trio(path), jax.random.split(jax.random.key(3), 3)

    def shown(x: Array) -> np.ndarray:
        return np.asarray(jax.vmap(model.transform.decode)(x))

    revised = None
    if settings.objective in CHAINS and settings.chain_steps > 0:
        walk = walked(trio, settings, DRAWS, key=keys[0])
        begun, energies = shown(walk.starts), np.asarray(walk.energies)
        revised = report.RefinedDraws(shown(walk.ends), energies)
    else:
        begun = shown(generated(trio, DRAWS, key=keys[0]))
    inferred = settings.objective == "teaching" and settings.posterior != "none"
    lines, ends = _lines(model, trio, test if inferred else None, key=keys[1])
    return report.GeneratorResults(
        initial=begun,
        refined=revised,
        lines=lines,
        ends=ends,
        encoder=trio.encoder is not None,
        reconstructions=_read(model, trio, test[:DRAWS], key=keys[2]) if inferred else None,
    )


def _read(
    model: Model, trio: TeachingPlayers, rows: Rows, *, key: jax.Array
) -> report.Reconstructions:
    found = reconstructed(model, trio, rows, own_steps(model.settings), key=key)
    return report.Reconstructions(rows, found.begun, found.rows, found.steps, found.start)


def _lines(
    model: Model, trio: TeachingPlayers, rows: Rows | None, *, key: jax.Array
) -> tuple[np.ndarray, str]:
    """What the generator makes along straight lines in z, and between what they go.

    Between the z of `rows`; without rows, or with few, between draws of N(0, I).
    """
    points = FINE if trio.energy.shape == (2,) else POINTS
    if rows is not None and len(rows) >= 2 * LINES:
        words = "from the reconstruction of one test row to that of another"
        return interpolated(model, trio, rows[: 2 * LINES], points, key=key), words
    z = jax.random.normal(key, (2, LINES, trio.generator.latent))
    lines = between(z[0], z[1], points)
    x = jax.vmap(model.transform.decode)(made(trio, lines.reshape(-1, lines.shape[-1])))
    return np.asarray(x).reshape(LINES, points, *x.shape[1:]), "from one draw of z to another"
