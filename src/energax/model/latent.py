"""Latent vectors of rows, and what a generator makes of them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, Shaped

from energax import sampler
from energax.errors import Diverged, InputError
from energax.learner import TeachingPlayers
from energax.learner.teaching.posterior import infer
from energax.method import build
from energax.model.base import Model, Rows
from energax.model.players import Latents, apply_each, check_finite, find_generator
from energax.model.scoring import check_rows


@dataclasses.dataclass(frozen=True)
class Codes:
    """Latent vectors of rows: `starts`, where their chains started, and `ends`, where they ended.

    `steps`: those of the chains. `words` says where they started.
    """

    starts: Latents
    ends: Latents
    steps: int
    words: str


def encode(model: Model, rows: Any, steps: int | None = None, *, key: PRNGKeyArray) -> Codes:
    """z of rows: the encoder's mean, then `steps` Langevin steps on p(z | row).

    As many steps as in training where `steps` is None: none after a `variational` encoder. Without
    an encoder chains start from N(0, I). Whole numbers are dequantised once, by `key`.

    Raises InputError for a model without a generator, for neither an encoder nor steps, Diverged
    for chains that run off.
    """
    spread, walk = jax.random.split(key)
    y, _ = build.encode(model.transform, check_rows(model, rows), key=spread)
    return infer_codes(model, find_generator(model), y, steps, key=walk)


def default_steps(model: Model) -> int:
    """Steps on z in training; the option of a model whose training infers nothing."""
    return model.latent_chain.latent_steps if model.method.infers_by_chain else 0


def infer_codes(
    model: Model,
    players: TeachingPlayers,
    y: Float[Array, " size *shape"],
    steps: int | None,
    *,
    key: PRNGKeyArray,
) -> Codes:
    """As `encode`, of rows in model units."""
    steps = default_steps(model) if steps is None else steps
    if steps < 0:
        raise InputError(f"--steps must be at least 0; got {steps}.")
    if players.encoder is None and steps == 0:
        raise InputError(
            "This model has no encoder, so that its chains on z start from N(0, I): --steps must "
            "be at least 1; got 0."
        )
    born, walk = jax.random.split(key)
    if players.encoder is None:
        starts = jax.random.normal(born, (len(y), players.generator.latent))
        words = "at a sample of N(0, I)"
    else:
        starts, words = apply_each(players.encoder, y)[0], "at the encoder's mean"
    size = model.latent_chain.latent_step_size
    chain = sampler.Langevin(size)
    ends, _ = eqx.filter_jit(infer)(chain, players.generator, y, starts, steps, key=walk)
    if not bool(jnp.all(jnp.isfinite(ends))):
        raise Diverged(
            f"The chains on z run off to infinity at steps of {size:g}: give --steps 0 where there "
            "is an encoder, or train with a smaller --latent-step-size."
        )
    return Codes(starts, ends, steps, words)


def decode(model: Model, z: Latents) -> Rows:
    """What the generator makes of latent vectors, in the user's units, without noise."""
    x = check_finite(apply_each(find_generator(model).generator, jnp.asarray(z)))
    return np.asarray(jax.vmap(model.transform.decode)(x))


@dataclasses.dataclass(frozen=True)
class Reconstruction:
    """What a generator makes of the latent vectors of rows, in the user's units.

    `rows`: at `z`, where the chains ended; `initial`: where they started. `initial_error` and
    `error`: mean squared error of a number of a row, of both, in the user's units squared.
    `steps`: those of the chains. `start` says where they started, `words` all of it.
    """

    rows: Rows
    initial: Rows
    z: Latents
    initial_error: float
    error: float
    steps: int
    start: str

    @property
    def words(self) -> str:
        """The errors in a line."""
        said = f"mean squared error {self.initial_error:.4g} {self.start}"
        if self.steps > 0:
            said += f", {self.error:.4g} after {self.steps} Langevin steps on z"
        return said


def reconstruct(
    model: Model, rows: Any, steps: int | None = None, *, key: PRNGKeyArray
) -> Reconstruction:
    """The generator's rows at the latent vectors of `rows`. Raises as `encode`."""
    found, true = encode(model, rows, steps, key=key), check_rows(model, rows)
    initial, last = decode(model, found.starts), decode(model, found.ends)
    errors = (mean_squared(initial, true), mean_squared(last, true))
    return Reconstruction(last, initial, found.ends, *errors, found.steps, found.words)


def mean_squared(found: Rows, rows: Rows) -> float:
    """Mean squared difference of all numbers."""
    return float(np.mean((found.astype(np.float64) - rows.astype(np.float64)) ** 2))


def mix(starts: Latents, ends: Latents, points: int) -> Float[Array, " size points latent"]:
    """`points` points on the straight line from each start to its end, both included.

    Trap: the middle of a line is nearer to 0 than draws of N(0, I) in many dimensions are.
    """
    share = jnp.linspace(0.0, 1.0, points)[:, None]
    return starts[:, None] * (1 - share) + ends[:, None] * share


def interpolate(
    model: Model,
    starts: Any,
    ends: Any,
    points: int,
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> Shaped[np.ndarray, " lines points *shape"]:
    """g(z) at `points` points of the line from the z of each start to that of its end.

    A line starts and ends at the reconstructions of its two rows. Raises as `encode`, and
    ValueError where there is not an end for each start.
    """
    if len(starts) != len(ends):
        raise ValueError(f"`ends` must have {len(starts)} rows, as `starts`; got {len(ends)}.")
    rows = np.concatenate([check_rows(model, starts), check_rows(model, ends)])
    first, last = jnp.split(encode(model, rows, steps, key=key).ends, 2)
    lines = mix(first, last, points)
    shown = decode(model, lines.reshape(-1, lines.shape[-1]))
    return shown.reshape(len(lines), points, *shown.shape[1:])
