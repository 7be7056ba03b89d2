"""How the methods hang together: each limit of one is another, with the order of its error."""

import itertools

import identities
import jax
import limits
import numpy as np
import pytest
from identities import IDENTITIES
from limits import LIMITS

from energax.objective import ImplicitScoreMatching


def test_score_matching_by_hand_is_that_of_the_library():
    value, slope = (
        jax.jit(lambda part=part: part(ImplicitScoreMatching()))()
        for part in (limits.loss, limits.gradient)
    )
    assert float(value) == pytest.approx(limits.implicit())
    np.testing.assert_allclose(slope, limits.implicit_gradient())


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_is_score_matching_with_an_error_of_the_stated_order(name):
    """Dividing s by 2 divides the distance by 2, or by 4, within 5%, down to a small one."""
    found = [limits.gap(name, s) for s in (0.05, 0.025, 0.0125)]
    assert found[-1] < (0.05 if LIMITS[name].order == 1 else 0.001)
    for wide, narrow in itertools.pairwise(found):
        assert wide / narrow == pytest.approx(2 ** LIMITS[name].order, rel=0.05)


@pytest.mark.parametrize("name", IDENTITIES)
def test_both_sides_of_an_identity_are_equal(name):
    assert identities.worst(name) < 1e-12


def printed():
    """Score matching with + tr H."""
    slope, bend = limits.slope_and_bend()
    return float(np.mean(slope**2 / 2 + bend))


PRINTED = {  # what the tutorial's arXiv text has -> how far it is from what is measured
    "+ tr H, by contrast": lambda: limits.relative(LIMITS["nce-self"].measured(0.025), printed()),
    "+ tr H, by denoising": lambda: limits.relative(
        LIMITS["dsm --control-variate"].measured(0.025), printed()
    ),
    "the prefactor 1/4": lambda: limits.relative(
        2 * LIMITS["nce-self"].measured(0.025), limits.implicit()
    ),
    "one step without its minus": lambda: limits.relative(
        LIMITS["cd"].measured(0.025), -limits.implicit_gradient()
    ),
    "half the rate of de Bruijn": lambda: limits.relative(
        identities.de_bruijn()[0], identities.de_bruijn()[1] / 2
    ),
}


@pytest.mark.parametrize("what", PRINTED)
def test_the_printed_form_is_no_limit(what):
    """Negative control: errors of print, which the checks above must tell from the truth."""
    assert PRINTED[what]() > 0.5


@pytest.mark.parametrize("name", [name for name in IDENTITIES if "directions" in name])
def test_a_missing_direction_is_seen(name, monkeypatch):
    """Negative control."""
    monkeypatch.setattr(identities, "SIGNS", identities.SIGNS[1:])
    assert identities.worst(name) > 1e-3


def test_a_wrong_noise_of_one_copy_is_seen():
    """Negative control: s in place of sqrt(2) s."""
    assert limits.relative(*identities.one_copy(wider=1.0)) > 1e-3
