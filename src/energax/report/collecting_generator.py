"""The networks beside an energy, as its page shows them."""

import jax
import numpy as np
from jaxtyping import Shaped

from energax import model as room
from energax.learner import TeachingPlayers
from energax.model import Model
from energax.model.latent import mix
from energax.model.players import generate
from energax.model.sampling import decode_rows, refine
from energax.report.generator_results import GeneratorResults, Reconstructions, RefinedDraws

DRAWS = 256
"""Samples of the generator, and test rows that are reconstructed."""

LINES, POINTS = 6, 10
"""Straight lines in z, and the points of each."""

FINE = 24
"""Points of a line that is drawn in the plane."""

Rows = Shaped[np.ndarray, " size *shape"]


def collect_generator(model: Model, test: Rows) -> GeneratorResults:
    """Samples, reconstructions and lines of a model's generator."""
    players, keys = room.find_generator(model), jax.random.split(jax.random.key(3), 3)
    refined = None
    if model.method.generator_chain is not None:
        walk = refine(model, players, DRAWS, key=keys[0])
        initial, energies = decode_rows(model, walk.starts), np.asarray(walk.energies)
        refined = RefinedDraws(decode_rows(model, walk.ends), energies)
    else:
        initial = decode_rows(model, generate(players, DRAWS, key=keys[0]))
    infers = model.method.infers_latents
    lines, ends = _lines(model, players, test if infers else None, key=keys[1])
    return GeneratorResults(
        initial=initial,
        refined=refined,
        lines=lines,
        ends=ends,
        encoder=players.encoder is not None,
        reconstructions=_reconstruct(model, test[:DRAWS], key=keys[2]) if infers else None,
    )


def _reconstruct(model: Model, rows: Rows, *, key: jax.Array) -> Reconstructions:
    found = room.reconstruct(model, rows, key=key)
    return Reconstructions(rows, found.initial, found.rows, found.steps, found.start)


def _lines(
    model: Model, players: TeachingPlayers, rows: Rows | None, *, key: jax.Array
) -> tuple[np.ndarray, str]:
    """What the generator makes along straight lines in z, and what they connect.

    The z of `rows`; without rows, or with few, draws of N(0, I).
    """
    points = FINE if players.energy.shape == (2,) else POINTS
    if rows is not None and len(rows) >= 2 * LINES:
        words = "from the reconstruction of one test row to that of another"
        starts, ends = rows[:LINES], rows[LINES : 2 * LINES]
        return room.interpolate(model, starts, ends, points, key=key), words
    z = jax.random.normal(key, (2, LINES, players.generator.latent))
    lines = mix(z[0], z[1], points)
    shown = room.decode(model, lines.reshape(-1, lines.shape[-1]))
    return shown.reshape(LINES, points, *shown.shape[1:]), "from one draw of z to another"
