"""Every method on one data set, with one network: one command, one page, one table."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from energax import model
from energax.data import Dataset
from energax.errors import Diverged, InputError
from energax.files import write_json
from energax.method import AbstractMethod, find_method, method_table
from energax.options import leaves, replace
from energax.run.comparing import collect_comparison, write_comparison
from energax.run.creating import create, spell_option
from energax.run.evaluating import evaluate
from energax.run.folder import Folder
from energax.run.sweep import Sweep, claim
from energax.run.training import train


def choose_methods(
    names: Sequence[str], rows: Dataset, network: str | None = None
) -> dict[str, type[AbstractMethod]]:
    """The methods of a study: all that suit the rows and the network, or those named.

    Raises InputError for a name that is none, or a method that does not suit.
    """
    if tuple(names) == ("all",):
        return {n: m for n, m in method_table(rows).items() if m.refusal(rows, network) is None}
    chosen = {name: find_method(name, rows) for name in names}
    for name, method in chosen.items():
        if (why := method.refusal(rows, network)) is not None:
            raise InputError(f"--methods: {name} does not suit {rows.name}: {why}.")
    return chosen


def study(
    source: str,
    rows: Dataset,
    names: Sequence[str],
    seeds: int,
    out: Path,
    options: dict[str, Any],
    test_fraction: float,
) -> None:
    """Train and measure every run that is not yet, then write the page and the tables.

    `options`: those of every run, such as `steps` and `width`; a method that lacks one runs without
    it.
    """
    methods = choose_methods(names, rows, options.get("network"))
    plan = [
        (f"{name}-{seed}", f"{name}, seed {seed}", _with(method, rows, options | {"seed": seed}))
        for name, method in methods.items()
        for seed in range(seeds)
    ]
    about = {"source": source, "test_fraction": test_fraction}

    def work(name: str, method: AbstractMethod) -> Callable[[], bool]:
        folder = Folder(out / "runs" / name)
        return lambda: _finish_run(folder, source, test_fraction, rows, method)

    sweep = Sweep(len(plan), lambda name: summarise_run(Folder(out / "runs" / name)))
    with claim(out, "study", {"data": rows.name, "digest": rows.digest} | options | about):
        sweep.carry_on((name, title, work(name, method)) for name, title, method in plan)
        _write(out, rows, source, options, test_fraction)


def _with(method: type[AbstractMethod], rows: Dataset, options: dict[str, Any]) -> AbstractMethod:
    """A method with those of the options that it has."""
    preset = method.preset_for(rows)
    known = {leaf.key for leaf in leaves(preset)}
    return replace(preset, **{n: v for n, v in options.items() if n in known and v is not None})


def _finish_run(
    folder: Folder, source: str, test_fraction: float, rows: Dataset, method: AbstractMethod
) -> bool:
    """Train and evaluate one run as far as it is not yet; False where nothing was left."""
    if folder.evaluated or folder.diverged is not None:
        return False
    try:
        if not folder["config.json"].exists():
            create(folder.path, source, test_fraction, rows, method)
        if not folder.finished:
            train(folder, rows)
        evaluate(folder, rows, baselines=False)
    except Diverged as failure:
        # In training, or in chains of the trained model: the study counts it and goes on.
        write_json(folder["diverged.json"], {"why": str(failure)})
    return True


def summarise_run(folder: Folder) -> str:
    """What became of a run, in one line."""
    why = folder.diverged
    return f"diverged. {why}" if why is not None else model.summarise(folder.evaluation())


def _write(
    out: Path, rows: Dataset, source: str, options: dict[str, Any], test_fraction: float
) -> None:
    """The page and the tables, of all runs in the folder that are finished."""
    folders = [Folder(path) for path in (out / "runs").iterdir() if not path.name.startswith(".")]
    ended = [one for one in folders if one.evaluated or one.diverged is not None]
    about = {one.path: one.method() for one in ended}
    order = sorted(ended, key=lambda f: (about[f.path].name, about[f.path].training.seed))
    names = [about[folder.path].name for folder in order]
    seeds = 1 + max(method.training.seed for method in about.values())
    command = _command(source, dict.fromkeys(names), seeds, options, test_fraction, out)
    write_comparison(out, collect_comparison(order, names, command, rows))
    print(f"Study: {out / 'comparison.html'}, {out / 'table.md'}, {out / 'runs.csv'}")


def _command(
    source: str,
    names: Iterable[str],
    seeds: int,
    options: dict[str, Any],
    test_fraction: float,
    out: Path,
) -> str:
    line = ["energax", "study", source, "--methods", *names, "--seeds", str(seeds)]
    for name, value in options.items():
        if value is not None:
            line += spell_option("--" + name.replace("_", "-"), value)
    return shlex.join([*line, "--test-fraction", str(test_fraction), "--out", str(out)])
