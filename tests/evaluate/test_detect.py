"""Detection of rows from outside against closed forms of two Gaussians."""

import numpy as np
import pytest
from agreement import agrees
from scipy.integrate import quad
from scipy.stats import norm

from energax.evaluate import detection, pca_residual
from energax.evaluate.detect import detection_rates

SHIFT = 1.5


def energies(size, repetitions, shift=SHIFT, share=1.0, seed=0):
    """Energies N(0, 1) of rows inside, N(shift, 1) of `share` times as many outside."""
    rng = np.random.default_rng(seed)
    outside = shift + rng.normal(size=(repetitions, int(share * size)))
    return rng.normal(size=(repetitions, size)), outside


def exact(shift=SHIFT, share=1.0):
    """AUROC, average precision and false alarms of N(0, 1) against N(shift, 1)."""

    def precision(t):
        found = share * norm.sf(t - shift)
        return found / (found + norm.sf(t)) * norm.pdf(t - shift)

    aupr = quad(precision, -8, 8 + shift, epsabs=1e-10)[0]
    return norm.cdf(shift / np.sqrt(2)), aupr, norm.sf(shift + norm.ppf(0.05))


def test_auroc_of_two_gaussians_is_exact_at_any_size():
    inside, outside = energies(20, 500)
    found = [detection_rates(a, b)[0] for a, b in zip(inside, outside, strict=True)]
    assert agrees(found, norm.cdf(SHIFT / np.sqrt(2)))
    # Negative controls: the shift not divided by the root of 2, and the swapped sign.
    assert not agrees(found, norm.cdf(SHIFT))
    swapped = [detection_rates(-a, -b)[0] for a, b in zip(inside, outside, strict=True)]
    assert np.allclose(swapped, 1 - np.array(found))
    assert not agrees(swapped, norm.cdf(SHIFT / np.sqrt(2)))


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_precision_and_false_alarms_of_two_gaussians(share):
    """Biased by about 1 / size, which the margin forgives."""
    inside, outside = energies(4000, 60, share=share)
    found = np.array([detection_rates(a, b) for a, b in zip(inside, outside, strict=True)])
    assert agrees(found, exact(share=share), margin=0.001)
    # Negative controls: rows inside taken for what is to be found, and 94% in place of 95%.
    other = np.array([detection_rates(-b, -a) for a, b in zip(inside, outside, strict=True)])
    assert share == 1 or not agrees(other[:, 1], exact(share=share)[1], margin=0.001)
    assert not agrees(found[:, 2], norm.sf(SHIFT + norm.ppf(0.06)), margin=0.001)


def test_sides_exchanged_are_the_other_convention():
    """Unequal spreads, so that the two conventions differ."""
    rng = np.random.default_rng(0)
    inside, outside = rng.normal(size=(60, 2000)), SHIFT + 2 * rng.normal(size=(60, 2000))
    pairs = list(zip(inside, outside, strict=True))
    found = np.array([detection_rates(a, b)[[0, 2]] for a, b in pairs])
    other = np.array([detection_rates(-b, -a)[[0, 2]] for a, b in pairs])
    assert np.allclose(found[:, 0], other[:, 0])
    passes = norm.cdf((norm.ppf(0.95) - SHIFT) / 2)
    assert agrees(other[:, 1], passes, margin=0.001)
    assert not agrees(found[:, 1], passes, margin=0.001)


def test_ties_count_half():
    inside, outside = np.array([0.0, 0.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0, 2.0])
    # 8 pairs against 0, all won; 6 ties and 2 won against 1.
    assert np.isclose(detection_rates(inside, outside)[0], (8 + 2 + 6 / 2) / 16)
    auroc, aupr, fpr = detection_rates(np.zeros(30), np.zeros(10))
    assert np.allclose([auroc, aupr, fpr], [0.5, 0.25, 1.0])


def test_false_alarms_are_read_where_95_percent_are_found():
    """Levels 3, 2, 1 on one slope of the curve: 95 of 100 are found at level 2."""
    outside = np.repeat([3.0, 2.0, 1.0], [90, 5, 5])
    inside = np.repeat([3.0, 2.0, 1.0], [900, 50, 50])
    assert np.isclose(detection_rates(inside, outside)[2], 0.95)


def test_found_by_hand():
    found = detection(np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.5, 4.0]), replicates=100)
    assert np.isclose(found.auroc.value, 7 / 8)
    # From above: found at 4 (1 of 1), then 3 is false, then 2.5 (2 of 3).
    assert np.isclose(found.aupr.value, (1 + 2 / 3) / 2)
    assert np.isclose(found.fpr95.value, 1 / 4)


def test_intervals_are_as_wide_as_the_spread():
    """Without a shift the variance of the AUROC is (m + n + 1) / (12 m n), exactly."""
    m, n = 150, 75
    inside, outside = energies(m, 20, shift=0.0, share=n / m)
    found = [detection(a, b, replicates=100) for a, b in zip(inside, outside, strict=True)]
    widths = np.array([f.auroc.upper - f.auroc.lower for f in found])
    wanted = 2 * norm.ppf(0.975) * np.sqrt((m + n + 1) / (12 * m * n))
    # 100 replicates and 75 rows know the width to a few percent.
    assert agrees(widths / wanted, 1.0, margin=0.03)
    # Negative control: only the larger side drawn again.
    assert not agrees(widths / wanted, np.sqrt(n / (m + n)), margin=0.03)
    again = detection(inside[0], outside[0], replicates=100)
    assert again == found[0]
    assert again != detection(inside[0], outside[0], replicates=100, seed=1)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    """95%, up to the 3% that percentiles of 200 rows lose."""
    inside, outside = energies(200, 200)
    found = [detection(a, b, replicates=100) for a, b in zip(inside, outside, strict=True)]
    truth = dict(zip(("auroc", "aupr", "fpr95"), exact(), strict=True))
    for name, value in truth.items():
        ends = [(getattr(f, name).lower, getattr(f, name).upper) for f in found]
        hits = np.array([low <= value <= high for low, high in ends], float)
        assert agrees(hits, 0.95, margin=0.03), (name, hits.mean())
        # Negative control: intervals half as wide.
        middle, half = np.mean(ends, axis=1), np.diff(ends, axis=1)[:, 0] / 4
        assert not agrees((np.abs(middle - value) <= half).astype(float), 0.95, margin=0.03), name


def test_residual_is_what_the_plane_leaves():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(6, 2)))[0]
    centre = rng.normal(size=6)
    train = centre + 3 * rng.normal(size=(50, 2)) @ plane.T
    assert np.allclose(pca_residual(train, train + 5 * plane[:, 0], 2), 0, atol=1e-10)
    off = rng.normal(size=6)
    away = off - plane @ (plane.T @ off)
    assert np.allclose(pca_residual(train, train + off, 2), np.linalg.norm(away))
    # Negative control: too small a plane leaves what the data vary in.
    assert pca_residual(train, train, 1).mean() > 0.1


def test_residual_of_images_has_the_variance_of_the_axes_left_out():
    rng = np.random.default_rng(0)
    scale = np.array([5.0, 4.0, 1.0, 0.5]).reshape(2, 2)
    train, rows = (scale * rng.normal(size=(n, 2, 2)) for n in (20_000, 2000))
    squares = pca_residual(train, rows, 2) ** 2
    assert agrees(squares, 1.25, margin=0.01)
    assert not agrees(squares, 1.0, margin=0.01)


REFUSALS = {
    "few": (lambda: detection(np.zeros(1), np.zeros(3)), "`inside` must hold at least 2"),
    "lost": (
        lambda: detection(np.zeros(3), np.array([0.0, np.nan])),
        "`outside` must be finite; row 1",
    ),
    "replicates": (
        lambda: detection(np.zeros(3), np.zeros(3), replicates=9),
        "`replicates` must be at least 100",
    ),
    "shape": (lambda: pca_residual(np.zeros((5, 3)), np.zeros((5, 2)), 1), "the shape of `train`"),
    "parts": (lambda: pca_residual(np.zeros((5, 3)), np.zeros((5, 3)), 3), r"lie in 1\.\.2"),
    "rows": (
        lambda: pca_residual(np.full((5, 3), np.inf), np.zeros((5, 3)), 1),
        "`train` must be finite; row 0",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refused_in_one_sentence(what):
    call, sentence = REFUSALS[what]
    with pytest.raises(ValueError, match=sentence):
        call()
