"""Methods of bits and categories: each learns a known distribution from rows alone."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import distribution

import energax as ex
from energax.errors import InputError
from energax.method import MASS_KINDS, MASS_METHODS, METHODS, find_method, kind_of
from energax.options import leaves, replace
from energax.space import Bits, Categories

RNG = np.random.default_rng(0)
ENTRIES = np.triu(1 + RNG.normal(size=(4, 4)) / 3, 1)
TRUTHS = {
    "bits": ex.energy.BoltzmannMachine(ENTRIES + ENTRIES.T, -1.5 + RNG.normal(size=4) / 3),
    "categories": ex.energy.Potts(RNG.normal(size=(3, 3, 3, 3)), RNG.normal(size=(3, 3))),
}


def probabilities(energy):
    return distribution(energy)[1]


@functools.cache
def dataset(kind, size=4000):
    truth = TRUTHS[kind]
    chances = probabilities(truth)
    places = np.random.default_rng(1).choice(len(chances), size=size, p=chances)
    rows = np.asarray(truth.space.enumerate())[places]
    return ex.data.from_rows(rows, states=truth.space.states, name=kind)


def divergence(model, kind):
    """KL of the true distribution from the model, nats, by a sum over all points."""
    true, mine = probabilities(TRUTHS[kind]), probabilities(model.energy)
    return float(np.sum(true * np.log(true / mine)))


SHORT = {"steps": 300, "chunk_steps": 300, "learning_rate": 0.05, "network": "pairs"}
LIMIT = 0.02
"""nats. Ten weights learned from 3,200 rows leave about 10 / 6,400; sites alone are 0.1 away."""


@pytest.mark.parametrize("name", MASS_METHODS)
def test_a_method_learns_a_boltzmann_machine(name):
    rows = dataset("bits")
    model = ex.fit(rows, method=name, validation=0.0, **SHORT)
    assert divergence(model, "bits") < LIMIT


def test_independent_sites_do_not():
    """Negative control of the limit above."""
    base = ex.energy.fit_sites(dataset("bits").train, Bits((4,)), pseudocount=1.0)
    true = probabilities(TRUTHS["bits"])
    assert np.sum(true * np.log(true / probabilities(base))) > 3 * LIMIT


@pytest.mark.parametrize("network", ["pairs", "rbm", "mlp"])
def test_networks_learn_categories(network):
    model = ex.fit(
        dataset("categories"),
        method="exact",
        **(SHORT | {"network": network, "width": 12, "steps": 600}),
    )
    assert divergence(model, "categories") < LIMIT


@pytest.mark.parametrize("kernel", ["gradients", "langevin", "path"])
def test_kernels_of_persistent_chains(kernel):
    options = {"kernel": kernel, "chain_steps": 4, "path_length": 1, "step_size": 0.5}
    model = ex.fit(dataset("bits"), method="pcd", **(SHORT | options))
    assert divergence(model, "bits") < LIMIT


@pytest.mark.parametrize("base", ["sites", "mixture", "tree", "uniform"])
def test_every_base_is_saved_and_read(base, tmp_path):
    rows = dataset("categories", 400)
    options = {"network": "mlp", "width": 4, "steps": 2, "chunk_steps": 2, "components": 2}
    model = ex.fit(rows, method="nce", base=base, **options)
    model.save(tmp_path / "model")
    again = ex.load(tmp_path / "model")
    assert np.array_equal(again.energy_of(rows.test), model.energy_of(rows.test))
    one, other = (probabilities(m.base) for m in (model, again))
    assert np.array_equal(one, other)


def test_validation_rows_are_those_of_the_data_set_where_it_has_such():
    rows = dataset("bits", 100)
    own = ex.data.Dataset("own", rows.train, rows.test, states=2, valid=rows.test[:5])
    method = MASS_METHODS["exact"].preset_for(own)
    train, valid = method.split(own)
    assert np.array_equal(train.train, rows.train)
    assert np.array_equal(valid.train, rows.test[:5])
    assert replace(method, validation=0.0).split(own)[1] is None


def test_what_does_best_on_validation_rows_is_kept():
    """Forty rows and a wide network: the last weights memorise, the kept ones do not."""
    many = dataset("bits")
    rows = ex.data.Dataset("few", many.train[:60], many.test, states=2, valid=many.train[60:])
    options = SHORT | {"network": "mlp", "width": 32, "ema_decay": 0.0, "steps": 600}
    kept, last = (
        ex.fit(rows, method="exact", validation=n, validation_every=20, batch_size=60, **options)
        for n in (0.1, 0.0)
    )
    assert divergence(kept, "bits") < divergence(last, "bits") - 0.05


@pytest.fixture(scope="module")
def model():
    return ex.fit(dataset("bits"), method="pseudo-likelihood", **SHORT)


def test_exact_samples_and_log_z_are_those_of_the_model(model, key):
    """Frequencies of 20,000 draws: a false alarm in 1e6 keys, by the largest of 16 z-scores."""
    rows = model.sample(20_000, key=key)
    chances = probabilities(model.energy)
    numbers = rows.astype(int) @ (2 ** np.arange(3, -1, -1))
    counts = np.bincount(numbers, minlength=16)
    score = np.abs(counts - 20_000 * chances) / np.sqrt(20_000 * chances * (1 - chances))
    assert score.max() < 5.5
    assert np.abs(np.roll(counts, 1) - 20_000 * chances).max() > 100  # negative control
    measured = ex.measure(model, dataset("bits"), compare=False)
    assert measured.record["test_log_likelihood"]["certified"]
    assert "Exact, by enumeration of 16 states" in measured.record["test_log_likelihood"]["why"]
    total = np.exp(measured.model.log_density(np.asarray(Bits((4,)).enumerate()))).sum()
    assert total == pytest.approx(1, abs=1e-9)


def test_hidden_sites_are_drawn_given_the_known_ones(model, key):
    """p(last two | first two) by enumeration; 4,000 rows, z-scores below 5.5."""
    rows = np.tile(np.array([1, 0, 1, 1], np.uint8), (4000, 1))
    hidden = np.tile(np.array([False, False, True, True]), (4000, 1))
    found = model.inpaint(rows, hidden, key=key)
    assert np.array_equal(found[:, :2], rows[:, :2])
    block = probabilities(model.energy).reshape(2, 2, 2, 2)[1, 0].ravel()
    block = block / block.sum()
    counts = np.bincount(found[:, 2].astype(int) * 2 + found[:, 3], minlength=4)
    score = np.abs(counts - 4000 * block) / np.sqrt(4000 * block * (1 - block))
    assert score.max() < 5.5


def test_a_method_of_another_space_is_refused():
    rows = dataset("bits", 100)
    with pytest.raises(InputError, match="--method dsm does not learn from bits, which bits holds"):
        find_method("dsm", rows)
    with pytest.raises(InputError, match="--method exact does not learn from real numbers"):
        find_method("exact", ex.data.two_moons(train=20, test=10))
    assert find_method("pcd", rows) is MASS_METHODS["pcd"]
    assert find_method("pcd") is METHODS["pcd"]
    assert kind_of(rows) == "bits"
    assert METHODS["dsm"].refusal(rows) == "its rows are bits"
    wide = ex.data.Dataset("wide", np.zeros((8, 30), np.uint8), np.zeros((2, 30), np.uint8), 2)
    wide = ex.data.Dataset("wide", wide.train, wide.test, states=2)
    with pytest.raises(InputError, match=r"--method exact sums over all points, at most 2\^20"):
        MASS_METHODS["exact"].preset_for(wide).check_rows(wide)


def test_biases_begin_at_the_frequencies():
    rows = dataset("categories", 500)
    space = Categories((3,), 3)
    ground = ex.method.Groundwork(ex.energy.fit_sites(rows.train, space, pseudocount=1.0), None, 9)
    for network in ("pairs", "rbm"):
        method = MASS_METHODS["pcd"].preset("categories")
        method = replace(method, network=network)
        made = method.make_energy(ground, key=jax.random.key(0))
        new = method.fit_players(made, rows, None)
        flat = jnp.mean(jax.nn.one_hot(rows.train, 3), axis=0)
        fields = new.fields if network == "pairs" else new.visible
        assert np.allclose(jax.nn.softmax(fields, axis=1), flat, atol=0.02)


@pytest.mark.parametrize("kind", MASS_KINDS)
@pytest.mark.parametrize("name", MASS_METHODS)
def test_presets_are_whole(name, kind):
    """Every group has values; options have names of their own."""
    method = MASS_METHODS[name].preset(kind)
    names = [leaf.key for leaf in leaves(method)]
    assert len(names) == len(set(names))
    assert method.network.kind == ("pairs" if kind == "categories" else "mlp")


def test_nothing_warns_of_a_good_run():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ex.fit(dataset("bits", 400), method="exact", **(SHORT | {"steps": 20, "chunk_steps": 20}))
