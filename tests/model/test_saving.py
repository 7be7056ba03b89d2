"""A saved model with an energy of the user's own asks for it by name."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import as_a_user, energax, refused

import energax as ex
from energax.errors import InputError

OPTIONS = {"method": "sm", "steps": 4, "batch_size": 16, "chunk_steps": 2}
ROWS = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)


class Bowl(eqx.Module):
    """E(x) = |x - centre|^2 / 2."""

    centre: jax.Array

    def __call__(self, x):
        return jnp.sum((x - self.centre) ** 2) / 2


@pytest.fixture(autouse=True)
def _as_a_user():
    with as_a_user():
        yield


def test_a_model_with_the_users_own_energy_asks_for_it(tmp_path):
    own = Bowl(jnp.ones(2))
    model = ex.fit(ROWS, energy=own, **OPTIONS)
    model.save(tmp_path / "mine")
    says = r"mine was trained with an energy of the user's own, .*:Bowl: load it .*energy=\.\.\."
    with pytest.raises(InputError, match=says):
        ex.load(tmp_path / "mine")
    assert re.search(says, refused(energax("sample", tmp_path / "mine", "--out", "x.csv")))
    again = ex.load(tmp_path / "mine", energy=own)
    assert np.array_equal(again.energy_of(ROWS), model.energy_of(ROWS))
    again.save(tmp_path / "twice")
    with pytest.raises(InputError, match=says.replace("mine", "twice")):
        ex.load(tmp_path / "twice")


def test_a_model_with_a_network_takes_no_energy(tmp_path):
    ex.fit(ROWS, width=4, **OPTIONS).save(tmp_path / "net")
    with pytest.raises(InputError, match=r"trained with a network.* load it without `energy`"):
        ex.load(tmp_path / "net", energy=Bowl(jnp.ones(2)))
    ex.load(tmp_path / "net")
