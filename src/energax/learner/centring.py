"""Centred gradients of restricted Boltzmann machines, under any optimiser."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from energax.energy import BernoulliRBM, CategoricalRBM

ROUNDS = 20
"""Of the mean field from which the means of the visible units are read."""

Machine = BernoulliRBM | CategoricalRBM
Mean = Float[Array, " numbers"]


class CentredState(eqx.Module):
    """What `centre` carries: means of visible units, and the memory of the optimiser inside.

    Args:
        means: for each machine those of its embedded example, flattened; 0 for other weights.
        inner: of the optimiser.

    Example:
        >>> rbm = ex.energy.BernoulliRBM(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros(2))
        >>> ex.learner.centre(optax.sgd(0.1)).init(rbm).means.tolist()
        [0.5, 0.5, 0.5]
    """

    means: PyTree
    inner: PyTree


@functools.cache
def centre(optimiser: optax.GradientTransformation) -> optax.GradientTransformation:
    """The optimiser, with the gradients of every restricted Boltzmann machine centred.

    A machine is also E(v, h) = -a_c'v - b_c'h - (v - m)'W (h - l) + constant, with a_c = a + W l
    and b_c = b + W'm, for any offsets m and l. The optimiser moves W, a_c and b_c, with m the means
    of the visible units and l those of the hidden ones: then an update of W does not change these
    means, which biases alone learn. Bits and their complements learn alike.

    m is read from the weights at `init`, by mean field: for a machine whose visible biases say the
    frequencies of the data and whose couplings are small, these frequencies. l = sigmoid(b + W'm)
    follows the weights. Other weights move as they would.

    Args:
        optimiser: any of Optax. The same one gives the same object, so programs are shared.

    Trap: weight decay of the optimiser acts on a_c and b_c.
    Source: Montavon and Mueller (2012); Melchior, Fischer and Wiskott (2016), of whose gradients
    the offsets here are means of data and of mean-field activities.

    Example:
        >>> moves = ex.learner.centre(optax.sgd(0.1))
        >>> rbm = ex.energy.BernoulliRBM(jnp.zeros((3, 2)), jnp.zeros(3), jnp.zeros(2))
        >>> moves.update(rbm, moves.init(rbm), rbm)[0].visible.tolist()
        [-0.0, -0.0, -0.0]
    """

    def init(params: Any) -> Any:
        return CentredState(_map(_find_means, params), optimiser.init(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("`centre` needs `params`, the weights that are updated.")
        both = params, state.means
        grads, here = _map(_centre_gradient, updates, *both), _map(_centre_weights, params, *both)
        change, inner = optimiser.update(grads, state.inner, here)
        return _map(_restore_change, change, *both), CentredState(state.means, inner)

    return optax.GradientTransformation(init, update)


def _is_machine(node: Any) -> bool:
    return isinstance(node, Machine)


def _map(act: Callable, first: PyTree, *others: PyTree) -> PyTree:
    """`act` on every machine; other leaves as they are in `first`."""

    def choose(one: Any, *rest: Any) -> Any:
        if _is_machine(one):
            return act(one, *rest)
        return jnp.zeros(()) if act is _find_means else one

    return jax.tree.map(choose, first, *others, is_leaf=_is_machine)


def _flatten(rbm: Machine) -> tuple[Array, Array, Array]:
    weights = rbm.weights.reshape(-1, rbm.hidden.size)
    return weights, rbm.visible.reshape(-1), rbm.hidden


def _restore(rbm: Machine, *parts: Array) -> Machine:
    shaped = (parts[0].reshape(rbm.weights.shape), parts[1].reshape(rbm.visible.shape), parts[2])
    return eqx.tree_at(lambda r: (r.weights, r.visible, r.hidden), rbm, shaped)


def _find_means(rbm: Machine) -> Mean:
    def improve(_: Array, mean: Mean) -> Mean:
        return rbm.visible_given_hidden(_hidden_mean(rbm, mean)).reshape(-1)

    return jax.lax.fori_loop(
        0, ROUNDS, improve, rbm.visible_given_hidden(0 * rbm.hidden).reshape(-1)
    )


def _hidden_mean(rbm: Machine, mean: Mean) -> Float[Array, " hidden"]:
    weights, _, hidden = _flatten(rbm)
    return jax.nn.sigmoid(hidden + mean @ weights)


def _centre_gradient(grad: Machine, rbm: Machine, mean: Mean) -> Machine:
    weights, visible, hidden = _flatten(grad)
    moved = weights - jnp.outer(visible, _hidden_mean(rbm, mean)) - jnp.outer(mean, hidden)
    return _restore(grad, moved, visible, hidden)


def _centre_weights(same: Machine, rbm: Machine, mean: Mean) -> Machine:
    weights, visible, hidden = _flatten(rbm)
    return _restore(
        same, weights, visible + weights @ _hidden_mean(rbm, mean), hidden + mean @ weights
    )


def _restore_change(change: Machine, rbm: Machine, mean: Mean) -> Machine:
    weights, visible, hidden = _flatten(change)
    return _restore(
        change, weights, visible - weights @ _hidden_mean(rbm, mean), hidden - mean @ weights
    )
