"""Fréchet and kernel distance of features against closed forms for Gaussians."""

import jax
import numpy as np
import pytest
from agreement import agrees
from scipy.special import gammaln
from scipy.stats import t

from energax.evaluate import expected_frechet, frechet_distance, kernel_distance


def with_moments(mean, covariance, size=60, seed=0):
    """Rows whose sample mean and covariance are these, up to rounding."""
    rows = np.random.default_rng(seed).normal(size=(size, len(mean)))
    rows -= rows.mean(axis=0)
    rows = np.linalg.solve(np.linalg.cholesky(np.atleast_2d(np.cov(rows, rowvar=False))), rows.T).T
    return mean + rows @ np.linalg.cholesky(covariance).T


def pair(dim=5, seed=0):
    """A full covariance S, and a map T, symmetric and positive, that carries it to T S T."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, dim, dim))
    return a @ a.T + 0.1 * np.eye(dim), b @ b.T / dim + 0.1 * np.eye(dim), rng.normal(size=dim)


def frechet(x, y):
    return float(frechet_distance(x, y).value)


def test_frechet_of_diagonal_covariances_is_the_distance_of_deviations():
    mean, other = np.array([1.0, 0.0, -2.0]), np.array([0.5, 0.5, 0.5])
    std, wide = np.array([1.0, 0.2, 3.0]), np.array([2.0, 0.2, 0.1])
    x, y = with_moments(mean, np.diag(std**2)), with_moments(other, np.diag(wide**2), 90, 1)
    wanted = np.sum((mean - other) ** 2) + np.sum((std - wide) ** 2)
    assert np.isclose(frechet(x, y), wanted, rtol=1e-10)
    assert not np.isclose(frechet(x, y), wanted - np.sum((std - wide) ** 2), rtol=0.1)
    assert np.isclose(frechet(x, x + 2), 12, rtol=1e-10)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_frechet_of_full_covariances_is_the_cost_of_the_optimal_map(dim):
    """x -> T x with T symmetric and positive is optimal, and costs tr((T - 1) S (T - 1))."""
    s, to, shift = pair(dim)
    x, y = with_moments(np.zeros(dim), s), with_moments(shift, to @ s @ to, seed=1)
    gap = to - np.eye(dim)
    wanted = shift @ shift + np.trace(gap @ s @ gap)
    assert np.isclose(frechet(x, y), wanted, rtol=1e-9)
    assert np.isclose(frechet(y, x), wanted, rtol=1e-9)
    # Negative control: roots multiplied as if S_x and S_y commuted.
    roots = [axes * np.sqrt(v) @ axes.T for v, axes in map(np.linalg.eigh, (s, to @ s @ to))]
    naive = shift @ shift + np.trace((roots[0] - roots[1]) @ (roots[0] - roots[1]))
    assert dim == 1 or not np.isclose(naive, wanted, rtol=1e-3)


def test_frechet_does_not_feel_a_rotation_and_scales_as_a_square():
    s, to, shift = pair()
    x, y = with_moments(np.zeros(5), s), with_moments(shift, to)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    assert np.isclose(frechet(x @ turn + 7, y @ turn + 7), frechet(x, y), rtol=1e-9)
    assert np.isclose(frechet(3 * x, 3 * y), 9 * frechet(x, y), rtol=1e-9)
    assert not np.isclose(frechet(x @ turn, y), frechet(x, y), rtol=1e-2)


def test_frechet_of_dead_and_of_nearly_equal_features_is_not_lost_in_rounding():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 6)) * 10.0 ** -np.arange(6)
    x[:, 2] = 4.0
    x[:, 5] = x[:, 4]
    assert abs(frechet(x, x[::-1])) < 1e-12
    moved = x + 1e-3
    assert np.isclose(frechet(x, moved), 6e-6, rtol=1e-5)


def c4(size):
    """E of the sample deviation of `size` normal values of deviation 1."""
    return np.sqrt(2 / (size - 1)) * np.exp(gammaln(size / 2) - gammaln((size - 1) / 2))


def estimates(distance, distributions, sizes, repetitions, seed=0):
    """Values and errors on pairs of normal samples; each distribution a mean and a factor."""
    rng = np.random.default_rng(seed)
    found = [
        distance(
            *(
                mean + rng.normal(size=(size, len(factor))) @ factor.T
                for (mean, factor), size in zip(distributions, sizes, strict=True)
            )
        )
        for _ in range(repetitions)
    ]
    return tuple(np.array([float(getattr(e, n)) for e in found]) for n in ("value", "error"))


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_bias_of_the_frechet_distance_in_one_dimension_is_exact(shift):
    m, n, wide = 40, 60, 1.4
    distributions = [(0.0, np.eye(1)), (shift, wide * np.eye(1))]
    values, _ = estimates(frechet_distance, distributions, (m, n), 400)
    gap = shift**2 + 1 / m + wide**2 / n
    wanted = gap + 1 + wide**2 - 2 * wide * c4(m) * c4(n)
    assert agrees(values, wanted)
    # Negative controls: without the bias, where few are enough to see it, and a quarter more.
    assert shift or not agrees(values, (wide - 1) ** 2)
    assert not agrees(values, 1.25 * wanted)


def test_bias_of_the_frechet_distance_where_distributions_agree_is_as_expected():
    factor = np.linalg.cholesky(pair(4)[0])
    m, n = 150, 300
    values, _ = estimates(frechet_distance, [(0.0, factor)] * 2, (m, n), 300)
    wanted = expected_frechet(factor @ factor.T, m, n)
    assert agrees(values, wanted, margin=0.03 * wanted)
    assert not agrees(values, 1.2 * wanted, margin=0.03 * wanted)
    assert np.isclose(expected_frechet(2 * np.eye(3), 10, 40), 2 * (1 / 10 + 1 / 40) * 3 * 8 / 4)
    assert np.isclose(
        expected_frechet(np.diag([1.0, 0.0]), 9, 9), expected_frechet(np.eye(1), 9, 9)
    )


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_error_of_the_frechet_distance_is_its_spread(shift):
    """Where both sides agree the jackknife doubles the variance; elsewhere it covers as it says."""
    distributions = [(0.0, np.eye(3)), (shift, np.diag([1.0, 1 + shift, 1.0]))]
    values, errors = estimates(frechet_distance, distributions, (400, 400), 300)
    ratio = np.sqrt(np.mean(errors**2)) / values.std(ddof=1)
    wanted = np.sqrt(2) if shift == 0 else 1.0
    # The spread of 300 values is known to 4% (6% of a null with its long tail).
    assert 0.8 < ratio / wanted < 1.25
    hits = np.abs(values - values.mean()) < t.ppf(0.975, 19) * errors
    assert shift == 0 or agrees(hits.astype(float), 0.95, margin=0.02)
    # Negative control: half the error.
    half = np.abs(values - values.mean()) < t.ppf(0.975, 19) * errors / 2
    assert not agrees(half.astype(float), 0.95, margin=0.02)


def moments(mean, factor):
    """First three moments of N(mean, factor factor^T), as tensors."""
    s = factor @ factor.T
    crossed = sum(np.einsum(f"ij,k->{order}", s, mean) for order in ("ijk", "ikj", "kij"))
    third = np.einsum("i,j,k->ijk", mean, mean, mean) + crossed
    return mean, s + np.outer(mean, mean), third


def exact_kernel(distributions):
    """3 |dM_1|^2 / dim + 3 |dM_2|^2 / dim^2 + |dM_3|^2 / dim^3."""
    dim = len(distributions[0][0])
    gaps = [
        np.sum((a - b) ** 2)
        for a, b in zip(*(moments(*distribution) for distribution in distributions), strict=True)
    ]
    return sum(c * gap / dim**j for j, (c, gap) in enumerate(zip((3, 3, 1), gaps, strict=True), 1))


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_kernel_distance_is_unbiased_and_its_error_is_its_spread(shift):
    factor = np.linalg.cholesky(pair(3)[0]) / 2
    one = np.array([0.3, -0.2, 0.1])
    distributions = [(one, factor), (one + shift, (1 + shift) * factor)]
    values, errors = estimates(kernel_distance, distributions, (30, 90), 150)
    assert agrees(values, exact_kernel(distributions))
    ratio = np.sqrt(np.mean(errors**2)) / values.std(ddof=1)
    assert 0.7 < ratio < 1.6
    # Negative controls: half as much again, or the rows with themselves where both agree.
    x, y = one + np.random.default_rng(1).normal(size=(2, 50_000, 3)) @ factor.T
    own = np.mean((np.sum(x * x, axis=1) / 3 + 1) ** 3 - (np.sum(x * y, axis=1) / 3 + 1) ** 3)
    faulty = values * 1.5 if shift else values + own * (1 / 30 + 1 / 90)
    assert not agrees(faulty, exact_kernel(distributions))


def test_kernel_distance_is_the_sum_over_pairs():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(19, 4)), rng.normal(size=(35, 4)) + 0.5
    kernels = [(a @ b.T / 4 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    same = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in kernels[:2]]
    assert np.isclose(float(kernel_distance(x, y).value), sum(same) - 2 * kernels[2].mean())
    assert not np.isclose(kernels[0].mean() + same[1] - 2 * kernels[2].mean(), sum(same), rtol=0.1)


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_features_in_float32_lose_nothing(distance):
    """Large means cancel: third powers of 30, in which float32 would keep no figure."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(80, 6)).astype(np.float32) + np.float32(30) for _ in range(2))
    wanted = float(distance(x.astype(np.float64), y.astype(np.float64)).value)
    with jax.enable_x64(False):
        found = distance(x, y)
        assert found.value.dtype == np.float32
    assert np.isclose(float(found.value), wanted, rtol=1e-6)
    assert np.isfinite(float(found.error))


HOLE = np.full((60, 2), 1.0)
HOLE[7, 1] = np.nan
REFUSALS = {
    "widths": (np.zeros((60, 2)), np.zeros((60, 3)), "must hold the same features"),
    "hole": (np.zeros((60, 2)), HOLE, "`y` must be finite; row 7"),
    "few": (np.zeros((1, 2)), np.zeros((60, 2)), "2 rows"),
}


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_refused_in_one_sentence(distance, what):
    x, y, sentence = REFUSALS[what]
    if what == "few" and distance is frechet_distance:
        sentence = "`x` needs 40 rows for 2 features and 20 blocks; got 1"
    with pytest.raises(ValueError, match=sentence):
        distance(x, y)


def test_frechet_wants_more_rows_than_features_without_any_block():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="`y` needs 54 rows for 50 features"):
        frechet_distance(rng.normal(size=(80, 50)), rng.normal(size=(53, 50)))
    assert float(frechet_distance(*rng.normal(size=(2, 54, 50))).value) > 0
    with pytest.raises(ValueError, match="`blocks` must be at least 2"):
        frechet_distance(*rng.normal(size=(2, 54, 50)), blocks=1)
