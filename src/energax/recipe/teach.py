"""From settings to three players that teach one another."""

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from energax import learner, network, sampler
from energax.recipe.settings import ENCODED, Settings

HALVINGS = 2
"""Halvings of an image on the way to its latent vector: 28 goes to 14 and 7, 32 to 16 and 8."""


def rules(settings: Settings, chain: sampler.Langevin, rows: int) -> learner.TeachingRules:
    """What the players minimise, by the settings; `rows` of data have a chain each, if kept.

    Draws carry the generator's noise unless the chains run cold, which take no noise away.
    """
    walk, steps = sampler.Langevin(settings.latent_step_size), settings.latent_steps
    posteriors = {
        "encoder": lambda: learner.FromEncoder(walk, steps),
        "prior": lambda: learner.FromPrior(walk, steps),
        "kept": lambda: learner.Kept(walk, rows, steps),
        "variational": learner.Variational,
        "none": lambda: None,
    }
    return learner.TeachingRules(
        chain,
        posteriors[settings.posterior](),
        settings.chain_steps,
        settings.synthetic,
        settings.imitation,
        settings.through,
        settings.energy_penalty,
        blurred=abs(settings.temperature - 1) < 1e-6,
    )


def trio(
    settings: Settings, energy: PyTree, shape: tuple[int, ...], *, key: PRNGKeyArray
) -> learner.Trio:
    """The players before training; an encoder only where a posterior starts at its draw."""
    first, then = jax.random.split(key)
    latent, width, depth = settings.latent, settings.rival_width, settings.depth
    if settings.network == "conv":
        ends = jnp.tanh if settings.base == "box" else None
        maker = network.ConvGenerator(latent, shape, width, HALVINGS, ends=ends, key=first)
        guess = network.ConvEncoder(shape, 2 * latent, width, HALVINGS, key=then)
    else:
        maker = network.ArrayMLP((latent,), shape, width, depth, key=first)
        guess = network.MLP(shape, width, depth, out=2 * latent, key=then)
    generator = network.NoisyGenerator(maker, latent, settings.noise)
    encoder = network.Encoder(guess, latent) if settings.posterior in ENCODED else None
    return learner.Trio(energy, generator, encoder)
