"""How good a trained run is."""

import dataclasses
from pathlib import Path

from energax import run
from energax.cli.common import run_option, seed_option
from energax.options import Range, at_least, option
from energax.progress import show_stages

LEVEL = Range(0, 1, open_low=True, open_high=True)


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure a trained run: likelihood with its interval, baselines, samples, chains."""

    run: Path = run_option()
    particles: int = option("Annealed particles for log Z.", at_least(2), default=512)
    level: float = option("Confidence level of the interval.", LEVEL, default=0.95)
    seed: int = seed_option("Seed of everything random in the evaluation.")
    baselines: bool = option(
        "Fit simple models too, to be compared with; else only the base.", default=True
    )

    def __call__(self) -> None:
        show_stages()
        found = run.evaluate(
            run.Folder(self.run),
            particles=self.particles,
            level=self.level,
            seed=self.seed,
            baselines=self.baselines,
        )
        print(found)
