"""Draws of a trained model: by the chains that trained it where they ran cold, else exact MCMC."""

import dataclasses

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from energax.energy import draws
from energax.errors import Diverged
from energax.learner import TeachingPlayers
from energax.recipe import methods
from energax.recipe.folder import Model
from energax.recipe.generate import walked
from energax.recipe.settings import Settings
from energax.sampler import AbstractSampler, FromBlackjax, Info, State, chains

LEAPS = 10
"""Leapfrog steps of one Hamiltonian transition."""

PILOT = 400
"""Transitions of the pilot chain that finds step size and mass; none of them is kept."""

STEPS = 300
"""Hamiltonian transitions from the base distribution to a draw."""

KEPT = 100
"""Points of a chain at which its energy is kept."""


@dataclasses.dataclass(frozen=True)
class Drawn:
    """`x`: last states, model units. `energies`: E/T along the chains, nats. `acceptance`: mean
    over all transitions, None for a sampler that never rejects. `sampler`: what ran, in words."""

    x: Float[Array, " count *shape"]
    energies: Float[np.ndarray, " count kept"]
    acceptance: float | None
    sampler: str


def drawn(model: Model, count: int, trio: TeachingPlayers | None, *, key: PRNGKeyArray) -> Drawn:
    """`count` independent chains, each walked to its end.

    A model trained at temperature 1 is drawn from by Hamiltonian Monte Carlo from draws of the base
    distribution, exact but for what is left of the start. One trained cold, or by short runs, is
    drawn from as it was trained: by its own Langevin steps, as many as a chain of training lives,
    from where those began: at draws of the generator of `trio`, which is what `players.starters`
    gives, or of the base distribution. Raises Diverged for draws that are not finite.
    """
    settings = model.settings
    if trio is not None:
        return _from_generator(settings, count, trio, key=key)
    born, adapt, move = jax.random.split(key, 3)
    starts = draws(model.distribution, count, key=born)
    walks = as_trained(model)
    if walks:
        sampler, energy = methods.chain(settings), model.raw
        steps = methods.lifetime(settings)
        words = f"Langevin as in training, {steps} steps from the base distribution"
    else:
        sampler, energy = hamiltonian(model, starts[0], key=adapt), model.energy
        steps = STEPS
        words = f"Hamiltonian Monte Carlo, {steps} transitions of {LEAPS} leapfrog steps"
    thin = max(1, steps // KEPT)
    steps -= steps % thin
    state, info = chains(sampler, energy, starts, steps, key=move, keep=_info, thin=thin)
    if not bool(jnp.all(jnp.isfinite(state.x))):
        raise Diverged(
            "The chains of this model run off to infinity: its energy is not bounded below. Train "
            "with a base distribution (--base gaussian) or a smaller --learning-rate."
        )
    scale = settings.temperature if walks else 1.0
    rate = None if walks else float(jnp.mean(info.acceptance))
    return Drawn(state.x, np.asarray(info.energy) / scale, rate, words)


def as_trained(model: Model) -> bool:
    """Is it drawn from by the chains of its training: those of cold runs, and of short ones?"""
    return model.cold or model.settings.objective == "shortrun"


def _from_generator(
    settings: Settings, count: int, trio: TeachingPlayers, *, key: PRNGKeyArray
) -> Drawn:
    found = walked(trio, settings, count, key=key)
    steps = settings.chain_steps
    words = f"Langevin as in training, {steps} steps from draws of the generator"
    return Drawn(found.ends, np.asarray(found.energies[:, :: max(1, steps // KEPT)]), None, words)


def _info(state: State, info: Info) -> Info:
    return info


def hamiltonian(model: Model, start: Array, *, key: PRNGKeyArray) -> AbstractSampler:
    """HMC with the step size and diagonal mass that BlackJAX's window adaptation finds."""
    adaptation = blackjax.window_adaptation(
        blackjax.hmc, lambda x: -model.energy(x), num_integration_steps=LEAPS
    )
    # BlackJAX declares `run` with two arguments and takes three: the third is the number of steps.
    found, _ = jax.jit(lambda k, x: adaptation.run(k, x, PILOT))(key, start)  # pyright: ignore[reportCallIssue]
    return FromBlackjax(blackjax.hmc, found.parameters | {"num_integration_steps": LEAPS})
