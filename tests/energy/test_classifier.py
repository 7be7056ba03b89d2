"""A classifier as an energy: Bayes' rule in closed form, the joint likelihood, rows with labels."""

import gzip

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees
from cases import SHAPES
from scipy.special import log_softmax
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from tests.data.test_files import idx, sentence

from energax.data import Dataset, Labelled, Standardise, digits, mnist
from energax.energy import (
    Classifier,
    Conditional,
    Gaussian,
    GaussianMixture,
    Normalised,
    Sum,
    Tilt,
    draws,
    find_classifier,
)
from energax.errors import Diverged, InputError
from energax.learner import AbstractLearner
from energax.network import MLP, ConvNet
from energax.objective import (
    ContrastiveDivergence,
    CrossEntropy,
    JointLikelihood,
    NoiseContrastiveEstimation,
    PersistentContrastiveDivergence,
)
from energax.sampler import Langevin, mala
from energax.train import fit, start

SHARES = np.array([0.5, 0.3, 0.2])
SPREAD = np.array([1.0, 0.7, 1.2])
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def means(shape):
    """Three classes that overlap, apart along a ramp."""
    ramp = np.linspace(0.5, 1.0, int(np.prod(shape))).reshape(shape)
    return np.stack([-ramp, 0.2 * ramp, ramp]) * 2 / np.sqrt(ramp.size)


class Quadratic(eqx.Module):
    """f(x)[y] = log p(x, y) up to a constant, for Gaussian classes: every weight is known."""

    share: jax.Array
    mean: jax.Array
    log_precision: jax.Array

    def __init__(self, shape):
        dim = int(np.prod(shape))
        precision = 1 / SPREAD**2
        self.mean, self.log_precision = jnp.asarray(means(shape), float), jnp.log(precision)
        self.share = jnp.asarray(np.log(SHARES) + dim * np.log(precision) / 2, float)
        self.log_precision = self.log_precision.astype(self.share.dtype)

    def __call__(self, x):
        square = jnp.sum((x[None] - self.mean).reshape(3, -1) ** 2, axis=1)
        return self.share - jnp.exp(self.log_precision) * square / 2


def log_joint(x):
    """log p(x, y) of each class, by SciPy."""
    parts = [norm.logpdf(x, mean, std) for mean, std in zip(means(x.shape), SPREAD, strict=True)]
    return np.log(SHARES) + np.array([part.sum() for part in parts])


def model(shape):
    """The truth: log Z is that of a unit Gaussian on every axis."""
    return Classifier(Quadratic(shape), shape, 3)


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


def sample(shape, sizes, seed=3):
    """Rows with labels from the truth, without JAX."""
    rng = np.random.default_rng(seed)
    label = rng.choice(3, size=sizes, p=SHARES)
    spread = SPREAD[label].reshape(*sizes, *(1,) * len(shape))
    x = means(shape)[label] + spread * rng.normal(size=(*sizes, *shape))
    return jnp.asarray(x, float), jnp.asarray(label)


@eqx.filter_jit
def tied(energy, batch, key, objective):
    """The gradient of an objective in all weights, flat."""

    def loss(energy):
        memory = objective.init(energy, batch, key=key)
        return objective(energy, batch, memory, key=key)[0]

    leaves = jax.tree.leaves(eqx.filter_grad(loss)(energy))
    return jnp.concatenate([leaf.ravel() for leaf in leaves])


LAW = GaussianMixture(np.zeros(1), np.zeros((1, 3)), np.eye(3)[None])
ROWS = {
    "nce": NoiseContrastiveEstimation(LAW, 2),
    "pcd": PersistentContrastiveDivergence(Langevin(0.1), LAW, steps=2, size=16),
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


class Watching(AbstractLearner):
    """A learner that only reports what it was given."""

    def init(self, players, rows, *, key):
        return jnp.zeros(())

    def step(self, state, batch, *, key):
        x = batch.x if type(batch) is Labelled else batch
        rows = {f"row {i}": x[i, 0] for i in range(4)}
        if type(batch) is Labelled:
            rows |= {f"label {i}": batch.label[i].astype(float) for i in range(4)}
        return state, rows

    def energy(self, state):
        return jnp.sum


def watched(rows, key):
    """The batches of 20 updates."""
    doubled = Standardise(np.full(2, 1.0), np.full(2, 0.5))
    settings = {"batch_size": 4, "transform": doubled}
    run = start(Watching(), jnp.zeros(1), rows, key=key, **settings)
    metrics = next(fit(Watching(), run, rows, chunk_steps=20, **settings))[1]
    parts = ([metrics.get(f"{part} {i}") for i in range(4)] for part in ("row", "label"))
    return [np.array(part) for part in parts]


def test_batches_with_labels_are_the_batches_without_and_each_row_keeps_its_own(key):
    """Negative control: labels in another order."""
    rows, order = np.arange(32.0).reshape(16, 2), np.arange(16)
    found, label = watched(Labelled(rows, order), key)
    assert np.array_equal(found, watched(rows, key)[0])
    assert np.array_equal(found, 2 * (2 * label - 1))
    assert len(np.unique(label)) == 16
    found, label = watched(Labelled(rows, order[::-1]), key)
    assert not np.array_equal(found, 2 * (2 * label - 1))


def test_fewer_labelled_rows_than_a_batch_is_refused(key):
    with pytest.raises(InputError, match="There are 3 training rows, fewer than a batch of 4"):
        start(Watching(), None, Labelled(np.zeros((3, 2)), np.zeros(3, int)), key=key, batch_size=4)


def test_digits_have_the_labels_of_their_rows_and_the_digest_they_always_had():
    data, order = digits(), np.random.default_rng(0).permutation(1797)
    labels = np.concatenate([data.train_labels, data.test_labels])
    assert np.array_equal(labels, load_digits().target[order])
    assert data.labels == 10
    assert data.digest == "b3e662abc799be6849493adea7dc847b2c5d555523fef10d4ea220f956d4bef8"
    assert data.label_digest is not None
    assert data.label_digest != data.digest
    train, test = data.labelled
    assert np.array_equal(train.x, data.train)
    assert np.array_equal(test.label, data.test_labels)


PICTURES = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
NAMED = np.array([3, 0, 9, 1, 1], np.uint8)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder of images in the format of MNIST, without labels."""
    monkeypatch.setenv("ENERGAX_DATA", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PICTURES)))
    return folder


def test_labels_of_image_sets_are_read_where_they_are(shelf):
    bare = mnist()
    assert (bare.train_labels, bare.labels, bare.label_digest) == (None, None, None)
    with pytest.raises(InputError, match="mnist has no labels") as error:
        _ = bare.labelled
    sentence(error)
    for part, tail, pack in (("train", ".gz", gzip.compress), ("t10k", "", bytes)):
        (shelf / f"{part}-labels-idx1-ubyte{tail}").write_bytes(pack(idx(NAMED)))
    full = mnist()
    assert np.array_equal(full.train_labels, NAMED)
    assert np.array_equal(full.test_labels, NAMED)
    assert (full.digest, full.labels) == (bare.digest, 10)


@pytest.mark.parametrize(
    ("labels", "says"),
    [(NAMED[:4], "holds 4 labels for 5 images"), (PICTURES, "expected uint8 labels")],
)
def test_labels_that_do_not_go_with_the_images_are_refused(shelf, labels, says):
    for part in ("train", "t10k"):
        (shelf / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(InputError, match=says) as error:
        mnist()
    sentence(error)


X = np.zeros((4, 2))
NET = MLP((2,), 4, 1, out=3, key=jax.random.key(0))
GOOD = np.zeros(4, int)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Classifier(NET, (2,), 1), "`labels` must be at least 2; got 1"),
        (lambda: Classifier(NET, (2,), 4)(jnp.zeros(2)), r"shape \(4,\); got \(3,\)"),
        (lambda: Conditional(Classifier(NET, (2,), 3), 3), r"`label` must lie in 0..2; got 3"),
        (lambda: Conditional(Classifier(NET, (2,), 3), -1), r"`label` must lie in 0..2; got -1"),
        (lambda: JointLikelihood(CrossEntropy(), 0.0), "`weight` must be above 0; got 0.0"),
        (lambda: Labelled(X, GOOD[:3]), r"shape \(4,\), one for each row; got \(3,\)"),
        (lambda: Labelled(X, X[:, 0]), "`label` must be whole numbers; got float"),
        (lambda: Dataset("x", X, X, train_labels=GOOD), "must be given together, or neither"),
        (
            lambda: Dataset("x", X, X, train_labels=GOOD - 1, test_labels=GOOD),
            "`train_labels` must be whole numbers from 0; got .* with least -1",
        ),
        (lambda: MLP((2,), out=0, key=jax.random.key(0)), "`out` must be at least 1 or 'scalar'"),
        (lambda: ConvNet((4, 4), out=0, key=jax.random.key(0)), "`out` must be at least 1 or"),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()


@pytest.mark.parametrize("objective", [CrossEntropy(), JointLikelihood(ROWS["nce"])])
def test_rows_without_labels_are_refused(objective, key):
    with pytest.raises(TypeError, match=r"must be Labelled rows; got .*train on Labelled\("):
        objective(model((3,)), jnp.zeros((4, 3)), None, key=key)


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
