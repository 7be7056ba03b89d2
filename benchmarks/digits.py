"""The table of docs/digits.md: what was tried on the digits, each line a run with its certificate.

uv run python benchmarks/digits.py
"""

import sys
import time
from typing import Any

import energax as ex

TRIED: dict[str, dict[str, Any]] = {  # name -> options that differ from the preset
    "the preset": {},
    "no weight decay": {"weight_decay": 0.0},
    "weight decay 0.3": {"weight_decay": 0.3},
    "weight decay 3, four noise rows": {"weight_decay": 3.0, "noise_ratio": 4},
    "width 64": {"width": 64},
    "base of one Gaussian": {"base": "gaussian"},
    "base of 30 Gaussians": {"components": 30},
    "standardised pixels in place of normal scores": {
        "transform": "standardise",
        "weight_decay": 0.0,
    },
    "persistent chains": {"method": "pcd", "learning_rate": 3e-4, "weight_decay": 0.0},
    "denoising": {"method": "dsm", "weight_decay": 0.0},
}


def row(name: str, options: dict[str, Any], digits: ex.data.Dataset) -> str:
    """One line of the table: the likelihood with its interval, or why there is none."""
    began = time.perf_counter()
    model = ex.fit(digits, **{"method": "nce", **options})
    trained = time.perf_counter()
    found = ex.measure(model, digits).record
    likelihood = found["test_log_likelihood"]
    if likelihood["certified"]:
        ends = f"{likelihood['lower']:.2f} to {likelihood['upper']:.2f}"
        outcome = f"{likelihood['value']:.2f} | {ends}"
    else:
        outcome = f"not certified | {likelihood['why']}"
    size = min(found[f"log_z_{end}"]["size"] or 0 for end in ("forward", "reverse"))
    base = found["baselines"]["base distribution, before training"]["value"]
    seconds = f"{trained - began:.0f} + {time.perf_counter() - trained:.0f}"
    return f"| {name} | {base:.2f} | {outcome} | {size:.0f} | {seconds} |"


def main() -> None:
    """All lines, or those whose names are given as arguments."""
    heads = ("what differs", "base", "nats per image", "95% interval", "particles", "seconds")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    digits = ex.data.digits()
    for name, options in TRIED.items():
        if name in sys.argv[1:] or not sys.argv[1:]:
            print(row(name, options, digits), flush=True)


if __name__ == "__main__":
    main()
