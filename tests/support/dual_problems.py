"""Maximum likelihood over both balls, and its dual, on finite grids: each solved apart by SciPy.

P = min over f of the ball of mean f(rows) + log sum_x tau(x) exp(-f(x)) equals
-min over nu of KL(nu || tau) + radius x distance(nu, rows).
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize
from scipy.special import i0, logsumexp, softmax
from spheres import unit

from energax.evaluate import sphere_grid
from energax.network import Peak, Relu

SHARPNESS, RADIUS = 3.0, 1.5


def circle(count, shift=0.0):
    turn = 2 * np.pi * (np.arange(count) + shift) / count
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


class Place(NamedTuple):
    """Nodes of tau with their shares, rows, directions of a dictionary, feature and its kernel."""

    nodes: np.ndarray
    shares: np.ndarray
    rows: np.ndarray
    directions: np.ndarray
    feature: object
    kernel: object

    @property
    def features(self):
        """Of each neuron at each node, and its mean over the rows."""
        at = [
            np.asarray(self.feature(jnp.asarray(x @ self.directions.T)))
            for x in (self.nodes, self.rows)
        ]
        return at[0], at[1].mean(axis=0)


def place(name):
    if name == "circle":
        rows = np.stack(
            [np.cos([0.3, 0.5, 0.9, 2.2, 4.0]), np.sin([0.3, 0.5, 0.9, 2.2, 4.0])], axis=1
        )

        def kernel(u, v):
            length = np.sqrt(np.maximum(2 + 2 * u @ v.T, 0))
            return np.exp(-2 * SHARPNESS) * i0(SHARPNESS * length)

        shares = np.full(40, 1 / 40)
        return Place(circle(40), shares, rows, circle(32, 0.25), Peak(SHARPNESS), kernel)
    nodes, log_shares = sphere_grid(5)

    def arc_cosine(u, v):
        t = np.clip(u @ v.T, -1, 1)
        return ((np.pi - np.arccos(t)) * t + np.sqrt(1 - t**2)) / (2 * np.pi * 3)

    rows = unit(6, 3, seed=2) + np.array([0, 0, 0.6])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    shares = np.exp(np.asarray(log_shares))
    return Place(np.asarray(nodes), shares, rows, unit(32, 3, seed=3), Relu(), arc_cosine)


def primal_value(at, f, on_rows):
    return on_rows + logsumexp(-f, b=at.shares)


def solved(problem, start, **settings):
    found = minimize(
        problem,
        start,
        jac=True,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
        **settings,
    )
    return found.x, found.fun


def variation_primal(at):
    """h+ and h- of each neuron, not below 0, of mean at most the radius: by SLSQP."""
    phi, on_rows = at.features
    count = phi.shape[1]

    def value(both):
        h = (both[:count] - both[count:]) / count
        slope = (on_rows - softmax(-phi @ h + np.log(at.shares)) @ phi) / count
        return primal_value(at, phi @ h, on_rows @ h), np.append(slope, -slope)

    inside = {
        "type": "ineq",
        "fun": lambda both: RADIUS - both.sum() / count,
        "jac": lambda both: np.full(2 * count, -1 / count),
    }
    both, best = solved(
        value, np.full(2 * count, 0.1), bounds=[(0, None)] * 2 * count, constraints=[inside]
    )
    return best, both[:count] - both[count:]


def variation_dual(at):
    """nu and a bound t on |Delta_j| of each neuron: by SLSQP."""
    phi, on_rows = at.features

    def value(both):
        nu, t = both[:-1], both[-1]
        log = np.log(nu / at.shares)
        return nu @ log + RADIUS * t, np.append(log + 1, RADIUS)

    limits = [
        {"type": "ineq", "fun": lambda b, s=s: b[-1] - s * (b[:-1] @ phi - on_rows),
         "jac": lambda b, s=s: np.column_stack([-s * phi.T, np.ones(phi.shape[1])])}
        for s in (1, -1)
    ]  # fmt: skip
    whole = {
        "type": "eq",
        "fun": lambda b: b[:-1].sum() - 1,
        "jac": lambda b: np.append(np.ones(len(phi)), 0.0),
    }
    start = np.append(at.shares, 1.0)
    bounds = [(1e-12, 1)] * len(phi) + [(0, None)]
    both, best = solved(value, start, bounds=bounds, constraints=[*limits, whole])
    return -best, both[:-1]


def kernel_primal(at):
    """f = L u with K = L L' over nodes and rows together, |u| at most the radius: by SLSQP."""
    points = np.concatenate([at.nodes, at.rows])
    size, vectors = np.linalg.eigh(at.kernel(points, points))
    kept = size > 1e-12
    lower = vectors[:, kept] * np.sqrt(size[kept])
    on_nodes, on_rows = lower[: len(at.nodes)], lower[len(at.nodes) :].mean(axis=0)

    def value(u):
        f = on_nodes @ u
        return primal_value(at, f, on_rows @ u), on_rows - softmax(
            -f + np.log(at.shares)
        ) @ on_nodes

    inside = {"type": "ineq", "fun": lambda u: RADIUS**2 - u @ u, "jac": lambda u: -2 * u}
    u, best = solved(value, np.zeros(kept.sum()), constraints=[inside])
    return best, on_nodes @ u


def neurons_primal(at):
    """h of the neurons of the dictionary, of root mean square at most the radius: by SLSQP."""
    phi, on_rows = at.features
    count = phi.shape[1]

    def value(h):
        slope = (on_rows - softmax(-phi @ h / count + np.log(at.shares)) @ phi) / count
        return primal_value(at, phi @ h / count, on_rows @ h / count), slope

    inside = {
        "type": "ineq",
        "fun": lambda h: RADIUS**2 - h @ h / count,
        "jac": lambda h: -2 * h / count,
    }
    h, best = solved(value, np.full(count, 0.1), constraints=[inside])
    return best, h


def kernel_dual(at, radius=RADIUS):
    """nu = softmax of free numbers: by BFGS."""
    weights = np.full(len(at.rows), 1 / len(at.rows))
    cross, own = (
        at.kernel(at.nodes, at.rows) @ weights,
        weights @ at.kernel(at.rows, at.rows) @ weights,
    )
    gram = at.kernel(at.nodes, at.nodes)

    def value(a):
        nu = softmax(a + np.log(at.shares))
        apart = np.sqrt(nu @ gram @ nu - 2 * nu @ cross + own)
        log = np.log(nu / at.shares)
        slope = log + radius * (gram @ nu - cross) / apart
        return nu @ log + radius * apart, nu * (slope - nu @ slope)

    found = minimize(value, np.zeros(len(gram)), jac=True, method="BFGS", options={"gtol": 1e-10})
    return -found.fun, softmax(found.x + np.log(at.shares))


def gibbs(at, f):
    return softmax(-f + np.log(at.shares))


def charge_of(at, nu):
    """nu less the rows, on nodes and rows together, and the MMD, by hand."""
    points = np.concatenate([at.nodes, at.rows])
    charge = np.append(nu, np.full(len(at.rows), -1 / len(at.rows)))
    return points, charge, np.sqrt(charge @ at.kernel(points, points) @ charge)


def dense_sphere():
    """Many even points on the sphere (Fibonacci's)."""
    height = 1 - 2 * (np.arange(200_000) + 0.5) / 200_000
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(200_000)
    out = np.sqrt(1 - height**2)
    return np.stack([out * np.cos(turn), out * np.sin(turn), height], axis=1)
