"""energax, through its public interface."""

import importlib.metadata
import itertools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from serve import serve
from workloads import BUFFER, FRESH, NOISE_RATIO, Workload

import energax as ex

SHAPES = {"mlp": (2,), "conv": (28, 28)}


def _energy(network: str) -> ex.energy.Neural:
    make = {"mlp": ex.network.MLP, "conv": ex.network.ConvNet}[network]
    return ex.energy.Neural(make(SHAPES[network], key=jax.random.key(0)), SHAPES[network])


def exported(network: str) -> list[np.ndarray]:
    """The weights that all sides start from."""
    return [np.asarray(a) for a in jax.tree.leaves(eqx.filter(_energy(network), eqx.is_array))]


class Energax:
    """The side that others are measured against."""

    def __init__(self, threads: int):
        self._threads = threads

    def versions(self) -> dict[str, str]:
        """Versions of what runs here."""
        return {name: importlib.metadata.version(name) for name in ("energax", "jax", "equinox")}

    def offers(self, workload: Workload) -> bool:
        """Everything."""
        return True

    def build(self, workload: Workload, material: dict[str, np.ndarray]) -> Callable[[], None]:
        """See `serve.Side`."""
        energy = _energy(workload.network)
        if workload.method == "draw":
            return _draw(workload, energy, jnp.asarray(material["starts"]))
        distribution = ex.energy.Gaussian(jnp.zeros(SHAPES[workload.network]))
        if workload.method == "nce":
            energy = ex.energy.Normalised(energy)
        objective = {
            "pcd": lambda: ex.objective.PersistentContrastiveDivergence(
                _sampler(workload), distribution, workload.steps, BUFFER, FRESH
            ),
            "nce": lambda: ex.objective.NoiseContrastiveEstimation(distribution, NOISE_RATIO),
            "dsm": lambda: ex.objective.DenoisingScoreMatching(workload.noise),
            "ssm": lambda: ex.objective.SlicedScoreMatching(),
        }[workload.method]()
        learner = ex.learner.Descent(objective, optax.adam(workload.rate))
        rows = jnp.asarray(material[f"rows_{workload.network}"])
        start = ex.train.start(
            learner, energy, rows, key=jax.random.key(1), batch_size=workload.batch
        )
        chunks = ex.train.fit(
            learner, start, rows, batch_size=workload.batch, chunk_steps=workload.updates
        )

        def work() -> None:
            run, _ = next(chunks)
            jax.block_until_ready(eqx.filter(run.state.energy, eqx.is_array))

        return work

    def check(self, network: str, material: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `serve.Side`."""
        x = jnp.asarray(material[f"check_{network}"])
        return {name: np.asarray(value) for name, value in _checked(_energy(network), x).items()}


@eqx.filter_jit
def _checked(energy: ex.energy.Neural, x: jax.Array) -> dict[str, jax.Array]:
    value, slope = jax.vmap(jax.value_and_grad(energy))(x)
    parts = eqx.filter_grad(lambda e: jnp.mean(jax.vmap(e)(x)))(energy)
    still = ex.sampler.Langevin(1e-2, 0.0)
    end, _ = ex.sampler.chains(still, energy, x, 20, key=jax.random.key(0))
    size = optax.global_norm(eqx.filter(parts, eqx.is_array))
    return {"energy": value, "slope": slope, "weights": size, "chain": end.x}


def _sampler(workload: Workload) -> ex.sampler.Langevin:
    return ex.sampler.Langevin(workload.step_size, workload.noise)


def _draw(workload: Workload, energy: ex.energy.Neural, starts: jax.Array) -> Callable[[], None]:
    sampler, calls = _sampler(workload), itertools.count()

    def work() -> None:
        key = jax.random.key(next(calls))
        state, _ = ex.sampler.chains(
            sampler, energy, starts, workload.steps, key=key, keep=ex.sampler.nothing
        )
        jax.block_until_ready(state.x)

    return work


if __name__ == "__main__":
    serve(Energax)
