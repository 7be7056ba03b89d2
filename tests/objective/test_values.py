"""Values of the losses against enumeration and closed forms; memory, penalty and bad settings."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from agreement import agrees
from cases import SHAPES, Bowl, Place, rows_of
from mean_gradients import NOISE, RATIO
from methods import METHODS
from scipy.spatial import cKDTree

from energax.energy import Gaussian, Normalised, draws
from energax.objective import (
    ConditionalNoiseContrastiveEstimation,
    ContrastiveDivergence,
    DenoisingScoreMatching,
    EnergyDiscrepancy,
    FiniteDifferenceScoreMatching,
    ImplicitScoreMatching,
    ImprovedContrastiveDivergence,
    KernelStein,
    MinimumProbabilityFlow,
    MinimumVelocity,
    NoiseContrastiveEstimation,
    PersistentContrastiveDivergence,
    RankingNoiseContrastiveEstimation,
    RecoveryLikelihood,
    ShortRun,
    SlicedScoreMatching,
)
from energax.objective.likelihood import nearest_distance
from energax.sampler import Langevin

SEEDS, BATCH = 2000, 16


TILTED = np.array([[2.0, 0.7], [0.7, 1.0]])


def tilted(x):
    """x' H x / 2 with a Hessian that is not diagonal."""
    return x @ jnp.asarray(TILTED, x.dtype) @ x / 2


@pytest.mark.parametrize("variance_reduced", [True, False])
def test_sliced_loss_takes_exactly_the_values_of_all_sign_vectors(variance_reduced, key):
    """Enumeration: v in {-1, 1}^2. The mean over v is implicit score matching (A4, A8)."""
    x = np.array([0.6, -1.1])
    slope = TILTED @ x
    values = set()
    for v in itertools.product([-1, 1], repeat=2):
        first = slope @ slope if variance_reduced else (np.array(v) @ slope) ** 2
        values.add(round(float(first / 2 - np.array(v) @ TILTED @ v), 9))
    objective = SlicedScoreMatching(variance_reduced=variance_reduced)

    def loss(key):
        return objective(tilted, jnp.asarray(x)[None], None, key=key)[0]

    found = np.asarray(jax.jit(jax.vmap(loss))(jax.random.split(key, 64)))
    assert {round(float(value), 9) for value in found} == values
    assert np.mean(list(values)) == pytest.approx(slope @ slope / 2 - np.trace(TILTED))


DATA_VARIANCE, MODEL_VARIANCE, WIDE = 1.7, 0.8, 1.7 + NOISE**2
IMPLICIT = DATA_VARIANCE / MODEL_VARIANCE**2 / 2 - 1 / MODEL_VARIANCE
VALUES = {  # value of the loss for N(0, 1.7) against N(0, 0.8): A4, A7, A11, A14
    "sm": (ImplicitScoreMatching(), IMPLICIT),
    "ssm": (SlicedScoreMatching(), IMPLICIT),
    "ssm-finite": (FiniteDifferenceScoreMatching(0.2), IMPLICIT),
    "velocity": (MinimumVelocity(), 2 * IMPLICIT),
    "dsm": (
        DenoisingScoreMatching(NOISE),
        1 / (2 * NOISE**2) + WIDE / MODEL_VARIANCE**2 / 2 - 1 / MODEL_VARIANCE,
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_value_of_the_loss_is_the_divergence_up_to_its_constant(name, key):
    objective, value = VALUES[name]
    at = Place(*(np.full(1, v) for v in (0.0, DATA_VARIANCE, 0.0, 1 / MODEL_VARIANCE)))

    def loss(rows, key):
        return objective(at.model, rows, None, key=key)[0]

    values = jax.jit(jax.vmap(loss))(rows_of(at, (SEEDS, BATCH)), jax.random.split(key, SEEDS))
    assert agrees(values, value)
    assert not agrees(values, value + 0.1)


@eqx.filter_jit
def from_itself(objective, key):
    """The loss for draws of a distribution, with that very distribution as the model."""
    distribution = objective.noise
    model, rows = Normalised(distribution, distribution.log_z()), draws(distribution, 4, key=key)
    return objective(model, rows, None, key=key)[0]


@pytest.mark.parametrize("ratio", [1, RATIO])
def test_other_contrasts_of_a_distribution_with_itself(ratio, key):
    """u = 1 / r everywhere; and of r + 1 rows that look alike each is picked as often."""
    distribution = Gaussian(jnp.ones(2), 2.0)
    values = [
        (NoiseContrastiveEstimation(distribution, ratio, "kl"), (np.log(ratio) + 1) / (1 + ratio)),
        (
            NoiseContrastiveEstimation(distribution, ratio, "squared"),
            -1 / (2 * ratio * (1 + ratio)),
        ),
        (RankingNoiseContrastiveEstimation(distribution, ratio), np.log(1 + ratio)),
    ]
    for objective, value in values:
        assert float(from_itself(objective, key)) == pytest.approx(value)


def test_nearest_distance_is_that_of_a_search_tree():
    points = np.random.default_rng(0).normal(size=(40, 1, 3, 2))
    flat = points.reshape(40, -1)
    expected = cKDTree(flat).query(flat, 2)[0][:, 1]
    np.testing.assert_allclose(nearest_distance(jnp.asarray(points)), expected)


def test_entropy_of_the_chains_is_taken_off_the_loss(key):
    energy, rows = Bowl(np.zeros(2), np.ones(2)), np.random.default_rng(0).normal(size=(8, 2))

    def run(entropy):
        objective = ImprovedContrastiveDivergence(Langevin(0.1), 3, entropy_weight=entropy)
        loss, aux = eqx.filter_jit(objective)(energy, jnp.asarray(rows), None, key=key)
        return float(loss), float(aux.metrics["log_nearest"])

    (none, spread), (some, _) = run(0.0), run(2.0)
    assert some == pytest.approx(none - 2 * 2 * spread)


@pytest.mark.parametrize("ratio", [1, RATIO])
def test_telling_a_distribution_from_itself_costs_the_bayes_value(ratio, key):
    """A11: every posterior is 1 / (1 + r), so the loss is the entropy of that coin."""
    distribution, share = Gaussian(jnp.ones(2), 2.0), 1 / (1 + ratio)
    objective = NoiseContrastiveEstimation(distribution, ratio)
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert float(from_itself(objective, key)) == pytest.approx(entropy)


def test_penalty_is_the_spread_of_both_energies_and_blind_to_a_constant(key):
    """Noise-free chains, so that where they end is known."""
    h, k, penalty = 0.2, 1.3, 0.01
    bowl, rows = Bowl(np.zeros(2), np.full(2, k)), np.random.default_rng(0).normal(size=(8, 2))

    def loss(penalty, constant):
        objective = ContrastiveDivergence(Langevin(h, noise=0.0), steps=3, penalty=penalty)
        energy = Normalised(bowl, jnp.asarray(constant))
        return float(eqx.filter_jit(objective)(energy, jnp.asarray(rows), None, key=key)[0])

    plain, extra = loss(0.0, 0.0), loss(penalty, 0.0)
    up, down = (k * np.sum(x**2, axis=1) / 2 for x in (rows, (1 - h * k) ** 3 * rows))
    assert plain == pytest.approx(up.mean() - down.mean())
    middle = (up.mean() + down.mean()) / 2
    spread = np.mean((up - middle) ** 2 + (down - middle) ** 2)
    assert extra - plain == pytest.approx(penalty * spread)
    assert loss(penalty, 100.0) == pytest.approx(extra)


def test_persistent_chains_go_on_from_where_they_stopped(key):
    """A buffer as large as the batch, nothing fresh, no noise: n calls shrink it as n walks do."""
    h, k, distribution = 0.1, 1.5, Gaussian(jnp.zeros(2), 1.0)
    energy, rows = Bowl(np.zeros(2), np.full(2, k)), jnp.zeros((6, 2))
    objective = PersistentContrastiveDivergence(
        Langevin(h, noise=0.0), distribution, steps=2, size=6, reinit_probability=0.0
    )
    memory = first = eqx.filter_jit(objective.init)(energy, rows, key=key)
    call = eqx.filter_jit(lambda memory, key: objective(energy, rows, memory, key=key)[1])
    for now in jax.random.split(key, 3):
        aux = call(memory, now)
        memory = aux.memory
    assert np.allclose(memory.x, (1 - h * k) ** 6 * first.x)
    assert np.array_equal(memory.age, np.full(6, 3))
    assert float(aux.metrics["age"]) == 2.0


def test_a_buffer_that_is_not_written_back_is_seen(key, monkeypatch):
    """Negative control of the test above."""
    monkeypatch.setattr(
        "energax.sampler.buffer.Buffer.update", lambda buffer, slots, x, age: buffer
    )
    with pytest.raises(AssertionError):
        test_persistent_chains_go_on_from_where_they_stopped(key)


@pytest.mark.parametrize("name", METHODS)
def test_a_plain_function_is_an_energy_and_precision_is_kept(name, precision):
    """Traced only; the memory that comes back has the form of the one that went in."""
    at = METHODS[name].at(SHAPES["image"])
    objective, rows = METHODS[name].make(at), jnp.zeros((4, *SHAPES["image"]))

    def energy(x):
        return jnp.sum(x**2)

    def call(rows, key):
        memory = objective.init(energy, rows, key=key)
        return memory, *objective(energy, rows, memory, key=key)

    memory, loss, aux = eqx.filter_eval_shape(call, rows, jax.random.key(0))
    assert loss.dtype == precision
    assert {(m.shape, str(m.dtype)) for m in aux.metrics.values()} == {((), precision)}
    assert jax.tree.map(lambda a: (a.shape, a.dtype), aux.memory) == jax.tree.map(
        lambda a: (a.shape, a.dtype), memory
    )


DISTRIBUTION = Gaussian(jnp.zeros(2), 1.0)
WALK = Langevin(0.1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: ContrastiveDivergence(WALK, steps=0), "`steps` must be at least 1; got 0"),
        (lambda: ContrastiveDivergence(WALK, penalty=-1.0), "`penalty` must be at least 0"),
        (lambda: ShortRun(WALK, DISTRIBUTION, steps=-3), "`steps` must be at least 1; got -3"),
        (
            lambda: PersistentContrastiveDivergence(WALK, DISTRIBUTION, reinit_probability=1.5),
            r"lie in \[0, 1\]",
        ),
        (
            lambda: PersistentContrastiveDivergence(WALK, DISTRIBUTION, size=0),
            "`size` must be at least 1",
        ),
        (lambda: DenoisingScoreMatching(0.0), "`noise` must be above 0; got 0.0"),
        (lambda: DenoisingScoreMatching(float("nan")), "`noise` must be above 0; got nan"),
        (lambda: SlicedScoreMatching(0), "`projections` must be at least 1; got 0"),
        (lambda: NoiseContrastiveEstimation(DISTRIBUTION, 0), "`ratio` must be at least 1; got 0"),
        (lambda: RankingNoiseContrastiveEstimation(DISTRIBUTION, 0), "`ratio` must be at least 1"),
        (lambda: ConditionalNoiseContrastiveEstimation(-0.1), "`noise` must be above 0; got -0.1"),
        (lambda: MinimumProbabilityFlow(0.1, 0), "`ratio` must be at least 1; got 0"),
        (lambda: MinimumVelocity(-1.0), "`mobility` must be above 0 everywhere; got -1.0"),
        (lambda: EnergyDiscrepancy(0.1, 0), "`copies` must be at least 1; got 0"),
        (lambda: EnergyDiscrepancy(0.1, 1, -1.0), "`stabiliser` must be at least 0; got -1.0"),
        (lambda: RecoveryLikelihood(WALK, 0.0), "`noise` must be above 0; got 0.0"),
        (lambda: RecoveryLikelihood(WALK, 0.1, 0), "`steps` must be at least 1; got 0"),
        (
            lambda: ImprovedContrastiveDivergence(WALK, entropy_weight=-1.0),
            "`entropy_weight` must be at least 0",
        ),
        (lambda: FiniteDifferenceScoreMatching(0.0), "`step` must be above 0; got 0.0"),
        (lambda: KernelStein(bandwidth=0.0), "`bandwidth` must be above 0; got 0.0"),
        (
            lambda: KernelStein()(DISTRIBUTION, jnp.zeros((1, 2)), None, key=jax.random.key(0)),
            "at least 2 rows; got 1",
        ),
        (
            lambda: PersistentContrastiveDivergence(WALK, DISTRIBUTION, size=3).init(
                DISTRIBUTION, jnp.zeros((4, 2)), key=jax.random.key(0)
            ),
            "`size` must be at least the batch size, 4; got 3",
        ),
    ],
)
def test_bad_settings_are_named(build, words):
    with pytest.raises(ValueError, match=words):
        build()
