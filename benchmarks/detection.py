"""One-class detection on the tables of ADBench, one setting for all, beside scikit-learn.

    uv run python benchmarks/detection.py [--seeds 1] [--only wilt vowels]

Reads the .npz files of `adbench/` in the folder that ENERGAX_DATA names. The protocol is that of
the DTE paper (Livernoche et al. 2024): of the usual rows in the order of the file the first half
trains; the others and all anomalies are the test. Columns are standardised by the training rows for
scikit-learn; ours takes them as they are. AUROC in percent, and CPU seconds of ours.

The settings of `EnergyEnsemble` were chosen on other tables (classes of scikit-learn's digits,
wine, iris and breast cancer, of penguins, adult, heart disease and credit approval), and by
made-up anomalies among the usual training rows; no anomaly of these tables was looked at.

The last columns: share of the usual test rows with a p-value up to 0.01, 0.05 and 0.1, and whether
that may be chance: one calibration set has luck of its own, so the count is beta-binomial; `!`
marks a table beyond the 99.9% interval.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from scipy.stats import betabinom
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from energax.sklearn import EnergyEnsemble, EnergyOutlierDetector

LEVELS = (0.01, 0.05, 0.1)


def read_table(path):
    """Usual rows to train on, usual rows to test on, anomalies."""
    with np.load(path) as file:
        rows, labels = file["X"], file["y"]
    usual = rows[labels == 0]
    half = round(0.5 * len(usual))
    return usual[:half], usual[half:], rows[labels == 1]


def measure(score, usual, odd):
    """The AUROC of scores, of which low ones are unusual, in percent."""
    truth = np.r_[np.zeros(len(usual)), np.ones(len(odd))]
    return 100 * roc_auc_score(truth, -np.r_[score(usual), score(odd)])


def fit_neighbours(train):
    """The distance to the fifth neighbour."""
    scaler = StandardScaler().fit(train)
    found = NearestNeighbors(n_neighbors=5).fit(scaler.transform(train))
    return lambda rows: -found.kneighbors(scaler.transform(rows))[0][:, -1]


def fit_mixture(train):
    """Ten full Gaussians."""
    scaler = StandardScaler().fit(train)
    found = GaussianMixture(10, reg_covar=1e-3, random_state=0).fit(scaler.transform(train))
    return lambda rows: found.score_samples(scaler.transform(rows))


def find_alarms(train, usual, seed):
    """The share of usual rows up to each level, and whether chance can explain it."""
    detector = EnergyOutlierDetector(random_state=seed).fit(train)
    p_values, held = detector.p_values(usual), len(detector.calibration_scores_)
    shares, marks = [], []
    for level in LEVELS:
        place, count = int(level * (held + 1)), int(np.sum(p_values <= level))
        chance = betabinom(len(usual), max(place, 1), held + 1 - max(place, 1))
        tail = min(chance.cdf(count), chance.sf(count - 1)) if place else float(count == 0)
        shares.append(count / len(usual))
        marks.append("!" if tail < 0.0005 else "")
    return shares, marks


def main():
    """Print a line for each table, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=None)
    chosen = parser.parse_args()
    folder = Path(os.environ.get("ENERGAX_DATA", "")) / "adbench"
    files = [p for p in sorted(folder.glob("*.npz")) if chosen.only in (None, [p.stem])]
    files = files or [p for p in sorted(folder.glob("*.npz")) if p.stem in (chosen.only or ())]
    if not files:
        raise SystemExit(f"There is no table in {folder}: set ENERGAX_DATA.")
    print(f"{'table':14}{'kNN':>7}{'mixture':>9}{'ours':>7}{'+-':>6}{'CPU s':>7}", *LEVELS)
    lines = []
    for path in files:
        train, usual, odd = read_table(path)
        peers = [measure(fit(train), usual, odd) for fit in (fit_neighbours, fit_mixture)]
        start, ours = time.process_time(), []
        for seed in range(chosen.seeds):
            found = EnergyEnsemble(random_state=seed).fit(train)
            ours.append(measure(found.score_samples, usual, odd))
        seconds = (time.process_time() - start) / chosen.seeds
        shares, marks = find_alarms(train, usual, 0)
        lines.append([*peers, np.mean(ours), np.std(ours), seconds, *shares])
        alarms = " ".join(f"{s:.3f}{m}" for s, m in zip(shares, marks, strict=True))
        print(
            f"{path.stem:14}{peers[0]:7.2f}{peers[1]:9.2f}{np.mean(ours):7.2f}{np.std(ours):6.2f}"
            f"{seconds:7.1f} {alarms}",
            flush=True,
        )
    a, b, c, d, e, *rest = np.mean(lines, axis=0)
    ends = " ".join(f"{share:.3f}" for share in rest)
    print(f"{'mean':14}{a:7.2f}{b:9.2f}{c:7.2f}{d:6.2f}{e:7.1f} {ends}")


if __name__ == "__main__":
    main()
