"""Models of many noise levels: exact distributions, Tweedie, annealed chains, shares of modes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from agreement import agrees

from energax import learner, train
from energax.energy import GaussianMixture, NoisyEnergy, NoisyScore, denoise, draws, score
from energax.network import NoisyMLP
from energax.objective import MultiLevelDenoising
from energax.sampler import Langevin, anneal, chains, geometric_levels

SHARE, STD = 0.8, 0.5


def distribution(shape, share=SHARE, std=STD):
    """Two modes 10 apart on the first axis."""
    dim = int(np.prod(shape))
    far = np.zeros((2, dim))
    far[:, 0] = -5, 5
    factors = np.stack([std * np.eye(dim)] * 2)
    return GaussianMixture(np.log([share, 1 - share]), far.reshape(2, *shape), factors)


def energy(shape):
    """The exact energy at every level: the mixture with its own width and the noise together."""
    base = distribution(shape)

    def network(x, noise):
        spread = jnp.sqrt(STD**2 + noise**2).astype(x.dtype)
        far = jnp.sum((x[None] - base.means.astype(x.dtype)) ** 2, axis=range(1, x.ndim + 1))
        weights = base.log_weights.astype(x.dtype)
        return -jax.nn.logsumexp(weights - far / (2 * spread**2)) + x.size * jnp.log(spread)

    return NoisyEnergy(network, shape)


def shares(x):
    """Which of the chains ended in the first mode."""
    return np.asarray(x).reshape(len(x), -1)[:, 0] < 0


LEVELS = geometric_levels(16.0, 0.2, 14)
COUNT = 2000


@pytest.mark.parametrize(
    ("kind", "shape", "precision"),
    [
        ("energy", (2,), "float64"),
        ("energy", (1, 2, 2), "float32"),
        ("score", (2,), "float32"),
        ("score", (1, 2, 2), "float64"),
    ],
    indirect=["precision"],
)
def test_annealed_chains_find_the_shares_of_far_modes(kind, shape, precision, key):
    model = energy(shape)
    if kind == "score":
        model = NoisyScore(model.score, shape)
    first, then = jax.random.split(key)
    starts = LEVELS[0] * jax.random.normal(first, (COUNT, *shape))
    x = anneal(model, LEVELS, starts, 30, 0.01, key=then)
    assert x.dtype == precision
    assert agrees(shares(x), SHARE, 0.01)
    wide = np.abs(np.asarray(x).reshape(COUNT, -1)[:, 0]) - 5
    assert agrees(wide**2, STD**2 + LEVELS[-1] ** 2, 0.03)


def test_one_fine_level_does_not(key):
    """Negative control: the same start and as many steps, all at the lowest level."""
    model = energy((2,)).at(LEVELS[-1])
    first, then = jax.random.split(key)
    starts = LEVELS[0] * jax.random.normal(first, (COUNT, 2))
    x = chains(Langevin(0.01), model, starts, 30 * len(LEVELS), key=then)[0].x
    assert not agrees(shares(x), SHARE, 0.01)


def test_scores_are_blind_to_shares_where_modes_are_far_and_see_them_where_noise_is_broad():
    """A10: shares 0.8 and 0.5 have one score near the modes, and different ones between them."""
    at = np.array([[-5.3, 0.1], [4.6, -0.2]])

    @eqx.filter_jit
    def scores(mixture):
        return jax.vmap(lambda x: score(mixture, x))(at)

    def difference(std):
        one, other = (scores(distribution((2,), share, std)) for share in (SHARE, 0.5))
        return np.abs(np.asarray(one) - np.asarray(other)).max()

    assert difference(STD) < 1e-6
    assert difference(6 * STD) > 0.01


def test_denoised_is_the_mean_of_the_clean_row():
    """Tweedie, against the posterior mean of a Gaussian: variance v, noise s."""
    v, s = 1.7, 0.6
    model = NoisyEnergy(lambda x, noise: jnp.sum(x**2) / (2 * (v + noise**2)), (3,))
    x = np.array([0.3, -1.0, 2.0])
    found = eqx.filter_jit(denoise)(model, jnp.asarray(x), jnp.asarray(s))
    np.testing.assert_allclose(found, x * v / (v + s**2))


@pytest.mark.parametrize("kind", ["scalar", "field"])
def test_a_network_of_all_levels_learns_the_score(kind, key):
    """Fisher divergence to the exact noisy score, at every level, below a tenth of the start."""
    build, begin, rows, check = jax.random.split(key, 4)
    exact, levels = energy((2,)), geometric_levels(4.0, 0.4, 6)
    data = draws(distribution((2,)), 4096, key=rows)
    net = eqx.filter_jit(NoisyMLP)((2,), 64, kind=kind, key=build)
    model = (NoisyEnergy if kind == "scalar" else NoisyScore)(net, (2,))
    descent = learner.Descent(MultiLevelDenoising(levels), optax.adam(5e-3))

    @eqx.filter_jit
    def error(model, data):
        def one(x, z, s):
            gap = model.score(x + s * z, s) - exact.score(x + s * z, s)
            return s**2 * jnp.sum(gap**2)

        z = jax.random.normal(check, (512, 2))
        over = jax.vmap(jax.vmap(one, (0, 0, None)), (None, None, 0))
        return over(data, z, jnp.asarray(levels)).mean()

    run = train.start(descent, model, data, key=begin, batch_size=256)
    run, _ = next(train.fit(descent, run, data, batch_size=256, chunk_steps=600))
    assert error(descent.energy(run.state), data[:512]) < 0.1 * error(model, data[:512])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: geometric_levels(0.1, 1.0, 5), "from `sigma_max` down to `sigma_min`"),
        (lambda: geometric_levels(1.0, 0.1, 1), "at least 2"),
        (lambda: MultiLevelDenoising([]), "`noises` must be a list of numbers above 0"),
        (lambda: MultiLevelDenoising([0.1, -1.0]), "above 0"),
        (lambda: MultiLevelDenoising([0.5, 1.0], variance_preserving=True), "below 1 to preserve"),
        (lambda: NoisyMLP((2,), 0, key=jax.random.key(0)), "at least 1; got 0"),
    ],
)
def test_bad_levels_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
