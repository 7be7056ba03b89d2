"""A classifier as an energy, on the digits: what learning p(x) beside p(y | x) gives and costs.

uv run python benchmarks/classifier.py [SEED ...]
"""

import sys
import time

import equinox as eqx
import jax
import numpy as np
import optax
from sklearn.metrics import log_loss

import energax as ex
from energax.recipe import build, folder, score
from energax.recipe.defaults import resolved
from energax.recipe.lens import UnmapPixels

LABELS, BINS = 10, 15
ROWS = ex.data.digits()
OBJECTIVES = {  # what is learned -> the loss, given the one that teaches p(x)
    "p(y given x) alone": lambda rows: ex.objective.CrossEntropy(),
    "both": ex.objective.JointLikelihood,
    "p(x) alone": lambda rows: ex.objective.JointLikelihood(rows, 1e-9),
}


def calibration_error(odds: np.ndarray, labels: np.ndarray) -> float:
    """Mean gap of confidence and accuracy over bins of confidence (Guo et al. 2017, eq. 3)."""
    sure, right = odds.max(axis=1), odds.argmax(axis=1) == labels
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - sure, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def trained(words: str, seed: int) -> tuple[folder.Model, float]:
    """A model of the digits after the default number of updates, and the seconds they took."""
    settings = resolved({"seed": seed}, ROWS)
    transform = build.transform(settings, ROWS)
    distribution = build.base_distribution(settings, ROWS, transform)
    begin, init = jax.random.split(jax.random.key(seed))
    net = ex.network.MLP(ROWS.shape, settings.width, settings.depth, out=LABELS, key=init)
    seen = ex.network.InputTransform(ex.energy.NonTrainable(UnmapPixels(transform.steps[1])), net)
    energy = ex.energy.Tilt(distribution, ex.energy.Classifier(seen, ROWS.shape, LABELS))
    noise = ex.objective.NoiseContrastiveEstimation(distribution, settings.noise_ratio)
    objective, rows = OBJECTIVES[words](noise), ROWS.labelled[0]
    rate = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    adam = optax.adamw(rate, weight_decay=settings.weight_decay)
    clipped = optax.chain(optax.clip_by_global_norm(settings.clip), adam)
    learner = ex.learner.Descent(objective, clipped, settings.decay)
    loop = {"batch_size": settings.batch_size, "transform": transform}
    run = ex.train.start(learner, energy, rows, key=begin, **loop)
    began = time.perf_counter()
    run, _ = next(ex.train.fit(learner, run, rows, chunk_steps=settings.steps, **loop))
    jax.block_until_ready(run.state)
    seconds = time.perf_counter() - began
    return folder.Model(
        learner.energy(run.state), distribution, transform, settings, ROWS.levels
    ), seconds


def odds(model: folder.Model, rows: np.ndarray) -> np.ndarray:
    """p(y | x) of each row, averaged over fixed dequantisations."""
    log_odds = ex.energy.find_classifier(model.raw).log_odds
    told = eqx.filter_jit(jax.vmap(lambda x: jax.numpy.exp(log_odds(x))))
    keys = [jax.random.fold_in(jax.random.key(0), copy) for copy in range(16)]
    return np.mean([told(build.encoded(model.transform, rows, key=key)[0]) for key in keys], axis=0)


def row(words: str, seed: int) -> str:
    """One line: accuracy, calibration and likelihood on the test rows."""
    model, seconds = trained(words, seed)
    found, labels = np.asarray(odds(model, ROWS.test), np.float64), ROWS.labelled[1].label
    labels = np.asarray(labels)
    right = np.mean(found.argmax(axis=1) == labels)
    cost = log_loss(labels, found / found.sum(axis=1, keepdims=True))
    began = time.perf_counter()
    log_z = ex.evaluate.annealed_log_z(model.energy, model.distribution, key=jax.random.key(seed))
    told = ex.evaluate.log_likelihood(*score.scored(model, model.energy, ROWS.test), log_z)
    nats = f"{told.value:.2f} | {told.lower:.2f} to {told.upper:.2f}"
    if not told.certified:
        nats = f"not certified | {told.why}"
    return (
        f"| {words} | {seed} | {right:.1%} | {cost:.3f} | {calibration_error(found, labels):.3f} | "
        f"{nats} | {seconds:.0f} + {time.perf_counter() - began:.0f} |"
    )


def main() -> None:
    seeds = [int(word) for word in sys.argv[1:]] or [0, 1, 2]
    heads = (
        "learned",
        "seed",
        "accuracy",
        "cross-entropy",
        "calibration error",
        "nats per image",
        "95% interval",
        "seconds",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for words in OBJECTIVES:
        for seed in seeds:
            print(row(words, seed), flush=True)


if __name__ == "__main__":
    main()
