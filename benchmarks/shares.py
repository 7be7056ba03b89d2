"""The figure of docs/connections.md: the shares of two far modes, by one noise level and by many.

uv run python benchmarks/shares.py [FIGURE.png]
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax

import energax as ex

SHARE, APART, STD, SEEDS, UPDATES = 0.8, 5.0, 0.5, (0, 1, 2), 6000
LOWEST, BATCH = 0.3, 1024
LEVELS = ex.sampler.geometric_levels(12.0, LOWEST, 20)
DISTRIBUTION = ex.energy.GaussianMixture(
    np.log([SHARE, 1 - SHARE]),
    np.array([[-APART, 0.0], [APART, 0.0]], np.float32),
    np.stack([STD * np.eye(2, dtype=np.float32)] * 2),
)


def trained(objective: ex.objective.AbstractObjective, model: eqx.Module, seed: int) -> eqx.Module:
    """The model after UPDATES of Adam on 20,000 draws of the distribution."""
    data, begin = jax.random.split(jax.random.key(seed))
    rows = ex.energy.draws(DISTRIBUTION, 20_000, key=data)
    adam = optax.adam(optax.cosine_decay_schedule(5e-3, UPDATES))
    learner = ex.learner.Descent(objective, adam, 0.999)
    run = ex.train.start(learner, model, rows, key=begin, batch_size=BATCH)
    run, _ = next(ex.train.fit(learner, run, rows, batch_size=BATCH, chunk_steps=UPDATES))
    return learner.energy(run.state)


def by_one_level(seed: int) -> tuple[float, np.ndarray]:
    """Share of the left mode in the density itself, by quadrature; the density along the axis."""
    net = ex.network.MLP((2,), 128, key=jax.random.key(seed))
    base = ex.energy.Gaussian(jnp.zeros(2), 6.0)
    objective = ex.objective.DenoisingScoreMatching(LOWEST)
    energy = trained(objective, ex.energy.Tilt(base, net), seed)
    axis = np.linspace(-9, 9, 361, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    log = -np.asarray(jax.vmap(energy)(jnp.asarray(grid)), np.float64)
    density = np.exp(log - log.max()).reshape(361, 361).sum(axis=1)
    density /= density.sum() * (axis[1] - axis[0])
    return float(density[axis < 0].sum() * (axis[1] - axis[0])), density


def by_many_levels(seed: int) -> tuple[float, np.ndarray]:
    """Share of the left mode among annealed draws; their first coordinates."""
    net = ex.network.NoisyMLP((2,), 128, kind="field", key=jax.random.key(seed))
    objective = ex.objective.MultiLevelDenoising(LEVELS)
    model = trained(objective, ex.energy.NoisyScore(net, (2,)), seed)
    begin, move = jax.random.split(jax.random.key(seed + 100))
    starts = LEVELS[0] * jax.random.normal(begin, (20_000, 2))
    x = ex.sampler.anneal(model, LEVELS, starts, 50, 0.01, key=move)
    return float(np.mean(np.asarray(x)[:, 0] < 0)), np.asarray(x)[:, 0]


def main() -> None:
    one = [by_one_level(seed) for seed in SEEDS]
    many = [by_many_levels(seed) for seed in SEEDS]
    print(f"share of the left mode, {SHARE} in truth, three seeds:")
    print("one level of noise:", ", ".join(f"{share:.3f}" for share, _ in one))
    print("many levels:", ", ".join(f"{share:.3f}" for share, _ in many))
    if len(sys.argv) > 1:
        matplotlib.use("agg")
        from matplotlib import pyplot as plt

        axis = np.linspace(-9, 9, 361)
        figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), sharey=True, layout="constrained")
        spread = np.sqrt(STD**2 + LOWEST**2)
        truth = SHARE * np.exp(-((axis + APART) ** 2) / (2 * spread**2)) + (1 - SHARE) * np.exp(
            -((axis - APART) ** 2) / (2 * spread**2)
        )
        truth /= spread * np.sqrt(2 * np.pi)
        for axes_, title in zip(axes, ("one level of noise", "many levels, annealed"), strict=True):
            axes_.fill_between(
                axis, truth, color="#2f6db3", alpha=0.25, label="true, noise included"
            )
            axes_.set(title=title, xlabel="first coordinate")
            axes_.spines[["top", "right"]].set_visible(False)
        for _, density in one:
            axes[0].plot(axis, density, color="#c9542e", lw=1)
        for _, x in many:
            axes[1].hist(x, bins=180, range=(-9, 9), density=True, histtype="step", color="#c9542e")
        axes[0].legend(frameon=False, loc="upper right")
        figure.savefig(sys.argv[1], dpi=110)


if __name__ == "__main__":
    main()
