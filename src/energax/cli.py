"""The command line: one frozen dataclass of `energax.recipe` for each command."""

import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated

import tyro
from jax.errors import JaxRuntimeError

from energax.errors import Diverged, InputError
from energax.recipe import (
    Compare,
    Data,
    Evaluate,
    Inpaint,
    Interpolate,
    Reconstruct,
    Report,
    Reproduce,
    Sample,
    Score,
    Stopped,
    Study,
    Train,
)

Command = (
    Annotated[Train, tyro.conf.subcommand("train")]
    | Annotated[Sample, tyro.conf.subcommand("sample")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Study, tyro.conf.subcommand("study")]
    | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
    | Annotated[Reconstruct, tyro.conf.subcommand("reconstruct")]
    | Annotated[Interpolate, tyro.conf.subcommand("interpolate")]
    | Annotated[Inpaint, tyro.conf.subcommand("inpaint")]
    | Annotated[Data, tyro.conf.subcommand("data")]
)


def main() -> None:
    """Run the command of this process's arguments, and exit with its status."""
    arguments = sys.argv[1:]
    if arguments[:1] != ["--debug"]:
        # What the libraries underneath warn and log says nothing that a user of a command can act
        # on; on a full disk, Orbax's threads print many tracebacks beside the failure they raise.
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        sys.unraisablehook = _silent
    sys.exit(run(arguments))


_TOO_LARGE = (
    "The memory does not hold this: choose a smaller --batch-size, --width or --particles, or an "
    "objective without the whole Hessian (ssm in place of sm)."
)


def _silent(_: object) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Carry out one command: 0, or 1 (a fault of ours), 2 (input), 3 (divergence), 130 (Ctrl-C).

    The message of a failure is one sentence on standard error; `--debug`, first of all, shows the
    traceback too. Without arguments, shows the help. Raises SystemExit after help, and with 2 for
    arguments that cannot be parsed.
    """
    debug = arguments[:1] == ["--debug"]
    command = tyro.cli(
        Command,
        prog="energax",
        description="Train, sample, measure and explain energy-based models. Start with: energax "
        "train. All about a command: energax train --help",
        args=(arguments[1:] if debug else arguments) or ["--help"],
        config=(tyro.conf.DisallowNone, tyro.conf.PositionalMetavarFromFieldName),
    )
    try:
        command()
    except (InputError, Diverged, Stopped, KeyboardInterrupt, OSError, JaxRuntimeError) as failure:
        status, message = explained(failure)
        if debug:
            traceback.print_exc()
        print(f"energax: {message}", file=sys.stderr)
        return status
    return 0


def explained(failure: BaseException) -> tuple[int, str]:
    """Exit status and sentence for a failure; raises again what has none."""
    match failure:
        case JaxRuntimeError() if "RESOURCE_EXHAUSTED" in str(failure):
            return 2, _TOO_LARGE
        case JaxRuntimeError():
            raise failure
        case Diverged():
            return 3, str(failure)
        case KeyboardInterrupt():
            return 130, str(failure) or "Stopped."
        case OSError():
            place = failure.filename or "A file"
            reason = failure.strerror or failure
            return 2, f"{place} cannot be written or read: {reason}; choose another place."
    return 2, str(failure)
