"""The folder of a new run, and its training to the end."""

import dataclasses
import itertools
import shlex
from pathlib import Path
from typing import Any

from energax import data
from energax.errors import Diverged, InputError
from energax.recipe import build
from energax.recipe.defaults import resolved
from energax.recipe.folder import Folder, check_new, describe, new_folder, write_json
from energax.recipe.learn import learn
from energax.recipe.settings import CHAINS, GAMES, TAUGHT, Settings
from energax.train import Checkpoints, write_weights


def begun(
    path: Path, source: str, test_fraction: float, rows: data.Dataset, settings: Settings
) -> Folder:
    """The folder of a new run: what it is told, and all that is fitted before training.

    Raises InputError, and writes nothing, where the settings do not suit the rows.
    """
    build.check(settings, rows)
    transform = build.transform(settings, rows)
    distribution = build.base_distribution(settings, rows, transform)
    command = repeated(source, settings, test_fraction)
    with new_folder(path) as draft:
        config = describe(source, test_fraction, rows, settings, command)
        write_json(draft / "config.json", config)
        write_json(draft / "transform.json", data.to_json(transform))
        write_weights(draft / "base.safetensors", {"base": distribution})
    return Folder(path)


def asked(source: str, test_fraction: float, out: Path | None, chosen: dict[str, Any]) -> Folder:
    """The folder of a new run as a user asks for it: `chosen` has None where nothing was given.

    Checks everything first. Raises InputError, and writes nothing, where something is wrong.
    """
    if not 0 < test_fraction < 1:
        raise InputError(f"--test-fraction must be between 0 and 1; got {test_fraction}.")
    if out is not None:
        check_new(out)
    rows = data.load(source, test_fraction=test_fraction)
    settings = resolved(chosen, rows)
    path = out or free_path(f"{rows.name}-{settings.objective}")
    return begun(path, source, test_fraction, rows, settings)


def resumed(path: Path, given: list[str]) -> Folder:
    """The folder of a run to go on with. Raises InputError where options are `given` beside it."""
    if given:
        word = "DATA" if given[0] == "data" else "--" + given[0].replace("_", "-")
        raise InputError(f"--resume takes all settings from {path}: leave out {word}.")
    return Folder(path)


def free_path(stem: str) -> Path:
    """The first of runs/stem-1, runs/stem-2, ... that does not exist."""
    numbers = itertools.count(1)
    return next(p for n in numbers if not (p := Path("runs") / f"{stem}-{n}").exists())


def repeated(source: str, settings: Settings, test_fraction: float) -> str:
    """A command line that repeats the run whatever the defaults of later versions are."""
    words = ["energax", "train", source]
    for name, value in dataclasses.asdict(settings).items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            words += [f"--{option}", str(value)]
    return shlex.join([*words, "--test-fraction", str(test_fraction)])


def trained(folder: Folder) -> None:
    """Train to the end. What diverges says so in diverged.json, and raises Diverged."""
    try:
        learn(folder)
    except Diverged as failure:
        why = f"{blamed(str(failure), folder.settings())} {remedy(folder)}"
        write_json(folder["diverged.json"], {"why": why})
        raise Diverged(why) from failure
    folder["diverged.json"].unlink(missing_ok=True)


def blamed(failure: str, settings: Settings) -> str:
    """What failed, and which of several players by its metric: that of the energy has no prefix.

    Chains on z walk down the generator's posterior: their slope is the generator's.
    """
    if settings.objective not in TAUGHT:
        return failure
    owners = {"generator": "generator", "encoder": "encoder", "latent": "generator"}
    player = next((owners[name] for name in owners if failure.startswith(name)), "energy")
    return f"The {player} failed first: {failure}"


def remedy(folder: Folder) -> str:
    """What to do after a divergence."""
    settings, step = folder.settings(), Checkpoints(folder["checkpoints"]).newest()
    kept = f"The last good checkpoint, after {step} updates, is kept in {folder.path}."
    if settings.objective == "dual":
        return (
            f"{kept} Try a --radius, smaller --direction-step and --weight-step, a smaller "
            "--step-size or some --restart."
        )
    walks = settings.objective in (*CHAINS, "coupled", "recovery-levels")
    chains = ", a smaller --step-size" if walks else ""
    chains += ", a smaller --rival-rate, more --rounds" if settings.objective in GAMES else ""
    if settings.objective in TAUGHT:
        chains += ", a smaller --latent-step-size or --rival-rate"
    return (
        f"{kept} Try --learning-rate {settings.learning_rate / 10:g}{chains} or a smaller --clip."
    )
