"""Images on [-1, 1], features that discriminate them, and rows that are no such images."""

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from energax import data, network, objective, train
from energax.data import Labelled
from energax.energy import Classifier
from energax.evaluate import frechet_distance
from energax.learner import Descent
from energax.reproduce.teach.plan import TITLES, Images

CLASSES = 10
SIDE = 28
WIDTH = 64
"""Of the classifier's hidden layers: so many features."""
UPDATES = 6000
OUTSIDE = 5000
"""Rows of each kind from outside the data."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """Images of one size, float32 on [-1, 1]."""

    train: Float[np.ndarray, " n side side"]
    test: Float[np.ndarray, " m side side"]
    train_labels: Int[np.ndarray, " n"]
    test_labels: Int[np.ndarray, " m"]


def pool_pixels(pixels: np.ndarray, pool: int) -> Float[np.ndarray, " n side side"]:
    """Means over `pool` x `pool` squares of pixels of 0 .. 255, on [-1, 1]."""
    side = SIDE // pool
    squares = pixels.reshape(len(pixels), side, pool, side, pool).astype(np.float32)
    return squares.mean(axis=(2, 4)) / 127.5 - 1


@functools.cache
def images(name: Images, pool: int) -> Rows:
    """All rows of a data set. Raises InputError where its files are not here."""
    rows = {"mnist": data.mnist, "fashion-mnist": data.fashion_mnist}[name]()
    labels = [np.asarray(part.label) for part in rows.labelled]
    return Rows(pool_pixels(rows.train, pool), pool_pixels(rows.test, pool), *labels)


@dataclasses.dataclass(frozen=True)
class Judge:
    """A classifier of the labels. `right`: share of test rows; `floor`: the distance of training
    rows from test rows, which no draws can be expected to beat."""

    features: Callable[[np.ndarray], np.ndarray]
    right: float
    floor: float


@functools.cache
def judge(name: Images, pool: int) -> Judge:
    """The classifier whose last hidden layer measures draws of a data set; always the same one."""
    rows = images(name, pool)
    shape = rows.train.shape[1:]
    begin, init = jax.random.split(jax.random.key(0))
    net = network.MLP(shape, WIDTH, out=CLASSES, key=init)
    adam = optax.adamw(optax.cosine_decay_schedule(3e-3, UPDATES), weight_decay=1e-2)
    learner = Descent(objective.CrossEntropy(), adam)
    known = Labelled(jnp.asarray(rows.train), jnp.asarray(rows.train_labels))
    run = train.start(learner, Classifier(net, shape, CLASSES), known, key=begin)
    run, _ = next(train.fit(learner, run, known, chunk_steps=UPDATES))
    found = run.state.energy.network

    @eqx.filter_jit
    def classify(x: Array) -> tuple[Array, Array]:
        return jax.vmap(found.features)(x), jnp.argmax(jax.vmap(found)(x), axis=1)

    def features(x: np.ndarray) -> np.ndarray:
        return np.asarray(classify(jnp.asarray(x, jnp.float32))[0])

    right = float(np.mean(np.asarray(classify(jnp.asarray(rows.test))[1]) == rows.test_labels))
    floor = frechet_distance(features(rows.train[:OUTSIDE]), features(rows.test))
    return Judge(features, right, float(floor.value))


def outsiders(name: Images, pool: int) -> dict[str, Float[np.ndarray, " n side side"]]:
    """Rows from outside the data: the other set, noise, one grey level each, means of two rows."""
    rows = images(name, pool)
    other: Images = "mnist" if name == "fashion-mnist" else "fashion-mnist"
    rng = np.random.default_rng(0)
    shape = (OUTSIDE, *rows.test.shape[1:])
    pairs = rows.test[rng.integers(len(rows.test), size=(2, OUTSIDE))]
    grey = rng.uniform(-1, 1, (OUTSIDE, 1, 1))
    return {
        TITLES[other]: images(other, pool).test[:OUTSIDE],
        "noise": rng.uniform(-1, 1, shape).astype(np.float32),
        "grey": np.broadcast_to(grey, shape).astype(np.float32),
        "pairs": pairs.mean(axis=0),
    }
