"""Every transform: decode undoes encode, log_det is that of the Jacobian, the record is exact."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtri

from energax.data import (
    Dequantise,
    Logit,
    MarginalGauss,
    Pipeline,
    ScaleToBox,
    Standardise,
    Whiten,
    from_json,
    gaussianise_marginals,
    scale_to_box,
    standardise,
    to_json,
    whiten,
)
from energax.data.base import AbstractTransform
from energax.errors import InputError

CASES = [((5,), jnp.float64), ((1, 4, 4), jnp.float64), ((1, 4, 4), jnp.float32)]
RNG = np.random.default_rng(0)


def masses(shape, levels=7):
    raw = RNG.uniform(0.2, 1.0, (levels, *shape))
    return raw / raw.sum(axis=0)


def skewed(shape):
    """A whitening of rows whose axes lean on each other."""
    size = math.prod(shape)
    factor = np.eye(size) + 0.3 * RNG.normal(size=(size, size)) / size**0.5
    return Whiten(RNG.normal(size=shape), factor, np.linalg.inv(factor))


SMOOTH = {  # name -> transform of one example of a shape; all differentiable on the unit box
    "standardise": lambda s: Standardise(RNG.normal(size=s), RNG.uniform(0.5, 2, s)),
    "standardise, one pair": lambda s: Standardise(0.3, 2.0),
    "scale_to_box": lambda s: ScaleToBox(-RNG.uniform(0.1, 1, s), RNG.uniform(1, 2, s)),
    "scale_to_box, one range": lambda s: ScaleToBox(0.0, 1.0, -3.0, 5.0),
    "whiten": skewed,
    "logit": lambda s: Logit(0.01),
    "marginal_gauss": lambda s: MarginalGauss(masses(s)),
    "identity": lambda s: Pipeline(()),
    "pipeline": lambda s: Pipeline(
        (ScaleToBox(-0.5, 1.5, 0.0, 1.0), MarginalGauss(masses(s)), Standardise(0.1, 3.0))
    ),
}


encode = jax.jit(lambda transform, x, *, key: transform.encode(x, key=key))


def examples(shape, dtype, count=20):
    return jnp.asarray(np.random.default_rng(1).uniform(0.02, 0.98, (count, *shape)), dtype)


@jax.jit
def errors(transform, rows, key):
    """The largest errors of log_det, against log |det J| by autodiff, and of the inverse."""

    def of_one(x):
        y, log_det = transform.encode(x, key=key)
        jacobian = jax.jacfwd(lambda v: transform.encode(v, key=key)[0])(x)
        square = jacobian.reshape(x.size, x.size).astype(jnp.float64)
        volume = jnp.abs(log_det.astype(jnp.float64) - jnp.linalg.slogdet(square)[1])
        return volume, jnp.max(jnp.abs(transform.decode(y) - x))

    return jax.tree.map(jnp.max, jax.vmap(of_one)(rows))


TOLERANCE = {jnp.float64: (1e-9, 1e-9), jnp.float32: (2e-4, 5e-5)}  # log_det in nats, inverse


@pytest.mark.parametrize(("shape", "dtype"), CASES)
@pytest.mark.parametrize("name", SMOOTH)
def test_decode_undoes_encode_and_log_det_is_that_of_the_jacobian(name, shape, dtype, key):
    transform, (volume, inverse) = SMOOTH[name](shape), TOLERANCE[dtype]
    rows = examples(shape, dtype)
    y, log_det = jax.eval_shape(lambda x: transform.encode(x, key=key), rows[0])
    assert (y.dtype, log_det.dtype, y.shape) == (dtype, dtype, shape)
    found = errors(transform, rows, key)
    assert found[0] < volume
    assert found[1] < inverse


class Silent(AbstractTransform):
    """A planted fault: log_det left out."""

    def encode(self, x, *, key):
        return 2 * x, jnp.zeros(())

    def decode(self, y):
        return y / 2


class Skewed(AbstractTransform):
    """A planted fault: decode is 0.1% off."""

    def encode(self, x, *, key):
        return 2 * x, jnp.log(2.0) * x.size

    def decode(self, y):
        return 1.001 * y / 2


def test_the_checks_can_fail(key):
    """Negative control, at the tolerance of float32."""
    volume, inverse = TOLERANCE[jnp.float32]
    rows = examples((5,), jnp.float64)
    assert errors(Silent(), rows, key)[0] > volume
    assert errors(Skewed(), rows, key)[1] > inverse


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("levels", [2, 17, 255, 256, 1000, 65536])
def test_dequantise_keeps_every_whole_number(levels, dtype, key):
    """Also at the extremes of the noise, which a random test would need 10^7 draws to meet."""
    transform = Dequantise(levels)
    whole = np.arange(65536) % levels
    x = jnp.asarray(whole, dtype)
    y, log_det = transform.encode(x, key=key)
    assert y.dtype == dtype
    assert float(log_det) == 0
    assert bool(jnp.all((y >= 0) & (y < 1)))
    assert np.array_equal(transform.decode(y), whole)
    edge = 4 * levels * jnp.finfo(dtype).eps
    for noise in (edge, 1 - edge):
        y = (x + jnp.asarray(noise, dtype)) / levels
        assert np.array_equal(transform.decode(y), whole)


def test_dequantise_takes_and_gives_back_images(key):
    x = np.random.default_rng(0).integers(0, 17, (8, 8)).astype(np.uint8)
    y, _ = Dequantise(17).encode(x, key=key)
    assert y.dtype == jnp.result_type(float)
    back = Dequantise(17).decode(y)
    assert back.dtype == np.uint8
    assert np.array_equal(back, x)
    assert np.array_equal(Dequantise(17).decode(jnp.asarray([-0.5, 1.0, 3.0])), [0, 16, 16])


def test_dequantise_noise_is_uniform(key):
    """Kolmogorov-Smirnov at 1e-6: the distance stays below sqrt(log(2e6) / 2n)."""
    n = 50_000
    y, _ = Dequantise(4).encode(jnp.full((n,), 2), key=key)
    noise = np.sort(np.asarray(y) * 4 - 2)
    distance = np.max(np.abs(noise - (np.arange(n) + 0.5) / n))
    bound = np.sqrt(np.log(2e6) / (2 * n))
    assert distance < bound
    assert np.max(np.abs(noise**1.1 - (np.arange(n) + 0.5) / n)) > bound  # negative control


def test_marginal_gauss_makes_dequantised_rows_normal(key):
    """The map is fitted to the rows, so their histogram turns into that of a standard normal."""
    rows = np.random.default_rng(0).binomial(16, 0.3, (4000, 3)).astype(np.uint8)
    transform = Pipeline((Dequantise(17), gaussianise_marginals(rows, 17, alpha=1e-6)))
    encode_all = jax.jit(jax.vmap(lambda r, k: transform.encode(r, key=k)[0]))
    y = encode_all(rows, jax.random.split(key, 4000))
    n = 4000
    for column in np.asarray(y).T:
        distance = np.max(np.abs(np.sort(column) - ndtri((np.arange(n) + 0.5) / n))[200:-200])
        assert distance < 0.12
        assert abs(column.mean()) < 4.9 / np.sqrt(n)
        assert column.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_marginal_gauss_in_the_tails_and_at_the_edges(dtype, key):
    """SciPy in float64 from the nearer end; on the edge the tail is 1e-30; outside, -inf."""
    levels = 17
    table = np.full((levels, 1), 1e-6)
    table[8] = 1 - 16e-6
    transform = MarginalGauss(table)
    for x in (1e-5, 1e-3, 0.02, 0.5):
        exact = float(np.asarray(x, dtype))
        tail = 1e-6 * exact * levels if exact < 0.5 else 0.5
        y, log_det = encode(transform, jnp.asarray([exact], dtype), key=key)
        assert float(y[0]) == pytest.approx(ndtri(tail), abs=2e-5)
        mirrored, _ = encode(transform, jnp.asarray([1 - exact], jnp.float64), key=key)
        assert float(mirrored[0]) == pytest.approx(-ndtri(tail), abs=1e-5)
        assert bool(jnp.isfinite(log_det))
    edges = [encode(transform, jnp.asarray([x], dtype), key=key) for x in (0.0, 1.0)]
    for (y, log_det), sign in zip(edges, (1, -1), strict=True):
        assert float(y[0]) == pytest.approx(sign * ndtri(1e-30), rel=1e-4)
        assert bool(jnp.isfinite(log_det))
    for x in (-0.1, 1.1):
        assert encode(transform, jnp.asarray([x], dtype), key=key)[1] == -jnp.inf
    assert np.allclose(transform.decode(jnp.asarray([-40.0], dtype)), 0)
    assert np.allclose(transform.decode(jnp.asarray([40.0], dtype)), 1)


def test_fitters_pool_columns_of_tables_and_everything_of_images(key):
    table = np.random.default_rng(0).normal([1, 50], [0.1, 9], (500, 2)).astype(np.float32)
    y = jax.vmap(lambda r: standardise(table).encode(r, key=key)[0])(table)
    assert np.allclose(y.mean(0), 0, atol=1e-4)
    assert np.allclose(y.std(0), 1, atol=1e-4)
    boxed = jax.vmap(lambda r: scale_to_box(table, 0.0, 2.0).encode(r, key=key)[0])(table)
    assert np.allclose([boxed.min(0), boxed.max(0)], [[0, 0], [2, 2]], atol=1e-5)
    images = np.zeros((20, 4, 4), np.uint8)
    images[:, 1:3, 1:3] = 200
    assert standardise(images).mean.shape == () == scale_to_box(images).low.shape


RECORDED = SMOOTH | {"dequantise": lambda s: Pipeline((Dequantise(17), Logit(1e-3)))}


@pytest.mark.parametrize("name", RECORDED)
def test_record_survives_json_digit_for_digit(name):
    transform = RECORDED[name]((5,))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), transform)
    for before in (transform, single):
        after = from_json(json.loads(json.dumps(to_json(before))))
        assert jax.tree.structure(after) == jax.tree.structure(before)
        for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
            assert np.array_equal(np.asarray(old, np.float64), np.asarray(new, np.float64))


STILL = np.array([[1.0, 2.0], [1.0, 3.0]], np.float32)
NONSENSE = {
    "constant column": (lambda: standardise(STILL), InputError, "Column 1 of"),
    "constant range": (lambda: scale_to_box(STILL[:, ::-1]), InputError, "Column 2 of"),
    "constant images": (lambda: standardise(np.ones((3, 2, 2))), InputError, "Every number"),
    "unknown kind": (lambda: from_json({"kind": "fold"}), InputError, "'fold' is not known"),
    "no kind": (lambda: from_json({}), InputError, "known are"),
    "lost setting": (lambda: from_json({"kind": "logit", "rim": 1}), InputError, "damaged"),
    "bad setting": (
        lambda: from_json({"kind": "standardise", "mean": 0, "std": "x"}),
        InputError,
        "damaged",
    ),
    "beyond float32": (
        lambda: from_json({"kind": "standardise", "mean": [1e300], "std": [1.0]}),
        InputError,
        "mean holds a number that is too large",
    ),
    "bad steps": (lambda: from_json({"kind": "pipeline", "steps": [3]}), InputError, "damaged"),
    "foreign": (lambda: to_json(Silent()), ValueError, "Silent"),
    "levels": (lambda: Dequantise(1), ValueError, "`levels`"),
    "std": (lambda: Standardise(0.0, 0.0), ValueError, "`std`"),
    "low": (lambda: ScaleToBox(1.0, 1.0), ValueError, "`low`"),
    "box": (lambda: ScaleToBox(0.0, 1.0, 2.0, 2.0), ValueError, "`box_low`"),
    "margin": (lambda: Logit(0.5), ValueError, "`margin`"),
    "masses": (lambda: MarginalGauss(np.array([[0.0], [1.0]])), ValueError, "above 0"),
    "sum": (lambda: MarginalGauss(np.array([[0.5], [0.6]])), ValueError, "sum to 1"),
    "alpha": (lambda: gaussianise_marginals(STILL, 4, alpha=0.0), ValueError, "`alpha`"),
    "range": (lambda: gaussianise_marginals(STILL, 3), ValueError, "`rows`"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused(name):
    make, error, said = NONSENSE[name]
    with pytest.raises(error, match=said):
        make()


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_whiten_gives_the_identity_with_the_noise_to_come(noise, key):
    rng = np.random.default_rng(3)
    rows = (rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 5).reshape(500, 1, 2, 3)
    transform = whiten(rows, noise=noise)
    y = np.stack([transform.encode(row, key=key)[0] for row in rows[:200]]).reshape(200, -1)
    factor = np.asarray(transform.factor)
    covariance = np.cov(rows.reshape(500, -1).T) + noise**2 * np.eye(6)
    assert np.allclose(factor @ covariance @ factor.T, np.eye(6), atol=1e-9)
    assert np.allclose(y, (rows[:200] - rows.mean(axis=0)).reshape(200, -1) @ factor.T)


def test_whiten_refuses_rows_without_volume():
    rows = np.random.default_rng(0).normal(size=(50, 3))
    rows[:, 2] = rows[:, 0] - rows[:, 1]
    with pytest.raises(InputError, match="no spread along 1 of 3 principal axes"):
        whiten(rows)
    assert whiten(rows, noise=0.1).factor.shape == (3, 3), "noise to come gives them volume"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"factor": np.eye(3)}, "`factor` must have shape"),
        ({"inverse": 2 * np.eye(2)}, "`inverse` must be the inverse"),
    ],
)
def test_whiten_wants_matrices_that_belong_together(change, says):
    given = {"mean": np.zeros(2), "factor": np.eye(2), "inverse": np.eye(2)} | change
    with pytest.raises(ValueError, match=says):
        Whiten(**given)
