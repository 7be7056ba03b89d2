"""Tables: default training beside a mixture, a kernel density and a flow chosen on held-out rows.

uv run python benchmarks/tables.py                       # every table, five splits
uv run python benchmarks/tables.py --table wine --splits 2
ENERGAX_DATA=FOLDER uv run python benchmarks/tables.py   # with the tables of ADBench in FOLDER too

Mean log-likelihood of test rows, nats, in units of the training rows' standard deviations. A split
keeps one row in five for the test; nothing looks at these rows before they are scored.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

import energax as ex

MIXTURES = {
    "n_components": (1, 2, 3, 5, 8, 12, 20, 30),
    "covariance_type": ("full", "tied", "diag"),
    "reg_covar": (1e-4, 1e-3, 1e-2, 1e-1),
}
WIDTHS = {"bandwidth": np.geomspace(0.05, 2.0, 16)}


def make_copula(size: int = 10_000, dim: int = 10) -> np.ndarray:
    """Normal marginals whose dependence is that of a Student t of 3 degrees of freedom."""
    rng = np.random.default_rng(7)
    root = rng.normal(size=(dim, dim))
    spread = root @ root.T + 0.3 * np.eye(dim)
    spread /= np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    normal = rng.multivariate_normal(np.zeros(dim), spread, size=size)
    heavy = normal / np.sqrt(rng.chisquare(3, size=(size, 1)) / 3)
    return stats.norm.ppf(np.clip(stats.t.cdf(heavy, 3), 1e-9, 1 - 1e-9))


def make_bimodal(size: int = 8000) -> np.ndarray:
    """Four columns: two normal ones, one of two modes, one that bends."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(size, 4))
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    x[:, 2] = np.where(rng.random(size) < 0.4, -2, 1.5) + 0.4 * x[:, 2] + 0.3 * x[:, 0]
    x[:, 3] = np.sin(2 * x[:, 0]) + 0.5 * x[:, 3]
    return x


def read_adbench(name: str) -> np.ndarray:
    """A table of ADBench, of the folder that ENERGAX_DATA names."""
    path = Path(os.environ["ENERGAX_DATA"]) / "adbench" / f"{name}.npz"
    with np.load(path, allow_pickle=False) as found:
        return found["X"]


TABLES: dict[str, Callable[[], np.ndarray]] = {
    "breast cancer": lambda: datasets.load_breast_cancer().data,
    "wine": lambda: datasets.load_wine().data,
    "diabetes": lambda: np.delete(datasets.load_diabetes().data, 1, axis=1),
    "digits, 10 components": lambda: PCA(10, random_state=0).fit_transform(
        datasets.load_digits().data
    ),
    "swiss roll": lambda: datasets.make_swiss_roll(3000, noise=0.3, random_state=0)[0],
    "t copula": make_copula,
    "four columns, one bimodal": make_bimodal,
}
ADBENCH = {name: lambda name=name: read_adbench(name) for name in ("vowels", "waveform")}


def split(rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, in units of the training rows."""
    order = np.random.default_rng(seed).permutation(len(rows))
    test, train = np.split(rows[order], [len(rows) // 5])
    mean, std = train.mean(axis=0), train.std(axis=0)
    return ((train - mean) / std).astype(np.float32), ((test - mean) / std).astype(np.float32)


def fit_best(estimator: object, grid: dict, train: np.ndarray, test: np.ndarray) -> float:
    """The test log-likelihood of an estimator of scikit-learn, chosen by five folds of `train`."""
    search = GridSearchCV(estimator, grid, cv=5, error_score=-np.inf)
    return float(search.fit(train.astype(float)).best_estimator_.score_samples(test).mean())


def fit_flow(train: np.ndarray, test: np.ndarray) -> float:
    """That of a flow of FlowJAX, its weights chosen on a tenth of `train`."""
    flow = ex.energy.fit_flow(train)
    score = jax.jit(jax.vmap(lambda x: ex.energy.log_density(flow, x)))
    return float(score(jnp.asarray(test)).mean())


def fit_ours(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[float, float, str, float]:
    """Default training: test log-likelihood of base and model, what its log Z is, and seconds."""
    began = time.perf_counter()
    model = ex.fit(train, seed=seed)
    seconds = time.perf_counter() - began
    record = ex.measure(model, test, train=train, compare=False).record
    found, base = record["test_log_likelihood"], next(iter(record["baselines"].values()))["value"]
    if found["certified"]:
        return base, found["value"], "certified", seconds
    return base, np.nan, "refused", seconds


def run(name: str, make: Callable[[], np.ndarray], splits: int) -> None:
    """Every split of a table: a line for each, and the line of the table."""
    lines = []
    for seed in range(splits):
        train, test = split(make(), seed)
        mixture = fit_best(GaussianMixture(random_state=0), MIXTURES, train, test)
        kernel = fit_best(KernelDensity(), WIDTHS, train, test)
        base, ours, verdict, seconds = fit_ours(train, test, seed)
        lines.append((ours, base, mixture, kernel, fit_flow(train, test), seconds))
        print(name, seed, verdict, *(f"{value:.3f}" for value in lines[-1]), flush=True)
    found = np.array(lines)
    sure = int(np.isfinite(found[:, 0]).sum())
    gain = found[:, 0] - found[:, 2]
    cells = [f"{np.nanmean(f):.3f} ± {np.nanstd(f):.3f}" for f in (*found.T[:5], gain)]
    rows = f"{len(train)} x {train.shape[1]}"
    print("|", " | ".join([name, rows, *cells, f"{sure} of {splits}"]), "|", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="append", help="else all")
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    every = TABLES | (ADBENCH if "ENERGAX_DATA" in os.environ else {})
    heads = ["table", "rows", "ours", "its base", "mixture", "kernel density", "flow"]
    print("|", " | ".join([*heads, "ours - mixture", "certified"]), "|")
    print("|", " | ".join(["---"] * (len(heads) + 2)), "|")
    for name in options.table or every:
        run(name, every[name], options.splits)


if __name__ == "__main__":
    main()
