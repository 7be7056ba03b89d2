"""The density: what is certified and what is not, folders, frames, and programs that are kept."""

import pickle
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from commands import as_a_user
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from energax import sklearn as room
from energax.errors import InputError
from energax.sklearn import EnergyDensity, UncertifiedWarning

SMALL = {"width": 8, "depth": 1, "chunk_steps": 5}


def make_density(**changes):
    return EnergyDensity(**{"steps": 5, "options": SMALL, "random_state": 0} | changes)


def draw_rows(count=200, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2)) * [1.0, 10.0] + [5.0, 0.0]


@pytest.fixture(scope="module")
def density():
    with as_a_user():
        return make_density().fit(draw_rows())


@pytest.fixture
def rounded():
    """A density of a column of few values, which has none."""
    rows = draw_rows()
    rows[:, 0] = rows[:, 0] > 5
    with as_a_user(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_density().fit(rows)


def test_a_certified_density_integrates_to_one(density):
    """By a sum over a grid, in the units of the rows; 0.01 is the error of Z by quadrature."""
    xs, ys = np.linspace(-2, 12, 120), np.linspace(-60, 60, 120)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    with as_a_user():
        whole = np.exp(density.score_samples(grid)).sum() * (xs[1] - xs[0]) * (ys[1] - ys[0])
        assert density.certified_
    assert abs(whole - 1) < 0.01


def test_score_is_the_mean(density):
    with as_a_user():
        assert density.score(draw_rows()) == pytest.approx(
            density.score_samples(draw_rows()).mean()
        )


def test_what_is_not_certified_is_said(rounded):
    with as_a_user():
        with pytest.warns(UncertifiedWarning, match="no log-densities"):
            scores = rounded.score_samples(draw_rows())
        with pytest.warns(UncertifiedWarning):
            assert np.isnan(rounded.score(draw_rows()))
        assert np.array_equal(scores, -rounded.energies(draw_rows()))
    assert not rounded.certified_
    assert np.isnan(rounded.log_z_)


def test_a_saved_density_is_the_same_and_stays_certified(density, tmp_path):
    with as_a_user():
        density.save(tmp_path / "density")
        found = room.load(tmp_path / "density")
        assert np.array_equal(found.score_samples(draw_rows()), density.score_samples(draw_rows()))
        assert found.get_params() == density.get_params()


def test_a_pickled_density_goes_as_its_files(density):
    with as_a_user():
        found = pickle.loads(pickle.dumps(density))
        assert np.array_equal(found.energies(draw_rows()), density.energies(draw_rows()))
    assert np.array_equal(found.model_.witnesses, density.model_.witnesses)


def test_frames_come_back_as_frames():
    rows = pd.DataFrame(draw_rows(), columns=["age", "income"])
    with as_a_user():
        found = make_density().fit(rows)
        drawn = found.sample(3, random_state=0)
        with pytest.raises(ValueError, match="feature names"):
            found.score_samples(rows.rename(columns={"age": "years"}))
    assert list(drawn.columns) == ["age", "income"]
    assert drawn.shape == (3, 2)


def test_a_grid_search_ranks_by_the_mean_log_density():
    chain = make_pipeline(StandardScaler(), make_density())
    with as_a_user():
        grid = GridSearchCV(chain, {"energydensity__steps": [5, 10]}, cv=2).fit(draw_rows(100))
        scores = cross_val_score(make_density(), draw_rows(100), cv=2)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert np.isfinite(scores).all()


def test_programs_are_kept_between_fits_of_one_shape(density):
    """The second fit compiles nothing. A new shape does, so compilation is seen."""
    seen = []

    def listen(event, seconds, **_):
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    with as_a_user():
        make_density(random_state=1).fit(draw_rows(seed=1)).energies(draw_rows(seed=1))
        before = len(seen)
        make_density(random_state=2).fit(draw_rows(seed=2)).energies(draw_rows(seed=2))
        again = len(seen)
        make_density().fit(draw_rows(90))
    jax.monitoring.unregister_event_duration_listener(listen)
    assert (again - before, len(seen) > again) == (0, True)


def test_few_rows_get_few_gaussians():
    with as_a_user():
        found = make_density(options=SMALL | {"base": "mixture"}).fit(draw_rows(12))
    assert found.model_.base.modes == 1


def test_another_methods_option_is_refused():
    with pytest.raises(InputError, match="not an option of nce"):
        make_density(options={"chain_steps": 3}).fit(draw_rows())
