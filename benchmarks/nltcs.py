"""The exact likelihood of nltcs: a table of methods and energies, and the best of them on 3 seeds.

    ENERGAX_DATA=... uv run python benchmarks/nltcs.py [--table] [--seeds 3]

16 bits have 2^16 rows, so every likelihood is exact. `--table` trains six methods on two or three
energies each, at the options that the command line would choose. Without it a perceptron
16-64-64-1, which tilts independent sites, is trained on the exact likelihood, the running average
of its weights looked at every 50 updates on the validation rows, and the best look kept; three
such energies with other seeds are then averaged in probability, and so are all. Nothing is chosen
on test rows. CPU seconds include compilation.
"""

import argparse
import time
import warnings

import equinox as eqx
import jax
import numpy as np

import energax as ex

TABLE = (
    ("exact", "mlp", {"base": "sites"}),
    ("exact", "rbm", {"width": 32}),
    ("exact", "pairs", {}),
    ("pcd", "rbm", {"width": 32, "base": "sites"}),
    ("pcd", "mlp", {"base": "mixture"}),
    ("ladder", "rbm", {"width": 32, "base": "sites"}),
    ("nce", "mlp", {"base": "mixture"}),
    ("pseudo-likelihood", "pairs", {}),
    ("pseudo-likelihood", "rbm", {"width": 32}),
    ("discrepancy", "mlp", {"base": "mixture"}),
)
"""Method, energy, options beside the usual ones."""

BEST = {
    "method": "exact",
    "network": "mlp",
    "base": "sites",
    "width": 64,
    "depth": 2,
    "learning_rate": 3e-3,
    "weight_decay": 0.1,
    "batch_size": 2048,
    "steps": 1500,
    "ema_decay": 0.99,
    "validation_every": 50,
}


@eqx.filter_jit
def evaluate(energy, points):
    """Energies of rows."""
    return jax.lax.map(energy, points, batch_size=2**12)


def find_log_p(energy):
    """log p of all rows, in their order, in float64."""
    values = -np.asarray(evaluate(energy, energy.space.enumerate()), np.float64)
    top = values.max()
    return values - top - np.log(np.exp(values - top).sum())


def number(rows):
    """The place of each row among all."""
    return rows.astype(int) @ (2 ** np.arange(15, -1, -1))


def score(log_p, rows):
    """Mean log-likelihood of validation and test rows, and the error of the latter."""
    valid, test = (log_p[number(part)] for part in (rows.valid, rows.test))
    return valid.mean(), test.mean(), test.std() / len(test) ** 0.5


def fit(rows, options, seed):
    """log p of all rows by a trained energy, and CPU seconds."""
    start = time.process_time()
    model = ex.fit(rows, seed=seed, **options)
    log_p = find_log_p(model.energy)
    return log_p, time.process_time() - start


def print_table(rows):
    """Methods and energies, one seed each."""
    print("| method | energy | validation | test | CPU s |\n| --- | --- | --- | --- | --- |")
    for method, network, others in TABLE:
        log_p, seconds = fit(rows, {"method": method, "network": network} | others, 0)
        valid, test, _ = score(log_p, rows)
        print(f"| {method} | {network} | {valid:.3f} | {test:.3f} | {seconds:.0f} |", flush=True)


def print_best(rows, seeds, options):
    """Single energies, and averages of three in probability."""
    print("| energy | validation | test | CPU s |\n| --- | --- | --- | --- |")
    found = []
    for seed in range(3 * seeds):
        log_p, seconds = fit(rows, options, seed)
        found.append(log_p)
        valid, test, error = score(log_p, rows)
        line = f"{valid:.4f} | {test:.4f} ± {error:.3f} | {seconds:.0f}"
        print(f"| seed {seed} | {line} |", flush=True)
        if seed % 3 == 2:
            mean = np.logaddexp.reduce(found[-3:]) - np.log(3)
            valid, test, _ = score(mean, rows)
            print(f"| seeds {seed - 2} to {seed} | {valid:.4f} | {test:.4f} | |", flush=True)


def main():
    """Print what is asked for."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--seeds", type=int, default=3, help="averages of three energies")
    parser.add_argument("--weight-decay", type=float, default=BEST["weight_decay"])
    parser.add_argument("--width", type=int, default=BEST["width"])
    parser.add_argument("--steps", type=int, default=BEST["steps"])
    asked = parser.parse_args()
    rows = ex.data.load("nltcs")
    if asked.table:
        print_table(rows)
        return
    chosen = {"weight_decay": asked.weight_decay, "width": asked.width, "steps": asked.steps}
    print_best(rows, asked.seeds, BEST | chosen)


if __name__ == "__main__":
    main()
