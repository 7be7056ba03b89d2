"""A mixture chosen on held-out rows: of the size that rows need, and no larger."""

import jax.numpy as jnp
import numpy as np
import pytest

from energax.energy import choose_mixture, fit_mixture, log_density
from energax.energy import fit as room


def clusters(size, dim=2, seed=0):
    """Rows of three round clusters, far apart."""
    rng = np.random.default_rng(seed)
    places = np.eye(3, dim) * 10
    return places[rng.integers(3, size=size)] + rng.normal(size=(size, dim))


def test_three_clusters_are_three_gaussians():
    assert choose_mixture(clusters(300)).components == 3
    one = np.random.default_rng(1).normal(size=(300, 2))
    assert choose_mixture(one).components == 1  # negative control


def test_few_rows_of_many_columns_take_little_or_much_ridge():
    """Fifty rows of twenty independent columns: a full covariance needs ridge, one that is
    diagonal hardly any."""
    rows = np.random.default_rng(2).normal(size=(50, 20))
    full = choose_mixture(rows, covariance="full")
    assert full.components == 1
    assert full.ridge >= 0.1
    free = choose_mixture(rows)
    assert (free.covariance, free.components) == ("diag", 1)
    assert free.value > full.value


def test_what_is_given_is_not_chosen():
    found = choose_mixture(clusters(90), components=2, covariance="tied", ridge=0.5)
    assert (found.components, found.covariance, found.ridge) == (2, "tied", 0.5)
    assert choose_mixture(clusters(90), components=200).value == -np.inf
    with pytest.raises(ValueError, match="cannot be chosen on 2 rows"):
        choose_mixture(np.zeros((2, 1)))


@pytest.mark.parametrize("covariance", ["full", "tied", "diag"])
def test_every_covariance_has_the_density_of_scikit_learn(covariance):
    rows = clusters(120, 3)
    made = fit_mixture(rows, 2, covariance=covariance, ridge=1e-2)
    theirs = room.SklearnMixture(2, covariance_type=covariance, reg_covar=1e-2, random_state=0).fit(
        rows
    )
    mine = [float(log_density(made, jnp.asarray(row))) for row in rows[:5]]
    assert mine == pytest.approx(theirs.score_samples(rows[:5]).tolist(), rel=1e-9)
