"""A classifier as an energy: Bayes' rule in closed form, and networks that give logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import SHAPES
from classes import log_joint, model
from scipy.special import log_softmax

from energax.energy import (
    Classifier,
    Conditional,
    Gaussian,
    Normalised,
    Sum,
    Tilt,
    draws,
    find_classifier,
)
from energax.network import MLP, ConvNet

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def constant(shape):
    return int(np.prod(shape)) * np.log(2 * np.pi) / 2


def bayes(shape, energy):
    """The largest gap to Bayes' rule: of the marginal, of p(y | x) and of E(x, y) for each y."""
    rows = np.random.default_rng(0).normal(size=(5, *shape))
    gaps = []
    for row in rows:
        x, joint = jnp.asarray(row, float), log_joint(row)
        gaps.append(energy(x) + constant(shape) + np.logaddexp.reduce(joint))
        gaps.extend(find_classifier(energy).log_odds(x) - log_softmax(joint))
        for label in range(3):
            gaps.append(Conditional(energy, label)(x) + constant(shape) + joint[label])
    return float(np.max(np.abs(gaps)))


@pytest.mark.parametrize("shape", SHAPES)
def test_marginal_posterior_and_joint_are_those_of_bayes(shape, precision):
    shape = SHAPES[shape]
    assert bayes(shape, model(shape)) < TOLERANCE[precision]
    lifted = Normalised(Sum(model(shape)), 0.0)
    assert bayes(shape, lifted) < TOLERANCE[precision]


def test_a_maximum_in_place_of_the_sum_is_seen(monkeypatch):
    """Negative control."""
    monkeypatch.setattr(jax.nn, "logsumexp", jnp.max)
    assert bayes((3,), model((3,))) > 0.01


def test_a_shift_of_all_logits_is_a_shift_of_the_energy_alone():
    x, truth = jnp.asarray([0.3, -0.2, 1.0]), model((3,))
    lifted = Classifier(lambda x: truth.network(x) + 5.0, (3,), 3)
    assert float(truth(x) - lifted(x)) == pytest.approx(5.0)
    assert np.allclose(truth.log_odds(x), lifted.log_odds(x))


def test_conditionals_of_a_tilted_base_share_its_log_z(key):
    """Sum over labels of the mean of exp(E_base - E(x, y)) is Z: by draws of the base, paired."""
    distribution = Gaussian(jnp.zeros(2), 1.3)
    net = Classifier(MLP((2,), 8, 1, out=4, key=key), (2,), 4)
    energy = Tilt(distribution, net)
    rows = draws(distribution, 100, key=key)
    weight = np.exp(-jax.vmap(net)(rows))

    def part(label):
        one = Conditional(energy, label)
        return np.exp(jax.vmap(lambda x: distribution(x) + distribution.log_z() - one(x))(rows))

    parts = [part(label) for label in range(4)]
    assert np.allclose(np.sum(parts, axis=0), weight)


def test_the_classifier_is_found_wherever_it_is(key):
    net = Classifier(MLP((3,), 4, 1, out=2, key=key), (3,), 2)
    distribution = Gaussian(jnp.zeros(3))
    assert find_classifier(Normalised(Tilt(distribution, net))) is net
    for energy, count in ((distribution, 0), (Sum(net, net), 2)):
        with pytest.raises(ValueError, match=f"must hold one Classifier; got {count} of them"):
            find_classifier(energy)


NET = MLP((2,), 4, 1, out=3, key=jax.random.key(0))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Classifier(NET, (2,), 1), "`labels` must be at least 2; got 1"),
        (lambda: Classifier(NET, (2,), 4)(jnp.zeros(2)), r"shape \(4,\); got \(3,\)"),
        (lambda: Conditional(Classifier(NET, (2,), 3), 3), r"`label` must lie in 0..2; got 3"),
        (lambda: Conditional(Classifier(NET, (2,), 3), -1), r"`label` must lie in 0..2; got -1"),
        (lambda: MLP((2,), out=0, key=jax.random.key(0)), "`out` must be at least 1 or 'scalar'"),
        (lambda: ConvNet((4, 4), out=0, key=jax.random.key(0)), "`out` must be at least 1 or"),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4)])
def test_networks_give_as_many_logits_as_asked(shape, key):
    """And the scalar is the logit of one: the same weights, for the same key."""
    x = jax.random.normal(key, shape)
    for make in (MLP, ConvNet):
        several, one, plain = (
            make(shape, 4, 1, key=key, **more) for more in ({"out": 3}, {"out": 1}, {})
        )
        assert several(x).shape == (3,)
        assert plain(x).shape == ()
        assert np.allclose(one(x)[0], plain(x))
