"""What is run under each name: settings of dual training, each beside a published one."""

import dataclasses
from typing import Literal

from energax.reproduce.dual.targets import directions

PARTICLE_STEP = 0.02
"""Of the particles' Langevin dynamics, in every experiment."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One line of a table. `group`: settings that one row of the figure shows together.

    `every`: all particles start again from the rows at each such iteration; None: never. `radius`
    None: no bound on the weights. `pictured`: is the first seed shown on the 2-sphere?
    """

    word: str
    label: str
    group: str
    teacher: str
    rows: int
    direction_step: float
    weight_step: float
    every: int | None = None
    radius: float | None = None
    ball: Literal["variation", "kernel"] = "variation"
    neurons: int = 64
    negative: float = 1.0
    steps: int = 4000
    pictured: bool = False

    @property
    def dim(self) -> int:
        """Of the space around the sphere."""
        return directions(self.teacher).shape[1]


def faster(step: float, every: int | None) -> float:
    """The neurons' step times 1 + 0.1 / (every x particle step): restarts shrink their slope."""
    return step if every is None else step * (1 + 0.1 / (every * PARTICLE_STEP))


def _restarts(prefix: str, step: float, choices: tuple[int | None, ...], like: dict) -> list:
    return [
        Setting(
            word=f"{prefix}-p{'0' if every is None else '1' if every == 1 else f'1in{every}'}",
            label=f"p = {'0' if every is None else '1' if every == 1 else f'1/{every}'}",
            direction_step=faster(step, every),
            weight_step=faster(step, every),
            every=every,
            **like,
        )
        for every in choices
    ]


def _three_dimensions() -> list[Setting]:
    found: list[Setting] = []
    for rows in (1_000, 10_000):
        like = {
            "group": f"bimodal, n = {rows:,}",
            "teacher": "bimodal",
            "rows": rows,
            "pictured": True,
        }
        found += _restarts(f"n{rows}", 0.04, (None, 60, 1), like)
    like = {
        "group": "monomodal, n = 1,000",
        "teacher": "monomodal",
        "rows": 1_000,
        "pictured": True,
    }
    return found + _restarts("monomodal", 0.04, (None,), like)


def _fifteen_dimensions() -> list[Setting]:
    like = {"group": "old, n = 10,000", "teacher": "old", "rows": 10_000, "radius": 10.0}
    new = like | {"group": "new, n = 10,000", "teacher": "new", "steps": 1000}
    return [
        *_restarts("old", 0.2, (None, 40, 1), like),
        *_restarts("new", 0.2, (None,), new),
    ]


def _scales() -> list[Setting]:
    return [
        Setting(
            word=f"step-{step:g}",
            label=f"step {step:g}",
            group="bimodal, n = 1,000",
            teacher="bimodal",
            rows=1_000,
            direction_step=step,
            weight_step=step,
        )
        for step in (0.0004, 0.004, 0.04, 0.4, 2.0, 4.0)
    ]


def _lazy() -> list[Setting]:
    found: list[Setting] = []
    for teacher, rows, wide in (("bimodal", 1_000, 1024), ("old", 5_000, 256)):
        blank = Setting(
            word=f"{teacher}-features",
            label="features, 64 neurons",
            group=f"{teacher}, n = {rows:,}",
            teacher=teacher,
            rows=rows,
            direction_step=0.2,
            weight_step=0.2,
            radius=10.0,
            negative=0.5,
            steps=1000,
        )
        found += [
            blank,
            dataclasses.replace(
                blank, word=f"{teacher}-lazy", label="lazy, 64 neurons", direction_step=0.0
            ),
            dataclasses.replace(
                blank,
                word=f"{teacher}-lazy-kernel",
                label="lazy, 64 neurons, kernel ball",
                direction_step=0.0,
                weight_step=2.0,
                ball="kernel",
            ),
            dataclasses.replace(
                blank,
                word=f"{teacher}-lazy-wide",
                label=f"lazy, {wide} neurons",
                direction_step=0.0,
                neurons=wide,
            ),
        ]
    return found


PLANS: dict[str, tuple[Setting, ...]] = {
    "dual-3d": tuple(_three_dimensions()),
    "dual-15d": tuple(_fifteen_dimensions()),
    "dual-scales": tuple(_scales()),
    "dual-lazy": tuple(_lazy()),
}
"""Name of an experiment to its settings, in the order of its table."""
