"""One run: a target's rows, neurons and noise of one seed, measured on its way."""

import dataclasses
import itertools
import math
import time
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from energax import train
from energax.data import two_neurons
from energax.energy import Sphere, Tilt
from energax.errors import Stopped
from energax.evaluate import (
    alignment,
    fisher_divergence,
    kernel_duality,
    kl_by_draws,
    kl_on_sphere,
    sphere_grid,
    variation_duality,
)
from energax.learner import DualTraining, KernelBall, Neurons, VariationBall
from energax.network import make_shallow
from energax.reproduce.dual.plan import PARTICLE_STEP, Setting
from energax.reproduce.dual.targets import target
from energax.sampler import OnManifold
from energax.train import Interrupt, Run

TEST_ROWS = 20_000
SNAPSHOTS = (0, 80, 400, 4000)
"""Iterations at which particles and neurons are kept, where the setting is pictured."""
KEPT = 6_000
"""Particles of a snapshot."""
MEASURES = ("kl", "sm", "variation", "near")
DECAY = 4
"""The neurons' steps decay over this fraction of a run's iterations before the last gap: 1 in 4."""


def marks(steps: int) -> list[int]:
    """Iterations that are measured: each 10th to 100, each 20th to 1,000, then each 100th."""
    found = [*range(0, 100, 10), *range(100, 1000, 20), *range(1000, steps + 1, 100)]
    return sorted({mark for mark in found if mark < steps} | {steps})


class Trial:
    """A run before its first iteration, and what it is measured by."""

    def __init__(self, setting: Setting, seed: int):
        dtype = jnp.result_type(float)
        self.setting, self.distribution = setting, target(setting.teacher)
        rows = two_neurons(self.distribution, train=setting.rows, test=TEST_ROWS, seed=seed)
        self.rows, self.test = (jnp.asarray(part, dtype) for part in (rows.train, rows.test))
        self.manifold = Sphere(self.distribution.shape)
        self.learner = _learner(setting, self.manifold)
        born, go, self.search = jax.random.split(jax.random.key(seed), 3)
        network = make_shallow(
            self.distribution.shape, setting.neurons, negative=setting.negative, key=born
        )
        self.run = train.start(
            self.learner,
            Tilt(self.manifold.distribution, network),
            self.rows,
            key=go,
            batch_size=None,
        )

    def runs(self) -> Iterator[Run]:
        """The run at each of `marks`; each is consumed by the next."""
        yield self.run
        gaps = np.diff(marks(self.setting.steps)).tolist()
        run = self.run
        for length, group in itertools.groupby(gaps):
            fitting = train.fit(self.learner, run, self.rows, batch_size=None, chunk_steps=length)
            for _ in group:
                run = next(fitting)[0]
                yield run

    def measure(self, run: Run) -> dict[str, float]:
        """Numbers at one iteration: KL in nats, twice the Fisher divergence, mean weight, share of
        weight near the teacher's directions."""
        energy = run.state.energy
        if self.setting.dim == 3:
            kl = kl_on_sphere(self.distribution, energy)
        else:
            kl = kl_by_draws(self.distribution, energy, self.test)
        apart = fisher_divergence(self.manifold, self.distribution, energy, self.test)
        return {
            "kl": float(kl.value),
            "sm": 2 * float(apart.value),
            "variation": float(jnp.mean(jnp.abs(energy.network.weights))),
            "near": float(alignment(energy.network, self.distribution.directions)[1]),
        }

    def decay(self, run: Run) -> Run:
        """The run after more iterations in which the neurons' steps fall to 0 along a cosine.

        Few particles move the neurons at random for as long as their steps are large; without that
        noise, two thirds of the gap of a run of 2,000 particles is gone. `run` is consumed.
        """
        steps = max(1, self.setting.steps // DECAY)
        learner = dataclasses.replace(self.learner, horizon=steps)
        # The cosine counts updates: it starts here.
        run = eqx.tree_at(lambda r: r.state.updates, run, jnp.zeros((), jnp.int32))
        return next(train.fit(learner, run, self.rows, batch_size=None, chunk_steps=steps))[0]

    def gap(self, run: Run) -> float | None:
        """The duality gap in nats over the ball that the run was in; None beyond the 2-sphere.

        Without a bound, the ball whose radius is the norm that the run ended with.
        """
        if self.setting.dim != 3:
            return None
        energy, ball = run.state.energy, self.learner.neurons.ball
        norm = float(ball.norm(energy.network))
        radius = self.setting.radius or norm
        nodes, shares = sphere_grid(40)
        if self.setting.ball == "kernel":
            found = kernel_duality(energy, radius, self.rows, nodes, shares)
        else:
            found = variation_duality(
                energy, radius, self.rows, nodes, shares, key=self.search, starts=128, ascents=100
            )
        return float(found.gap)


def _learner(setting: Setting, manifold: Sphere) -> DualTraining:
    radius = math.inf if setting.radius is None else setting.radius
    ball = KernelBall(radius) if setting.ball == "kernel" else VariationBall(radius)
    neurons = Neurons(setting.direction_step, setting.weight_step, ball)
    return DualTraining(OnManifold(manifold, PARTICLE_STEP), neurons, every=setting.every)


def run(setting: Setting, seed: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The record of a whole run, and its snapshots, none where it is not pictured.

    Raises Stopped after Ctrl-C, Diverged where a number is not finite.
    """
    began, trial = time.perf_counter(), Trial(setting, seed)
    run = trial.run
    lines: list[dict[str, float]] = []
    kept: dict[str, np.ndarray] = {}
    with Interrupt() as interrupt:
        for run in trial.runs():
            step = int(run.step)
            lines.append({"iteration": step} | trial.measure(run))
            if setting.pictured and step in SNAPSHOTS:
                kept |= _snapshot(run, step)
            if interrupt.requested:
                words = "Stopped; finished runs are kept, and the same command goes on."
                raise Stopped(words, interrupt.number)
        cosines = alignment(run.state.energy.network, trial.distribution.directions)[0]
        record = {
            "seed": seed,
            "iteration": [line["iteration"] for line in lines],
            **{name: [line[name] for line in lines] for name in MEASURES},
            "cosines": [float(cosine) for cosine in cosines],
            "gap": trial.gap(run),
            "seconds": time.perf_counter() - began,
        }
        measurable = record["gap"] is not None
        record["gap_after_decay"] = trial.gap(trial.decay(run)) if measurable else None
    return record, kept


def _snapshot(run: Run, step: int) -> dict[str, np.ndarray]:
    network, particles = run.state.energy.network, run.state.particles
    each = max(1, len(particles) // KEPT)
    return {
        f"particles-{step}": np.asarray(particles[::each], np.float32),
        f"directions-{step}": np.asarray(network.directions, np.float32),
        f"weights-{step}": np.asarray(network.weights, np.float32),
    }
