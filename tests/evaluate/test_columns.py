"""What is said of a column given the others, against sums over all rows; and the simple models."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from mixed_columns import AXIS, SPACE, STEP, truth
from sklearn.linear_model import LogisticRegression, Ridge

from energax.energy import draws, fit_columns
from energax.evaluate import (
    Prediction,
    annealed_log_z,
    predict_columns,
    predict_linear,
    predict_marginals,
    score_column,
)
from energax.space import Columns

KEY = jax.random.key(0)
ROWS = np.array([[0.3, 1.0, 0.0], [np.nan, 2.0, 1.0], [-1.5, 0.0, np.nan]])


def crude():
    """Independent columns: Gaussians near the truth, which the quadrature goes by."""
    return fit_columns(np.asarray(draws(truth(), 500, key=KEY)), SPACE)


def test_numbers_are_integrated_and_categories_summed():
    """Of the truth, by another base, whose middles of equal probability are rough in the tails."""
    number, category, last = predict_columns(truth(), crude(), ROWS)
    for place, x in enumerate(jnp.asarray(ROWS)):
        rows = jnp.tile(x, (len(AXIS), 1)).at[:, 0].set(AXIS)
        density = np.exp(-np.asarray(jax.vmap(truth())(rows)))
        density /= density.sum() * STEP
        assert np.isclose(number.mean[place], STEP * density @ AXIS, atol=0.02)
        entropy = -STEP * np.sum(density * np.log(np.maximum(density, 1e-300)))
        assert np.isclose(number.entropy[place], entropy, atol=0.03)
        if not np.isnan(x[0]):
            expected = -np.log(np.interp(x[0], AXIS, density))
            assert np.isclose(number.surprise[place], expected, atol=0.03)
        rows = jnp.tile(x, (3, 1)).at[:, 1].set(jnp.arange(3.0))
        log_p = jax.nn.log_softmax(-jax.vmap(truth())(rows))
        assert np.allclose(category.log_p[place], log_p, atol=1e-10)
        assert np.isclose(category.surprise[place], -log_p[int(x[1])], atol=1e-10)
    assert np.isnan(number.surprise).tolist() == [False, True, False]
    assert np.isnan(last.surprise).tolist() == [False, False, True]
    assert last.log_p.shape == (3, 2)


def test_the_cell_of_a_column_does_not_predict_itself():
    other = ROWS.copy()
    other[:, 0], other[0, 1] = 5.0, 0.0
    before, after = (list(predict_columns(truth(), crude(), rows)) for rows in (ROWS, other))
    assert np.allclose(before[0].mean[1:], after[0].mean[1:])
    assert not np.allclose(before[1].log_p[0], after[1].log_p[0])
    assert not np.allclose(before[0].mean[0], after[0].mean[0])


def test_linear_models_are_those_of_scikit_learn():
    """On columns without holes, whose embedding is written out here."""
    rng = np.random.default_rng(0)
    height = rng.normal(size=80)
    kind = (height + rng.normal(size=80) > 0).astype(float)
    rows, where = np.stack([height, kind], axis=1), Columns((0, 2), (False, False))
    number, category = predict_linear(rows, rows, where)
    order = np.random.default_rng(0).permutation(80)
    inputs = np.stack([1 - kind, kind], axis=1)
    assert np.allclose(number.mean, Ridge(1.0).fit(inputs[order], height[order]).predict(inputs))
    scaled = ((height - height.mean()) / height.std())[:, None]
    made = LogisticRegression(C=1.0, max_iter=1000).fit(scaled[order], kind[order].astype(int))
    assert np.allclose(np.exp(category.log_p), made.predict_proba(scaled), atol=1e-6)
    assert np.isclose(next(predict_marginals(rows, rows, where)).mean[0], height.mean())


def test_scores_count_known_cells_and_floor_probabilities():
    log_p = np.log([[0.9, 0.1], [1 - 1e-9, 1e-9], [0.5, 0.5]])
    found = score_column(Prediction(log_p), np.array([0.0, 1.0, np.nan]))
    assert (found.rows, found.accuracy) == (2, 0.5)
    assert np.isclose(found.log_p, (np.log(0.9) + np.log(1e-4)) / 2)
    assert score_column(Prediction(mean=np.zeros(3)), np.ones(3)) is None
    said = Prediction(mean=np.array([1.0, 2.0, 3.0]))
    assert score_column(said, np.array([2.0, 2.0, 5.0])).r2 == 1 - 5 / 6


def test_log_z_of_a_normalised_energy_is_zero():
    """Annealed from independent columns to the truth; and of the truth with a constant, that."""
    rows = draws(truth(), 64, key=jax.random.key(1))
    base = eqx.tree_at(lambda b: b.log_weights, crude(), jnp.zeros(1))
    found = annealed_log_z(truth(), base, rows, particles=128, leaps=1, key=KEY)
    assert found.lower <= 0 <= found.upper, found
    assert found.upper - found.lower < 0.5
