"""Gradient descent-ascent: particles follow the energy while its neurons follow the particles."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from energax.energy import AbstractManifold, Sphere, Tilt, weights
from energax.learner.base import AbstractLearner, Metrics
from energax.learner.dual.neurons import Neurons, embed, weigh_evenly
from energax.learner.update import check_ema_decay, copy_arrays, select_weights, update_average
from energax.network import Shallow
from energax.sampler import OnManifold
from energax.sampler.manifold import retract


class DualState(eqx.Module):
    """What `DualTraining` carries from update to update.

    `average` is the running average of the neurons, None where none is kept.

    Example:
        >>> state = ex.learner.DualState(None, None, jnp.zeros((2, 3)), jnp.array(0))
        >>> state.particles.shape
        (2, 3)
    """

    energy: PyTree
    average: PyTree
    particles: Float[Array, " count *shape"]
    updates: Int[Array, ""]


class DualTraining(AbstractLearner):
    """Train a shallow energy and the particles that stand for its model at the same time.

    max over f in a ball, min over distributions nu, of KL(nu || tau) + integral of f d(nu - data):
    the dual of maximum likelihood over the ball. nu is a set of particles, `copies` of each row. At
    each update they make one step of Langevin dynamics along the current energy, then the neurons
    move. The step of the neurons over that of the particles is the ratio of their time scales: near
    0 the particles are in equilibrium at each step, which is maximum likelihood by chains.

    With `restart` 1 it is score matching: as the particles' step size goes to 0, the neurons move
    down m times the gradient of spherical implicit score matching (directions: m / w_j times),
    times that step size; with 0 < `restart` < 1, times step size / `restart`.

    The model to train is a `Tilt` of the manifold's distribution by a `Shallow`. Give all rows at
    once (`fit(..., batch_size=None)`); with batches, particles that restart take rows of the
    current batch.

    Args:
        walk: the manifold and the step size of the particles.
        neurons: the steps of the neurons, and the ball that they stay in.
        restart: probability, in [0, 1], that a particle starts again at its row before an update;
            with `antithetic` a pair restarts together.
        every: all particles restart at each such update; None: never.
        antithetic: the second half of the particles gets the noise of the first, negated.
        ema_decay: as in `Descent`, over directions and weights; averaged directions are a little
            shorter than 1.
        horizon: the neurons' steps fall to 0 along a cosine over this many updates, which takes out
            the noise of few particles. None: they stay as they are.

    Raises:
        ValueError: rows off the manifold, or a setting out of its range.

    Trap: neurons much faster than the particles drive them in circles, and without a radius their
    weights then grow without bound. `restart` 1 overfits late: nothing but one step's noise smooths
    the rows.
    Source: Domingo-Enrich et al. (2021), algorithm 1, in which particles, directions and weights
    move at once; a restart of each particle by itself is ours.

    Example:
        >>> neurons = ex.learner.Neurons(0.1, 0.1, ex.learner.VariationBall(8.0))
        >>> walk = ex.sampler.OnManifold(ex.energy.Sphere((3,)), 0.02)
        >>> ex.learner.DualTraining(walk, neurons, restart=0.01).copies
        2
    """

    walk: OnManifold
    neurons: Neurons
    restart: float = eqx.field(static=True, default=0.0)
    every: int | None = eqx.field(static=True, default=None)
    copies: int = eqx.field(static=True, default=2)
    antithetic: bool = eqx.field(static=True, default=True)
    ema_decay: float | None = eqx.field(static=True, default=None)
    horizon: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_ema_decay(self.ema_decay)
        if not 0 <= self.restart <= 1:
            raise ValueError(f"`restart` must be a probability in [0, 1]; got {self.restart}.")
        for name in ("every", "horizon"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"`{name}` must be at least 1, or None; got {count}.")
        if self.copies < 1 or (self.antithetic and self.copies % 2):
            raise ValueError(
                f"`copies` must be at least 1, and even with `antithetic`; got {self.copies}."
            )

    def init(
        self, players: Tilt, rows: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> DualState:
        self.neurons.check(check_players(players, self.walk.manifold))
        self.walk.manifold.check("rows", np.asarray(rows))
        particles = jnp.concatenate([rows] * self.copies)
        average = None if self.ema_decay is None else weights(players)[0]
        return copy_arrays(DualState(players, average, particles, jnp.zeros((), jnp.int32)))

    def step(
        self, state: DualState, batch: Float[Array, " batch *shape"], *, key: PRNGKeyArray
    ) -> tuple[DualState, Metrics]:
        choose, move = jax.random.split(key)
        updates = state.updates + 1
        starts = jnp.concatenate([batch] * (len(state.particles) // len(batch)))
        particles = self._restart_particles(state.particles, starts, updates, key=choose)
        particles = self._move_particles(state.energy, particles, key=move)
        network = state.energy.network
        data, model = (weigh_evenly(embed(network, rows)) for rows in (batch, particles))
        pace = self._pace(state.updates)
        after, of_data, of_model = self.neurons.step(network, data, model, pace)
        energy = eqx.tree_at(lambda energy: energy.network, state.energy, after)
        average = update_average(self.ema_decay, state.average, weights(energy)[0], state.updates)
        metrics = self.neurons.measure(network, of_data, of_model)
        return DualState(energy, average, particles, updates), metrics

    def _pace(self, updates: Int[Array, ""]) -> Float[Array, ""] | float:
        """What the steps of the neurons are multiplied by."""
        if self.horizon is None:
            return 1.0
        done = jnp.minimum(updates / self.horizon, 1)
        return (1 + jnp.cos(math.pi * done)) / 2

    def _restart_particles(
        self, particles: Array, starts: Array, updates: Int[Array, ""], *, key: PRNGKeyArray
    ) -> Float[Array, " count *shape"]:
        """Particles before they move, some of them at their rows again."""
        if self.restart == 0 and self.every is None:
            return particles
        again = jnp.zeros(len(particles), bool)
        if self.restart > 0:
            coins = len(particles) // 2 if self.antithetic else len(particles)
            again = jax.random.bernoulli(key, self.restart, (coins,))
            again = jnp.concatenate([again] * (len(particles) // coins))
        if self.every is not None:
            again = again | (updates % self.every == 0)
        return jnp.where(again.reshape(-1, *[1] * (particles.ndim - 1)), starts, particles)

    def _move_particles(
        self, energy: Tilt, particles: Array, *, key: PRNGKeyArray
    ) -> Float[Array, " count *shape"]:
        """Particles after one step of their dynamics."""
        noise = self._noise(particles, key=key)
        slope = jax.vmap(jax.grad(energy))(particles)
        manifold, size = self.walk.manifold, self.walk.step_size
        return jax.vmap(lambda x, g, r: retract(manifold, x, g, size, r))(particles, slope, noise)

    def _noise(self, particles: Array, *, key: PRNGKeyArray) -> Float[Array, " count *shape"]:
        count = particles.size // 2 if self.antithetic else particles.size
        # On a CPU, normals of one axis are made three times faster than those of several; the
        # barrier keeps XLA from making them again at each use.
        noise = jax.lax.optimization_barrier(jax.random.normal(key, (count,), particles.dtype))
        if self.antithetic:
            noise = jnp.concatenate([noise, -noise])
        return noise.reshape(particles.shape)

    def energy(self, state: DualState) -> Any:
        """The tilted distribution, with averaged neurons where they are kept."""
        return select_weights(state.energy, state.average)


def check_players(players: Any, manifold: AbstractManifold) -> Shallow:
    """The network of a shallow tilt of the manifold's distribution.

    Raises:
        TypeError: `players` is anything else.
        ValueError: its shapes, distribution, directions, weights or signs cannot be trained.
    """
    if not (isinstance(players, Tilt) and isinstance(players.network, Shallow)):
        raise TypeError("`players` must be a `Tilt` of a distribution by a `Shallow` network.")
    if players.shape != manifold.distribution.shape:
        raise ValueError(
            f"`players` act on examples of shape {players.shape}, `manifold` has "
            f"{manifold.distribution.shape}: build both with one shape."
        )
    if not eqx.tree_equal(players.distribution, manifold.distribution):
        raise ValueError(
            "`players` must tilt the distribution of `manifold`: build them with "
            "`manifold.distribution`."
        )
    network = players.network
    dim = len(jax.eval_shape(network.embedding, jnp.zeros(players.shape)))
    if network.directions.shape[1] != dim:
        raise ValueError(
            f"`directions` must have {dim} numbers each, as the embedded rows have; got "
            f"{network.directions.shape[1]}."
        )
    Sphere((dim,)).check("directions", np.asarray(network.directions))
    for name, wrong, what in (
        ("weights", ~np.isfinite(network.weights), "finite"),
        ("signs", np.abs(network.signs) != 1, "+1 or -1"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(
                f"`{name}` must be {what}; neuron {at} has {getattr(network, name)[at]}."
            )
    return network
