"""The hidden numbers of rows drawn given the known ones: chains on the hidden numbers alone."""

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
from energax.network import NoisyGenerator
from energax.recipe import build, methods
from energax.recipe.draw import LEAPS, STEPS, as_trained, hamiltonian
from energax.recipe.folder import Model
from energax.recipe.generate import made
from energax.sampler import AbstractSampler, FromBlackjax

READING = 100
"""Langevin steps on z, given the known numbers, whose end makes the start of the hidden ones."""

Rows = Shaped[np.ndarray, " size *shape"]
Batch = Float[Array, " size *shape"]
Keys = Key[Array, " size"]


@dataclasses.dataclass(frozen=True)
class Filled:
    """`rows`: in the user's units, the known numbers as they were. `words`: what drew the rest."""

    rows: Rows
    words: str


def filled(
    model: Model,
    trio: TeachingPlayers | None,
    rows: Rows,
    hidden: Bool[np.ndarray, " size *shape"],
    steps: int | None = None,
    *,
    key: PRNGKeyArray,
) -> Filled:
    """`rows` with what is `hidden` drawn from p(hidden | known), one draw for each row.

    What they hold where they are hidden is not read. A model trained at temperature 1 is drawn from
    by Hamiltonian Monte Carlo, exact but for what is left of the start; one trained cold, or by
    short runs, by its own Langevin steps: as many as `drawn` makes, or `steps`. Chains begin at
    what the generator of `trio` makes of a z that is inferred from the known numbers alone, without
    a trio at draws of the base distribution.

    Where the transform mixes the numbers of a row, chains move along what the known ones leave free
    in model units: the distribution is the same. Raises Diverged for chains that run off.
    """
    spread, born, adapt, walk = jax.random.split(key, 4)
    blank = np.asarray(model.transform.decode(jnp.zeros(rows.shape[1:])))
    y, _ = build.encoded(model.transform, np.where(hidden, blank, rows), key=spread)
    chain, energy, own, words = _chain(model, key=adapt)
    steps = own if steps is None else steps
    factor, flat = _factor(model.transform), hidden.reshape(len(rows), -1)
    found, keys = np.asarray(y).copy(), [jax.random.split(k, len(rows)) for k in (born, walk)]
    # As many hidden numbers: one program. Their places may differ from row to row.
    for count in np.unique(flat.sum(axis=1)[flat.any(axis=1)]):
        places = np.flatnonzero(flat.sum(axis=1) == count)
        axes = _axes(hidden[places], factor, y.dtype)
        starts = _starts(model, trio, y[places], axes, keys[0][places])
        ends = _walked(chain, energy, y[places], axes, starts, steps, keys[1][places])
        found[places] = np.asarray(ends)
    if not np.all(np.isfinite(found)):
        raise Diverged(
            "The chains on the hidden numbers run off to infinity: train with a base (--base "
            "gaussian) or a smaller --learning-rate."
        )
    shown = np.asarray(jax.vmap(model.transform.decode)(jnp.asarray(found)))
    begun = "draws of the base distribution"
    if trio is not None:
        begun = "what the generator makes of the z inferred from the known numbers"
    return Filled(np.where(hidden, shown, rows), f"by {words.format(steps)} from {begun}")


def _chain(model: Model, *, key: PRNGKeyArray) -> tuple[AbstractSampler, Energy, int, str]:
    """Sampler, its energy, its steps, and both in words; of whole examples, not yet clamped."""
    if as_trained(model):
        steps = methods.lifetime(model.settings)
        return methods.chain(model.settings), model.raw, steps, "{} Langevin steps as in training"
    first, then = jax.random.split(key)
    chain = hamiltonian(model, model.distribution.sample(key=first), key=then)
    return chain, model.energy, STEPS, f"{{}} Hamiltonian transitions of {LEAPS} leapfrog steps"


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


def _starts(model: Model, trio: TeachingPlayers | None, y: Batch, axes: Array, keys: Keys) -> Batch:
    """Examples whose hidden numbers the chains begin at."""
    if trio is None:
        return jax.vmap(lambda k: model.distribution.sample(key=k))(keys)
    return made(trio, read(trio, y, axes, model.settings.latent_step_size, keys))


@eqx.filter_jit
def read(
    trio: TeachingPlayers, y: Batch, axes: Array, step_size: float, keys: Keys
) -> Float[Array, " size latent"]:
    """z of rows in model units, inferred from their known numbers: those that `axes` leave alone.

    Langevin steps on p(z | known) from the encoder's mean, which is given a draw of the generator
    where the row is hidden; without an encoder from N(0, I).
    """
    chain = sampler.Langevin(step_size)

    def one(x: Array, axes: Array, key: PRNGKeyArray) -> Array:
        born, walk = jax.random.split(key)
        z = jax.random.normal(born, (trio.generator.latent,), x.dtype)
        known = Partial(_known, trio.generator.network, axes)
        generator: NoisyGenerator = eqx.tree_at(lambda g: g.network, trio.generator, known)
        if trio.encoder is not None:
            draw = trio.generator(z)
            z = trio.encoder(remove_free(x, axes) + draw - remove_free(draw, axes))[0]
        energy = LatentPosterior(generator, remove_free(x, axes))
        return sampler.run(chain, energy, z, READING, key=walk, keep=sampler.nothing)[0].x

    return jax.vmap(one, in_axes=(0, _over(axes), 0))(y, axes, keys)


def _known(network: PyTree, axes: Array, z: Array) -> Array:
    """What a generator makes of z, where it is compared with what is known."""
    return remove_free(network(z), axes)


@eqx.filter_jit
def _walked(
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
