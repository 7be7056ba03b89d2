"""Rows spread over devices: the same training, whatever the number of devices."""

import os
import subprocess
import sys

import pytest

from energax.cli.cores import FLAG, offer_cores
from energax.devices import find_mesh

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np, optax
import energax as ex
from energax import devices

key = jax.random.key(0)
rows = jax.random.normal(key, (64, 3))
net = ex.network.NoisyArrayMLP((3,), 8, key=key)
energy = ex.energy.PreconditionedEnergy(net, jnp.zeros(3), 1.0)
loss = ex.objective.LogNormalDenoising(1.0, 0.6, score_updates=2)
learner = ex.learner.Descent(loss, optax.adam(1e-2), 0.9)
run = ex.train.start(learner, energy, rows, key=key, batch_size=32)
for run, metrics in ex.train.fit_until(learner, run, rows, 6, batch_size=32, chunk_steps=3):
    pass
last = run.state.energy.network.perceptron.layers[0].weight
print(len(last.sharding.device_set), metrics["loss"][-1], *np.asarray(last).ravel()[:5])
"""


def run_on(count):
    """What the program prints where the CPU appears as `count` devices."""
    environment = dict(os.environ) | {"XLA_FLAGS": f"{FLAG}={count}", "JAX_PLATFORMS": "cpu"}
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    devices, *numbers = found.stdout.split()
    return int(devices), [float(number) for number in numbers]


def test_two_devices_train_as_one_does():
    alone, numbers = run_on(1)
    both, same = run_on(2)
    assert (alone, both) == (1, 2)
    assert same == pytest.approx(numbers, rel=1e-4, abs=1e-6)


def test_few_rows_stay_on_one_device():
    assert find_mesh(8) is None


def test_the_choice_of_a_user_stays():
    own, none = {"XLA_FLAGS": f"{FLAG}=3"}, {}
    offer_cores(own)
    offer_cores(none)
    assert own["XLA_FLAGS"] == f"{FLAG}=3"
    assert none["XLA_FLAGS"].startswith(FLAG)
