"""Column-wise ranking: its gradient vanishes at the truth, and only there."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from mixed_columns import AXIS, SPACE, STEP, truth

from energax.energy import AbstractEnergy, Proposals, draws
from energax.objective import ColumnRanking

KEY = jax.random.key(0)
CASES = [(category, other) for category in range(3) for other in (0.0, 1.0, np.nan)]


class Moved(AbstractEnergy):
    """The truth, and a direction to move in that looks at every column and at holes."""

    weights: jax.Array
    shape: tuple[int, ...] = (3,)

    @property
    def space(self):
        return SPACE

    def __call__(self, x):
        number, hole = jnp.sin(jnp.nan_to_num(x[0])), jnp.isnan(x).astype(x.dtype)
        last = jnp.nan_to_num(x[2])
        parts = [number, number * x[1], last * x[1], hole[0] * x[1], hole[2] * number]
        return truth()(x) + self.weights @ jnp.stack(parts)


def mean_gradient(*, biased):
    """Over rows and one proposal for the number, by quadrature. `biased`: -log q is left out."""
    cells = jnp.append(jnp.asarray(AXIS), jnp.nan)
    volumes = np.append(np.full(len(AXIS), STEP), 1.0)

    @jax.jit
    def slopes(x):
        def one(now, other):
            pair = jnp.stack([now, other])
            here = jnp.array([True, False, False])
            rest = truth().given(x, here)
            share = jnp.log((jnp.exp(rest) + jnp.array([0.6, 0.4])) / 2)
            log_q = jax.nn.logsumexp(share[:, None] + truth().log_cells(pair, 0), axis=0)
            found = Proposals(pair, jnp.zeros(2) if biased else -log_q, jnp.array(0))

            def loss(weights):
                ranks = found.rank(Moved(weights), x, 0)
                return -jax.nn.log_softmax(ranks)[0]

            return jax.grad(loss)(jnp.zeros(5)), jnp.exp(log_q[1])

        return jax.vmap(lambda now: jax.vmap(lambda other: one(now, other))(cells))(cells)

    total = np.zeros(5)
    for category, other in CASES:
        x = jnp.array([0.0, category, other])
        rows = jnp.tile(x, (len(cells), 1)).at[:, 0].set(cells)
        data = np.exp(-np.asarray(jax.vmap(truth())(rows))) * volumes
        gradient, density = (np.asarray(part) for part in slopes(x))
        total += np.einsum("a,b,abi,ab->i", data, volumes, gradient, density)
    return total


def test_the_gradient_of_a_number_is_zero_at_the_truth():
    assert np.abs(mean_gradient(biased=False)).max() < 1e-6


def test_ranks_without_the_density_of_the_proposal_are_noticed():
    """Negative control: the fault of the catalogue."""
    assert np.abs(mean_gradient(biased=True)).max() > 1e-3


def gradients(weights, count=3000, **options):
    """Of single rows drawn from the truth, at some weights."""
    objective = ColumnRanking(truth(), 6, **options)

    @jax.jit
    def one(x, key):
        def loss(weights):
            return objective(Moved(weights), x[None], None, key=key)[0]

        return jax.grad(loss)(weights)

    rows = draws(truth(), count, key=KEY)
    return jax.vmap(one)(rows, jax.random.split(jax.random.key(1), count))


@pytest.mark.parametrize("columns", [None, 2])
def test_the_mean_gradient_is_zero_at_the_truth_and_nowhere_near(columns):
    """False alarms: 1e-6 a number. Control: weights that are a little off."""
    assert agrees(gradients(jnp.zeros(5), columns=columns), np.zeros(5))
    assert not agrees(gradients(jnp.full(5, 0.3), columns=columns), np.zeros(5))


def test_the_loss_of_a_category_is_its_exact_conditional():
    x = jnp.array([0.3, 1.0, 0.0])
    alone = eqx.tree_at(lambda o: o.base, ColumnRanking(truth(), 3), truth())
    rows = jnp.tile(x, (3, 1)).at[:, 1].set(jnp.arange(3.0))
    expected = -jax.nn.log_softmax(-jax.vmap(truth())(rows))[1]
    found = alone._rank_column(truth(), x, jnp.array(1), KEY)
    assert np.isclose(found, expected, atol=1e-12)


def test_the_prior_adds_half_the_squares_of_the_weights():
    rows, energy = draws(truth(), 8, key=KEY), Moved(jnp.arange(5.0))
    plain, more = (
        ColumnRanking(truth(), 4, penalty=penalty)(energy, rows, None, key=KEY)[0]
        for penalty in (0.0, 0.1)
    )
    assert np.isclose(more - plain, 0.05 * 30)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"columns": 0}, {"penalty": -1.0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="must be at least"):
        ColumnRanking(truth(), **wrong)
