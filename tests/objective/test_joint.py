"""The likelihood of rows and labels together, of Gaussian classes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees
from cases import SHAPES
from classes import log_joint, means, model, sample
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from energax.data import Labelled
from energax.energy import Classifier, Gaussian, GaussianMixture
from energax.errors import Diverged
from energax.learner import AbstractLearner
from energax.network import MLP
from energax.objective import (
    ContrastiveDivergence,
    CrossEntropy,
    JointLikelihood,
    NoiseContrastiveEstimation,
    PersistentContrastiveDivergence,
)
from energax.sampler import Langevin, mala
from energax.train import fit, start


@eqx.filter_jit
def tied(energy, batch, key, objective):
    """The gradient of an objective in all weights, flat."""

    def loss(energy):
        memory = objective.init(energy, batch, key=key)
        return objective(energy, batch, memory, key=key)[0]

    leaves = jax.tree.leaves(eqx.filter_grad(loss)(energy))
    return jnp.concatenate([leaf.ravel() for leaf in leaves])


DISTRIBUTION = GaussianMixture(np.zeros(1), np.zeros((1, 3)), np.eye(3)[None])
ROWS = {
    "nce": NoiseContrastiveEstimation(DISTRIBUTION, 2),
    "pcd": PersistentContrastiveDivergence(Langevin(0.1), DISTRIBUTION, steps=2, size=16),
}


@pytest.mark.parametrize("name", ROWS)
def test_joint_gradient_is_the_sum_of_both_parts(name, key):
    """And its value, its memory and what it reports are theirs."""
    energy, batch, weight = model((3,)), Labelled(*sample((3,), (16,))), 0.3
    joint = JointLikelihood(ROWS[name], weight)
    rows = tied(energy, batch.x, key, ROWS[name])
    labels = tied(energy, batch, key, CrossEntropy())
    assert np.allclose(tied(energy, batch, key, joint), rows + weight * labels)
    memory = joint.init(energy, batch, key=key)
    loss, aux = eqx.filter_jit(joint)(energy, batch, memory, key=key)
    alone, plain = eqx.filter_jit(ROWS[name])(energy, batch.x, memory, key=key)
    odds = np.exp(np.stack([log_softmax(log_joint(np.asarray(x))) for x in batch.x]))
    cost = log_loss(batch.label, odds)
    assert float(loss) == pytest.approx(float(alone) + weight * cost)
    assert eqx.tree_equal(aux.memory, plain.memory)
    found = {name: float(value) for name, value in aux.metrics.items()}
    assert found["loss"] == pytest.approx(float(loss))
    assert found["loss_rows"] == pytest.approx(float(alone))
    assert found["cross_entropy"] == pytest.approx(cost)
    assert found["label_accuracy"] == np.mean(odds.argmax(axis=1) == np.asarray(batch.label))


class Negated(eqx.Module):
    """An energy of the wrong sign around a classifier: rows are pushed to where there are none."""

    energy: Classifier

    def __call__(self, x):
        return -self.energy(x)


def maximum(network):
    """Logits whose sum in p(x) is their maximum: all but the highest are out of reach."""

    def lone(x):
        found = network(x)
        return jnp.where(found == jnp.max(found), found, -1e3)

    return lone


def pulls(shape, key, energy=lambda truth: truth, labels=lambda y: y, batches=1500):
    """Gradients of the joint likelihood at the truth, one a batch of 16, by chains that are exact.

    They start at the rows, which are draws of the model, and stay there in distribution.
    """
    x, y = sample(shape, (batches, 16))
    objective = JointLikelihood(ContrastiveDivergence(mala(0.3), steps=2))

    def one(x, y, key):
        def loss(truth):
            batch = Labelled(x, labels(y))
            return objective(energy(truth), batch, None, key=key)[0]

        leaves = jax.tree.leaves(eqx.filter_grad(loss)(model(shape)))
        return jnp.concatenate([leaf.ravel() for leaf in leaves])

    return np.asarray(eqx.filter_jit(jax.vmap(one))(x, y, jax.random.split(key, batches)))


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_pulls_away_from_the_truth(shape, key):
    values = pulls(SHAPES[shape], key)
    assert agrees(values, np.zeros(values.shape[1]))


FAULTS = {
    "labels are shuffled": {"labels": lambda y: y[::-1]},
    "labels are off by one": {"labels": lambda y: (y + 1) % 3},
    "the energy is negated": {"energy": Negated},
    "the sum over labels is a maximum": {
        "energy": lambda truth: Classifier(maximum(truth.network), truth.shape, 3)
    },
    "the logits are a tenth too large": {
        "energy": lambda truth: Classifier(lambda x: 1.1 * truth.network(x), truth.shape, 3)
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, key):
    """Negative control of the distribution above."""
    values = pulls((3,), key, **FAULTS[fault])
    assert not agrees(values, np.zeros(values.shape[1]))


def test_precision_is_kept(precision):
    shape = SHAPES["image"]
    energy = Classifier(MLP(shape, 4, 1, out=3, key=jax.random.key(0)), shape, 3)
    distribution = Gaussian(jnp.zeros(shape))
    objective = JointLikelihood(PersistentContrastiveDivergence(Langevin(0.1), distribution, 2, 8))
    batch = Labelled(jnp.zeros((4, *shape)), jnp.zeros(4, jnp.int32))

    def call(key):
        memory = objective.init(energy, batch, key=key)
        return objective(energy, batch, memory, key=key)

    loss, aux = eqx.filter_eval_shape(call, jax.random.key(0))
    assert {str(value.dtype) for value in [loss, *aux.metrics.values()]} == {precision}


class Taught(AbstractLearner):
    """Plain gradient descent by Adam on labelled batches."""

    objective: JointLikelihood
    optimiser: optax.GradientTransformation = eqx.field(static=True)

    def init(self, players, rows, *, key):
        assert type(rows) is Labelled
        memory = self.objective.init(players, rows, key=key)
        return players, self.optimiser.init(eqx.filter(players, eqx.is_inexact_array)), memory

    def step(self, state, batch, *, key):
        energy, optimiser, memory = state

        def loss(energy):
            return self.objective(energy, batch, memory, key=key)

        grad, aux = eqx.filter_grad(loss, has_aux=True)(energy)
        with jax.numpy_dtype_promotion("standard"):
            change, optimiser = self.optimiser.update(grad, optimiser)
        return (eqx.apply_updates(energy, change), optimiser, aux.memory), aux.metrics

    def energy(self, state):
        return state[0]


def taught(rows, steps=600):
    """A classifier trained by the loop from a bad start, with the metrics of each update."""
    begin = eqx.tree_at(lambda e: e.network.mean, model((3,)), jnp.zeros((3, 3)))
    objective = JointLikelihood(NoiseContrastiveEstimation(Gaussian(jnp.zeros(3), 1.5), 2))
    learner = Taught(objective, optax.adam(optax.cosine_decay_schedule(0.05, steps)))
    run = start(learner, begin, rows, key=jax.random.key(5), batch_size=64)
    run, metrics = next(fit(learner, run, rows, batch_size=64, chunk_steps=steps))
    return learner.energy(run.state), metrics


def test_training_by_the_loop_finds_the_classes():
    """Negative control: with the labels of other rows it finds none."""
    rows = Labelled(*sample((3,), (3000,)))
    energy, metrics = taught(rows)
    assert np.allclose(energy.network.mean, means((3,)), atol=0.2)
    odds = np.stack([log_joint(np.asarray(x)) for x in rows.x])
    best = np.mean(odds.argmax(axis=1) == np.asarray(rows.label))
    assert np.mean(metrics["label_accuracy"][-200:]) == pytest.approx(best, abs=0.02)
    _, shuffled = taught(Labelled(rows.x, rows.label[::-1]))
    assert np.mean(shuffled["label_accuracy"][-200:]) < best - 0.05


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_that_is_none_stops_the_run(label):
    rows = Labelled(jnp.zeros((64, 3)), jnp.full(64, label))
    with pytest.raises(Diverged, match="became nan at update 1"):
        taught(rows, 5)


@pytest.mark.parametrize("objective", [CrossEntropy(), JointLikelihood(ROWS["nce"])])
def test_rows_without_labels_are_refused(objective, key):
    with pytest.raises(TypeError, match=r"must be Labelled rows; got .*train on Labelled\("):
        objective(model((3,)), jnp.zeros((4, 3)), None, key=key)


def test_a_weight_of_zero_is_refused():
    with pytest.raises(ValueError, match="`weight` must be above 0"):
        JointLikelihood(CrossEntropy(), 0.0)
