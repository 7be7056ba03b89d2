"""What bounds a Langevin step on one core: its two large matrix products, timed alone.

taskset -c 0 uv run python benchmarks/limit.py
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

import energax as ex

CHAINS, WIDTH, STEPS = 256, 128, 5000


@jax.jit
def products(x: Array, weight: Array) -> Array:
    """STEPS products, one after another."""
    return jax.lax.scan(lambda c, _: (c @ weight, None), x, length=STEPS)[0]


def microseconds(work: Callable[[], Array]) -> float:
    """CPU time of one of STEPS steps, the fastest of five repeats, compiled before."""
    jax.block_until_ready(work())
    spent = []
    for _ in range(5):
        began = time.process_time()
        jax.block_until_ready(work())
        spent.append(time.process_time() - began)
    return min(spent) / STEPS * 1e6


def main() -> None:
    key = jax.random.key(0)
    energy = ex.energy.Neural(ex.network.MLP((2,), WIDTH, key=key), (2,))
    starts, sampler = jax.random.normal(key, (CHAINS, 2)), ex.sampler.Langevin(1e-2)
    x, weight = jnp.ones((CHAINS, WIDTH)), jnp.full((WIDTH, WIDTH), 0.01)
    product = microseconds(lambda: products(x, weight))
    whole = microseconds(
        lambda: (
            ex.sampler.chains(sampler, energy, starts, STEPS, key=key, keep=ex.sampler.nothing)[0].x
        )
    )
    speed = 2 * CHAINS * WIDTH**2 / product / 1e3
    print(f"{CHAINS}x{WIDTH} times {WIDTH}x{WIDTH}: {product:.0f} us, {speed:.0f} GFLOP/s")
    share = 2 * product / whole
    print(f"Langevin step of {CHAINS} chains: {whole:.0f} us, {share:.0%} in two such products")


if __name__ == "__main__":
    main()
