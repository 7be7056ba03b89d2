"""Hidden numbers of rows, drawn given the known ones by chains on the hidden numbers alone."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Key, PRNGKeyArray, PyTree, Shaped

from energax import data, sampler
from energax.data import AbstractTransform
from energax.energy import Clamped, Energy, LatentPosterior, free_axes
from energax.energy.clamped import remove_free
from energax.errors import Diverged
from energax.learner import TeachingPlayers
from energax.method import build
from energax.model.base import Model
from energax.model.columns import inpaint_columns
from energax.model.mass import inpaint_mass
from energax.model.players import apply_each, find_generator
from energax.model.sampling import LEAPS, STEPS, decode_rows, make_hmc
from energax.network import NoisyGenerator
from energax.sampler import AbstractSampler, FromBlackjax

INFERENCE = 100
"""Langevin steps on z, given the known numbers, whose end makes the start of the hidden ones."""

Rows = Shaped[np.ndarray, " size *shape"]
Batch = Float[Array, " size *shape"]
Keys = Key[Array, " size"]


@dataclasses.dataclass(frozen=True)
class Inpainted:
    """`rows`: in the user's units, the known numbers as they were. `words`: what drew the rest."""

    rows: Rows
    words: str


def inpaint(
    model: Model,
    rows: Rows,
    hidden: Bool[np.ndarray, " size *shape"],
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> Inpainted:
    """`rows` with what is `hidden` drawn from p(hidden | known), one sample for each row.

    What they hold where they are hidden is not read. A model trained at temperature 1 is sampled by
    Hamiltonian Monte Carlo, exact but for what is left of the start; one trained cold, or by short
    runs, by its own Langevin steps: as many as `sample_chains` makes, or `steps`. Chains start at
    what the generator makes of a z that is inferred from the known numbers alone, without a
    generator at draws of the base.

    Where the transform mixes the numbers of a row, chains move along what the known ones leave free
    in model units: the distribution is the same. Bits, categories and mixed columns are filled by
    Gibbs sweeps.
    Raises Diverged for chains that run off.
    """
    if model.schema.states is not None:
        return Inpainted(*inpaint_mass(model, rows, hidden, steps, key=key))
    if model.schema.kinds is not None:
        return Inpainted(*inpaint_columns(model, rows, hidden, steps, key=key))
    players = find_generator(model) if model.method.generates else None
    spread, born, adapt, walk = jax.random.split(key, 4)
    blank = np.asarray(model.transform.decode(jnp.zeros(rows.shape[1:])))
    y, _ = build.encode(model.transform, np.where(hidden, blank, rows), key=spread)
    chain, energy, own, words = _chain(model, key=adapt)
    steps = own if steps is None else steps
    factor, flat = _factor(model.transform), hidden.reshape(len(rows), -1)
    found, keys = np.asarray(y).copy(), [jax.random.split(k, len(rows)) for k in (born, walk)]
    # As many hidden numbers: one program. Their places may differ from row to row.
    for count in np.unique(flat.sum(axis=1)[flat.any(axis=1)]):
        places = np.flatnonzero(flat.sum(axis=1) == count)
        axes = _axes(hidden[places], factor, y.dtype)
        starts = _starts(model, players, y[places], axes, keys[0][places])
        ends = _walk(chain, energy, y[places], axes, starts, steps, keys[1][places])
        found[places] = np.asarray(ends)
    if not np.all(np.isfinite(found)):
        raise Diverged(
            "The chains on the hidden numbers run off to infinity: train with a base (--base "
            "gaussian) or a smaller --learning-rate."
        )
    shown = decode_rows(model, jnp.asarray(found))
    where = "draws of the base"
    if players is not None:
        where = "what the generator makes of the z inferred from the known numbers"
    return Inpainted(np.where(hidden, shown, rows), f"by {words.format(steps)} from {where}")


def _chain(model: Model, *, key: PRNGKeyArray) -> tuple[AbstractSampler, Energy, int, str]:
    """Sampler, its energy, its steps, and both in words; of whole examples, not yet clamped."""
    chain = model.training_chain
    if chain is not None:
        return chain.sampler, model.raw, chain.steps, "{} Langevin steps as in training"
    first, then = jax.random.split(key)
    hmc = make_hmc(model, model.base.sample(key=first), key=then)
    return hmc, model.energy, STEPS, f"{{}} Hamiltonian transitions of {LEAPS} leapfrog steps"


def _factor(transform: AbstractTransform) -> np.ndarray | None:
    """The matrix of a transform that mixes the numbers of a row; None where none are mixed."""
    match transform:
        case data.Whiten() as whiten:
            return np.asarray(whiten.factor)
        case data.Pipeline(steps=(*_, data.Whiten() as whiten)):
            return np.asarray(whiten.factor)
    return None


def _axes(hidden: np.ndarray, factor: np.ndarray | None, dtype: np.dtype) -> Array:
    """What is free in each row: one matrix where all rows hide the same, else one for each."""
    if np.all(hidden == hidden[:1]):
        return jnp.asarray(free_axes(hidden[0], factor), dtype)
    return jnp.asarray(np.stack([free_axes(row, factor) for row in hidden]), dtype)


def _over(axes: Array) -> int | None:
    return None if axes.ndim == 2 else 0


def _starts(
    model: Model, players: TeachingPlayers | None, y: Batch, axes: Array, keys: Keys
) -> Batch:
    """Examples whose hidden numbers the chains begin at."""
    if players is None:
        return jax.vmap(lambda k: model.base.sample(key=k))(keys)
    return apply_each(
        players.generator, infer_known(players, y, axes, model.latent_chain.latent_step_size, keys)
    )


@eqx.filter_jit
def infer_known(
    players: TeachingPlayers, y: Batch, axes: Array, step_size: float, keys: Keys
) -> Float[Array, " size latent"]:
    """z of rows in model units, inferred from their known numbers: those that `axes` leave alone.

    Langevin steps on p(z | known) from the encoder's mean, which is given a draw of the generator
    where the row is hidden; without an encoder from N(0, I).
    """
    chain = sampler.Langevin(step_size)

    def one(x: Array, axes: Array, key: PRNGKeyArray) -> Array:
        born, walk = jax.random.split(key)
        z = jax.random.normal(born, (players.generator.latent,), x.dtype)
        known = Partial(_known, players.generator.network, axes)
        generator: NoisyGenerator = eqx.tree_at(lambda g: g.network, players.generator, known)
        if players.encoder is not None:
            draw = players.generator(z)
            z = players.encoder(remove_free(x, axes) + draw - remove_free(draw, axes))[0]
        energy = LatentPosterior(generator, remove_free(x, axes))
        return sampler.run(chain, energy, z, INFERENCE, key=walk, keep=sampler.nothing)[0].x

    return jax.vmap(one, in_axes=(0, _over(axes), 0))(y, axes, keys)


def _known(network: PyTree, axes: Array, z: Array) -> Array:
    """What a generator makes of z, where it is compared with what is known."""
    return remove_free(network(z), axes)


@eqx.filter_jit
def _walk(
    chain: AbstractSampler,
    energy: Energy,
    y: Batch,
    axes: Array,
    starts: Batch,
    steps: int,
    keys: Keys,
) -> Batch:
    """Where chains on the free numbers of each row end, the others held."""

    def one(known: Array, axes: Array, start: Array, key: PRNGKeyArray) -> Array:
        clamped = Clamped(energy, known, axes)
        mine, free = _along(chain, axes), clamped.part(start)
        state, _ = sampler.run(mine, clamped, free, steps, key=key, keep=sampler.nothing)
        return clamped.whole(state.x)

    return jax.vmap(one, in_axes=(0, _over(axes), 0, 0))(y, axes, starts, keys)


def _along(chain: AbstractSampler, axes: Array) -> AbstractSampler:
    """The same sampler of the free numbers: of a mass matrix, its diagonal along the axes.

    A step that is stable for whole examples is for a part of them: the largest precision of a part
    is at most that of the whole.
    """
    match chain:
        case FromBlackjax(make=make, settings={"inverse_mass_matrix": mass, **rest}):
            return FromBlackjax(make, {"inverse_mass_matrix": (axes**2).T @ mass, **rest})
    return chain
