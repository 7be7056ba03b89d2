"""A classifier as an energy, on the digits: what learning p(x) beside p(y | x) gives and costs.

uv run python benchmarks/classifier.py [SEED ...]
"""

import sys
import time

import equinox as eqx
import jax
import numpy as np
from sklearn.metrics import log_loss

import energax as ex
from energax import options
from energax.model import fitting

BINS = 15
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


def train(name: str, seed: int) -> tuple[ex.Model, float]:
    """A model of the digits after the preset's number of updates, and the seconds they took."""
    joint = ex.method.METHODS["joint"].preset_for(ROWS)
    method = options.replace(joint, seed=seed)
    method, ground = fitting.prepare(method, ROWS)
    energy, _ = method.build(ground, key=jax.random.split(jax.random.key(seed))[1])
    noise = method.contrast.make(ground)
    moves = ex.method.build.make_optimiser(method.optimiser, method.training, len(ROWS.train))
    learner = ex.learner.Descent(OBJECTIVES[name](noise), moves, method.training.ema_decay)
    loop = {"batch_size": method.training.batch_size, "transform": ground.transform}
    rows = method.training_rows(ROWS)
    run = ex.train.start(learner, energy, rows, key=jax.random.key(seed), **loop)
    began = time.perf_counter()
    run, _ = next(ex.train.fit(learner, run, rows, chunk_steps=method.training.steps, **loop))
    jax.block_until_ready(run.state)
    seconds = time.perf_counter() - began
    return fitting.finish(method, ground, ROWS, learner, run.state), seconds


def predict(model: ex.Model, rows: np.ndarray) -> np.ndarray:
    """p(y | x) of each row, averaged over fixed dequantisations."""
    log_odds = ex.energy.find_classifier(model.raw).log_odds
    odds = eqx.filter_jit(jax.vmap(lambda x: jax.numpy.exp(log_odds(x))))
    keys = [jax.random.fold_in(jax.random.key(0), copy) for copy in range(16)]
    encode = ex.method.build.encode
    return np.mean([odds(encode(model.transform, rows, key=key)[0]) for key in keys], axis=0)


def row(name: str, seed: int) -> str:
    """One line: accuracy, calibration and likelihood on the test rows."""
    model, seconds = train(name, seed)
    found = np.asarray(predict(model, ROWS.test), np.float64)
    labels = np.asarray(ROWS.labelled[1].label)
    right = np.mean(found.argmax(axis=1) == labels)
    cost = log_loss(labels, found / found.sum(axis=1, keepdims=True))
    began = time.perf_counter()
    likelihood = ex.measure(model, ROWS, seed=seed).record["test_log_likelihood"]
    nats = f"{likelihood['value']:.2f} | {likelihood['lower']:.2f} to {likelihood['upper']:.2f}"
    if not likelihood["certified"]:
        nats = f"not certified | {likelihood['why']}"
    return (
        f"| {name} | {seed} | {right:.1%} | {cost:.3f} | {calibration_error(found, labels):.3f} | "
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
    for name in OBJECTIVES:
        for seed in seeds:
            print(row(name, seed), flush=True)


if __name__ == "__main__":
    main()
