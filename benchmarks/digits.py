"""The table of docs/digits.md: what was tried on the digits, each line a run with its certificate.

uv run python benchmarks/digits.py
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from energax.recipe import Evaluate, Train

TRIED: dict[str, dict[str, Any]] = {  # words -> options that differ from the defaults
    "the defaults": {},
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
    "persistent chains": {"objective": "pcd", "learning_rate": 3e-4, "weight_decay": 0.0},
    "denoising": {"objective": "dsm", "weight_decay": 0.0},
}


def row(words: str, options: dict[str, Any], out: Path) -> str:
    """One line of the table: the likelihood with its interval, or why there is none."""
    began = time.perf_counter()
    Train("digits", out=out, evaluate=False, **options)()
    trained = time.perf_counter()
    Evaluate(out)()
    found = json.loads((out / "evaluation.json").read_text())
    model = found["test_log_likelihood"]
    if model["certified"]:
        told = f"{model['value']:.2f} | {model['lower']:.2f} to {model['upper']:.2f}"
    else:
        told = f"not certified | {model['why']}"
    size = min(found[f"log_z_{end}"]["size"] or 0 for end in ("forward", "reverse"))
    base = found["baselines"]["base distribution, before training"]["value"]
    seconds = f"{trained - began:.0f} + {time.perf_counter() - trained:.0f}"
    return f"| {words} | {base:.2f} | {told} | {size:.0f} | {seconds} |"


def main() -> None:
    """All lines, or those whose words are given as arguments."""
    heads = (
        "what differs",
        "base distribution",
        "nats per image",
        "95% interval",
        "particles",
        "seconds",
    )
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (words, options) in enumerate(TRIED.items()):
            if words in sys.argv[1:] or not sys.argv[1:]:
                print(row(words, options, Path(folder) / str(number)), flush=True)


if __name__ == "__main__":
    main()
