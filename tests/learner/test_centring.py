"""Centred gradients: steps of an explicit parametrisation; bits and complements learn alike."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.scipy.special import logsumexp

from energax.energy import BernoulliRBM, CategoricalRBM, Normalised
from energax.learner import centre
from energax.learner.update import apply_update

RATE = 0.3
ROWS = np.random.default_rng(0).integers(0, 2, (7, 4)).astype(np.uint8)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


RBMS = {
    "bits": lambda: BernoulliRBM(normal(0, 4, 3), normal(1, 4), normal(2, 3)),
    "categories": lambda: CategoricalRBM(normal(3, 4, 3, 3), normal(4, 4, 3), normal(5, 3)),
}


def loss(rbm, rows=ROWS):
    """The exact negative log-likelihood."""
    every = -jax.vmap(rbm)(rbm.space.enumerate())
    return jnp.mean(jax.vmap(rbm)(jnp.asarray(rows))) + logsumexp(every)


def flat(rbm):
    return rbm.weights.reshape(-1, rbm.hidden.size), rbm.visible.reshape(-1), rbm.hidden


def shaped(like, weights, visible, hidden):
    parts = weights.reshape(like.weights.shape), visible.reshape(like.visible.shape), hidden
    return eqx.tree_at(lambda r: (r.weights, r.visible, r.hidden), like, parts)


def step(moves, rbm, rows=ROWS, memory=None):
    memory = moves.init(rbm) if memory is None else memory
    return apply_update(moves, jax.grad(loss)(rbm, rows), memory, rbm)[0]


def explicit(rbm, mean):
    """A step of gradient descent in W, a_c and b_c, by autodiff."""
    weights, visible, hidden = flat(rbm)
    offset = jax.nn.sigmoid(hidden + mean @ weights)

    def make(parts):
        w, a, b = parts
        return shaped(rbm, w, a - w @ offset, b - mean @ w)

    parts = weights, visible + weights @ offset, hidden + mean @ weights
    grads = jax.grad(lambda parts: loss(make(parts)))(parts)
    return make(jax.tree.map(lambda part, grad: part - RATE * grad, parts, grads))


def distance(one, other):
    return max(
        float(jnp.max(abs(a - b)))
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


@pytest.mark.parametrize("name", RBMS)
def test_a_step_is_that_of_the_centred_parametrisation(name):
    rbm, moves = RBMS[name](), centre(optax.sgd(RATE))
    memory = moves.init(rbm)
    mean = memory.means
    assert mean.shape == (rbm.visible.size,)
    assert distance(step(moves, rbm, memory=memory), explicit(rbm, mean)) < 1e-13
    # Negative controls: without offsets, and with others.
    assert distance(step(optax.sgd(RATE), rbm), explicit(rbm, mean)) > 0.01
    assert distance(step(moves, rbm, memory=memory), explicit(rbm, 0.9 * mean)) > 1e-3


def test_the_means_are_those_that_biases_say():
    rbm = eqx.tree_at(lambda r: r.weights, RBMS["bits"](), jnp.zeros((4, 3)))
    means = centre(optax.sgd(RATE)).init(rbm).means
    assert np.allclose(means, jax.nn.sigmoid(rbm.visible), atol=1e-12)


def complement(rbm):
    """The machine of 1 - v."""
    return BernoulliRBM(-rbm.weights, -rbm.visible, rbm.hidden + jnp.sum(rbm.weights, 0))


@pytest.mark.parametrize("inside", [optax.sgd(RATE), optax.sgd(RATE, momentum=0.9)])
def test_bits_and_their_complements_learn_alike(inside):
    rbm, moves = RBMS["bits"](), centre(inside)
    one, other = step(moves, rbm), step(moves, complement(rbm), 1 - ROWS)
    assert distance(complement(one), other) < 1e-12
    plain = step(inside, complement(rbm), 1 - ROWS)
    assert distance(complement(step(inside, rbm)), plain) > 0.01


def test_other_weights_move_as_they_would():
    rbm = RBMS["bits"]()
    moves, both = centre(optax.sgd(RATE)), Normalised(rbm, 0.5)
    grads = Normalised(jax.grad(loss)(rbm), 2.0)
    change, _ = moves.update(grads, moves.init(both), both)
    assert float(change.log_z) == -2 * RATE
    assert distance(optax.apply_updates(rbm, change.energy), step(moves, rbm)) < 1e-13


def test_weights_are_needed():
    moves, rbm = centre(optax.sgd(RATE)), RBMS["bits"]()
    with pytest.raises(ValueError, match="`params`"):
        moves.update(rbm, moves.init(rbm))
