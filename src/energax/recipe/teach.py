"""From settings to three players that teach one another."""

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from energax import learner, network, sampler
from energax.recipe.settings import ENCODED, Settings


def rules(settings: Settings, chain: sampler.Langevin, rows: int) -> learner.TeachingRules:
    """What the players minimise, by the settings; `rows` of data have a chain each, if kept.

    Draws carry the generator's noise unless the chains run cold, which take no noise away.
    """
    walk, steps = sampler.Langevin(settings.latent_step_size), settings.latent_steps
    posteriors = {
        "encoder": lambda: learner.FromEncoder(walk, steps),
        "prior": lambda: learner.FromPrior(walk, steps),
        "kept": lambda: learner.PersistentPosterior(walk, rows, steps),
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
        add_noise=abs(settings.temperature - 1) < 1e-6,
    )


def trio(
    settings: Settings, energy: PyTree, shape: tuple[int, ...], *, key: PRNGKeyArray
) -> learner.TeachingPlayers:
    """The players before training; an encoder only where a posterior starts at its draw."""
    first, then = jax.random.split(key)
    latent, wide, narrow = settings.latent, settings.rival_width, settings.encoder_width
    if settings.network == "conv":
        ends, halvings = jnp.tanh if settings.base == "box" else None, settings.halvings
        maker = network.ConvGenerator(latent, shape, wide, halvings, ends=ends, key=first)
        guess = network.ConvEncoder(shape, 2 * latent, narrow, halvings, key=then)
    else:
        maker = network.ArrayMLP((latent,), shape, wide, settings.depth, key=first)
        guess = network.MLP(shape, narrow, settings.depth, out=2 * latent, key=then)
    generator = network.NoisyGenerator(maker, latent, settings.noise)
    encoder = network.Encoder(guess, latent) if settings.posterior in ENCODED else None
    return learner.TeachingPlayers(energy, generator, encoder)
