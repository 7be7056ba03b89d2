"""Every method on one data set, with one network: one command, one page, one table."""

import dataclasses
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, get_args

import tyro

from energax import data
from energax.data import Dataset
from energax.errors import Diverged, InputError
from energax.recipe.begin import begun, trained
from energax.recipe.compare import gathered, write
from energax.recipe.defaults import applicable, resolved
from energax.recipe.evaluate import Evaluate, told
from energax.recipe.folder import Folder, claim, read_json, write_json
from energax.recipe.learn import Stopped
from energax.recipe.option import otherwise
from energax.recipe.settings import Network, Objective, Settings, check_seed

WORDS: tuple[str, ...] = get_args(Objective)


@dataclasses.dataclass(frozen=True)
class Study:
    """Train one network on one data set by many objectives, several seeds each, and compare them.

    Each objective runs with its own defaults. The same command goes on where it was stopped, and
    with more objectives or seeds it adds them.
    """

    data: Annotated[str, tyro.conf.Positional]
    """A name or a path, as for `energax train`."""
    objectives: tuple[str, ...] = ("all",)
    """Words of `energax train --objective`; all: each one that suits the data."""
    seeds: int = 3
    """Runs of each objective: seeds 0, 1, ..."""
    out: Annotated[Path | None, otherwise("studies/DATA")] = None
    """Folder of the study."""
    steps: Annotated[int | None, otherwise("each objective's own")] = None
    """Updates of every run."""
    network: Annotated[Network | None, otherwise("what suits the data")] = None
    """The network of every run."""
    width: Annotated[int | None, otherwise("what suits the data")] = None
    """Its width."""
    depth: Annotated[int | None, otherwise("what suits the data")] = None
    """Its depth."""
    test_fraction: float = 0.2
    """Share of a file's rows that is kept for the test, where the file does not say."""

    def __call__(self) -> None:
        if self.seeds < 1:
            raise InputError(f"--seeds must be at least 1; got {self.seeds}.")
        check_seed(self.seeds - 1)
        if not 0 < self.test_fraction < 1:
            raise InputError(f"--test-fraction must be between 0 and 1; got {self.test_fraction}.")
        rows = data.load(self.data, test_fraction=self.test_fraction)
        out = self.out or Path("studies") / rows.name
        words = chosen(self.objectives, rows, self.network)
        told_to = {name: getattr(self, name) for name in ("steps", "network", "width", "depth")}
        plan = [
            (word, seed, resolved(told_to | {"objective": word, "seed": seed}, rows))
            for word in words
            for seed in range(self.seeds)
        ]
        source = {"source": self.data, "test_fraction": self.test_fraction}
        claim(out, "study", {"data": rows.name, "digest": rows.digest} | told_to | source)
        for count, (word, seed, settings) in enumerate(plan, 1):
            folder = Folder(out / "runs" / f"{word}-{seed}")
            began = time.perf_counter()
            if self._finished(folder, rows, settings):
                spent = time.perf_counter() - began
                print(f"[{count}/{len(plan)}] {word}, seed {seed}: {outcome(folder)} {spent:.0f} s")
        self._finish(out)

    def _finished(self, folder: Folder, rows: Dataset, settings: Settings) -> bool:
        """Train and evaluate one run as far as it is not yet; False where nothing was left."""
        if folder["evaluation.json"].exists() or folder["diverged.json"].exists():
            return False
        try:
            if not folder["config.json"].exists():
                begun(folder.path, self.data, self.test_fraction, rows, settings)
            if not folder["weights.safetensors"].exists():
                trained(folder)
            Evaluate(folder.path, baselines=False).measured()
        except Stopped as stop:
            raise Stopped("Stopped, with everything saved; the same command goes on.") from stop
        except Diverged as failure:
            # In training, or in chains of the trained model: the study counts it and goes on.
            write_json(folder["diverged.json"], {"why": str(failure)})
        return True

    def _finish(self, out: Path) -> None:
        """Write the page and the tables, of all runs in the folder that are finished."""
        ended = ("evaluation.json", "diverged.json")
        paths = [p for p in (out / "runs").iterdir() if any((p / name).exists() for name in ended)]
        told_by = {path: Folder(path).config()["settings"] for path in paths}
        order = sorted(paths, key=lambda p: (told_by[p]["objective"], told_by[p]["seed"]))
        names = [told_by[path]["objective"] for path in order]
        seeds = 1 + max(told["seed"] for told in told_by.values())
        command = self._command(dict.fromkeys(names), seeds, out)
        write(out, gathered([Folder(path) for path in order], names, command))
        print(f"Study: {out / 'comparison.html'}, {out / 'table.md'}, {out / 'runs.csv'}")

    def _command(self, words: Iterable[str], seeds: int, out: Path) -> str:
        line = ["energax", "study", self.data, "--objectives", *words, "--seeds", str(seeds)]
        for name in ("steps", "network", "width", "depth"):
            if getattr(self, name) is not None:
                line += [f"--{name}", str(getattr(self, name))]
        return shlex.join([*line, "--test-fraction", str(self.test_fraction), "--out", str(out)])


def chosen(
    objectives: tuple[str, ...], rows: Dataset, network: str | None = None
) -> tuple[str, ...]:
    """The words to run: all that suit the rows and the network that is asked for, or those named.

    Raises InputError for one that is none, or that does not suit.
    """
    if objectives == ("all",):
        return tuple(word for word in WORDS if applicable(word, rows, network) is None)
    for word in objectives:
        if word not in WORDS:
            raise InputError(f"--objectives: {word!r} is none of {', '.join(WORDS)}, or all.")
        if (why := applicable(word, rows, network)) is not None:
            raise InputError(f"--objectives: {word} does not suit {rows.name}: {why}.")
    return tuple(dict.fromkeys(objectives))


def outcome(folder: Folder) -> str:
    """What became of a run, in one line."""
    if folder["diverged.json"].exists():
        return f"diverged. {read_json(folder['diverged.json'])['why']}"
    return told(read_json(folder["evaluation.json"]))
