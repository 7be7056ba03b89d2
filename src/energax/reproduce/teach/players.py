"""The players of a setting before training, and how they are trained."""

import math

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PRNGKeyArray

from energax import energy, learner, network, objective, sampler
from energax.learner import AbstractLearner, TeachingPlayers
from energax.reproduce.teach.plan import Setting

NOISE = 0.2
"""Of the generator: variance 0.04, where the released settings come to 0.3^2 / 2 = 0.045."""
LATENT_STEP = 5e-3
"""Of the chains on z, as released."""
BATCH = 64
DIM = 14 * 14
"""Of the images at whose size the step on x was chosen: with more pixels slopes of one fall."""


def make_players(setting: Setting, shape: tuple[int, ...], *, key: PRNGKeyArray) -> TeachingPlayers:
    """All three; None for an energy or an encoder that takes no part."""
    keys = jax.random.split(key, 3)
    made = network.ArrayMLP((setting.latent,), shape, setting.width, ends=jnp.tanh, key=keys[1])
    guess = network.MLP(shape, setting.width, out=2 * setting.latent, key=keys[2])
    walks = setting.posterior in ("prior", "persistent", "none")
    alone = setting.chain == 0 and setting.pathwise_weight == 0
    return TeachingPlayers(
        None if alone else scalar(setting, shape, key=keys[0]),
        network.NoisyGenerator(made, setting.latent, NOISE),
        None if walks else network.Encoder(guess, setting.latent),
    )


def scalar(setting: Setting, shape: tuple[int, ...], *, key: PRNGKeyArray) -> energy.Neural:
    """The energy."""
    if setting.energy == "autoencoder":
        return energy.Neural(
            network.ReconstructionError(shape, setting.latent, setting.width, key=key), shape
        )
    return energy.Neural(network.MLP(shape, setting.width, key=key), shape)


def walk(setting: Setting, shape: tuple[int, ...]) -> sampler.Langevin:
    """Cold: the noise is a small part of what a chain moves, as in the released settings."""
    size = math.prod(shape) / DIM
    if setting.energy == "autoencoder":
        return sampler.Langevin(4.0 * size, 0.01)
    return sampler.Langevin(size, 0.005)


def rules(setting: Setting, shape: tuple[int, ...]) -> learner.TeachingRules:
    """What the three minimise."""
    walk_z = sampler.Langevin(LATENT_STEP)
    posterior = {
        "encoder": lambda: learner.FromEncoder(walk_z, setting.latent_chain),
        "prior": lambda: learner.FromPrior(walk_z, setting.latent_chain),
        "persistent": lambda: learner.PersistentPosterior(
            walk_z, setting.rows, setting.latent_chain
        ),
        "variational": learner.Variational,
        "none": lambda: None,
    }[setting.posterior]()
    return learner.TeachingRules(
        walk(setting, shape),
        posterior,
        setting.chain,
        setting.generator_weight,
        setting.encoder_weight,
        setting.pathwise_weight,
        _penalty(setting),
        add_noise=False,
    )


def learns(setting: Setting, shape: tuple[int, ...]) -> AbstractLearner:
    """The learner: three players, or the energy alone by persistent chains.

    Rates fall to 0: at a constant one the last step decides, before or after the chain.
    """
    rate = optax.adam(optax.cosine_decay_schedule(1e-3, setting.steps), b1=0.0, b2=0.9)
    if setting.learner == "pcd":
        box = energy.UniformBox(shape, -1.0, 1.0)
        loss = objective.PersistentContrastiveDivergence(
            walk(setting, shape), box, setting.chain, 4096, 0.02, _penalty(setting)
        )
        return learner.Descent(loss, rate)
    return learner.Teaching(rules(setting, shape), learner.Optimisers(rate, rate, rate))


def _penalty(setting: Setting) -> float:
    """On the spread of energies; an error of reconstruction has a natural 0 and needs none."""
    return 0.0 if setting.energy == "autoencoder" else 1.0
