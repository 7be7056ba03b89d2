"""How often certified intervals of log Z hold the truth, on models where it is known.

uv run python benchmarks/coverage.py            # all models, about half an hour on two cores
uv run python benchmarks/coverage.py --family "missed mode" --family banana
uv run python benchmarks/coverage.py --models 1  # others of the same families

The thresholds of `evaluate.annealed_log_z` were chosen while looking at models 0.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax

from energax.evaluate import LogZ, annealed_log_z

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from known_log_z import FAMILIES, Known, make_models


def measure(families: list[str], models: int, seed: int) -> Iterator[tuple[Known, LogZ]]:
    """Every model with its log Z as `annealed_log_z` finds it by default; a line for each."""
    last = ""
    for model in make_models(families, seed=models):
        if model.family != last:
            jax.clear_caches()  # programs of one family are of no use to the next
        last = model.family
        began = time.perf_counter()
        found = annealed_log_z(model.energy, model.base, model.rows, key=jax.random.key(seed))
        ends = f"[{found.lower - model.log_z:+.3f}, {found.upper - model.log_z:+.3f}]"
        verdict = "certified" if found.certified else f"refused: {found.why}"
        seconds = time.perf_counter() - began
        print(f"{model.family}, {model.name}: {ends} {seconds:.1f} s, {verdict}", flush=True)
        yield model, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", action="append", choices=list(FAMILIES), help="else all")
    parser.add_argument("--models", type=int, default=0, help="seed of models, rows and bases")
    parser.add_argument("--seed", type=int, default=0, help="of the annealing")
    options = parser.parse_args()
    families = options.family or list(FAMILIES)
    found = list(measure(families, options.models, options.seed))
    print("\n| family | models | certified | of these hold the truth | refused |")
    print("|---|---|---|---|---|")
    for family in [*families, "all"]:
        mine = [(m, z) for m, z in found if family in (m.family, "all")]
        sure = [(m, z) for m, z in mine if z.certified]
        right = sum(z.lower <= m.log_z <= z.upper for m, z in sure)
        refused = 1 - len(sure) / len(mine)
        print(f"| {family} | {len(mine)} | {len(sure)} | {right} | {refused:.0%} |")


if __name__ == "__main__":
    main()
