"""scikit-learn's own checks of its contract, on every estimator of the room."""

import pytest
from commands import as_a_user
from sklearn.utils.estimator_checks import parametrize_with_checks

from energax.sklearn import EnergyDensity, EnergyEnsemble, EnergyOutlierDetector

BARE = {"base": "none", "width": 4, "depth": 1, "chunk_steps": 2}
"""A bare network: nothing is fitted before training, and log Z is not attempted."""

ESTIMATORS = [
    EnergyDensity("dsm", steps=2, options=BARE, random_state=0),
    EnergyEnsemble(random_state=0),
    EnergyOutlierDetector(random_state=0),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_the_contract_of_scikit_learn_holds(estimator, check):
    with as_a_user():
        check(estimator)
