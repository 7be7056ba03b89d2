"""How far couplings are off, by each objective: the sandwich formula against simulation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from energax.energy import Neural
from energax.objective import ConcreteScoreMatching, ExactLikelihood, PseudoLikelihood
from energax.space import Bits

SPACE, ROWS = Bits((4,)), 20000
PAIRS = np.array(list(itertools.combinations(range(4), 2))).T
TRUTH = jnp.array([0.8, -0.7, 0.6, 0.9, 0.5, -0.7])
OBJECTIVES = {
    "likelihood": ExactLikelihood(),
    "pseudo": PseudoLikelihood(),
    "concrete": ConcreteScoreMatching(clip=None),
}


def couple(weights):
    """Four spins, a coupling for each of the six pairs."""
    return Neural(lambda e: -weights @ ((2 * e - 1)[PAIRS[0]] * (2 * e - 1)[PAIRS[1]]), SPACE)


def spread(covariance):
    """The root mean square error of a coupling, from the covariance of them for one row."""
    return float(np.sqrt(np.mean(np.diag(covariance)) / ROWS))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_errors_of_couplings_are_those_of_the_sandwich(name, key):
    """METHODS2 B14: 200 data sets of 20,000 rows, by Newton's method, against H^-1 S H^-1 / n.

    The root mean square of 1,200 errors is known to about 3 %: 15 % is five of them. The inverse
    of H alone is seen, but for the likelihood, where it is right; and so is the bound of Fisher
    where squared ratios fall short of it.
    """
    points = SPACE.enumerate()

    def losses(objective, weights):
        energy = couple(weights)
        return jax.vmap(lambda x: objective(energy, x[None], None, key=key)[0])(points)

    def hessian(objective, weights, p):
        return jax.hessian(lambda w: p @ losses(objective, w))(weights)

    @jax.jit
    @jax.vmap
    def fit(p):
        def newton(weights, _):
            gradient = jax.grad(lambda w: p @ losses(OBJECTIVES[name], w))(weights)
            step = jnp.linalg.solve(hessian(OBJECTIVES[name], weights, p), gradient)
            return weights - step, None

        return jax.lax.scan(newton, TRUTH, length=6)[0]

    @jax.jit
    def expect(p):
        inverse = jnp.linalg.inv(hessian(OBJECTIVES[name], TRUTH, p))
        each = jax.jacobian(lambda w: losses(OBJECTIVES[name], w))(TRUTH)
        fisher = jnp.linalg.inv(hessian(ExactLikelihood(), TRUTH, p))
        return inverse @ (each.T * p[None]) @ each @ inverse, inverse, fisher

    p = jax.nn.softmax(-jax.vmap(couple(TRUTH))(points))
    counts = np.random.default_rng(3).multinomial(ROWS, np.asarray(p) / np.sum(p), 200)
    found = np.asarray(fit(jnp.asarray(counts / ROWS))) - np.asarray(TRUTH)
    sandwich, inverse, fisher = map(spread, expect(p))
    measured = np.sqrt(np.mean(found**2))
    assert measured == pytest.approx(sandwich, rel=0.15)
    assert (measured == pytest.approx(inverse, rel=0.15)) == (name == "likelihood")
    if name == "concrete":
        assert measured != pytest.approx(fisher, rel=0.15)
