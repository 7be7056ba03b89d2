"""From the words of a command line to a command, and from its outcome to an exit status."""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from energax.cli.cache import FLAG, keep_programs
from energax.cli.cores import offer_cores
from energax.cli.parser import parse
from energax.cli.signals import find_signal, ignore, listen
from energax.errors import Diverged, InputError, Stopped
from energax.files import FULL
from energax.suggest import suggest

COMMANDS = {
    "train": "fit an energy to a data set, then sample, evaluate and report it",
    "methods": "list the methods, a line each",
    "sample": "draw new rows from a trained run",
    "score": "write the energy and the log-density of the rows of a file",
    "detect": "find the rows of a file that are unlike those of another, with reasons",
    "evaluate": "measure a run: log Z from both sides, likelihood, baselines, chains",
    "report": "write the page of a run again",
    "contacts": "list the most strongly coupled pairs of sites of an energy of pairs",
    "inpaint": "fill in missing cells, or a hidden part of images",
    "reconstruct": "write what a run's generator makes of the rows of a file",
    "interpolate": "write what a run's generator makes between test rows",
    "compare": "put several runs on one page, with a table",
    "study": "train many methods on one data set, several seeds each, and compare them",
    "reproduce": "repeat a published experiment, ours beside the published numbers",
    "data": "download a data set that is not in the package",
}
"""Every command and its line of help; the class of each is in the file of its name."""

_TOO_LARGE = (
    "Out of memory: choose a smaller --batch-size, --width, --chunk-steps or --particles, fewer "
    "rows or columns, or a method without the whole Hessian (ssm in place of sm)."
)


def main() -> None:
    """Run the command of this process's arguments, and exit with its status."""
    listen()
    arguments = sys.argv[1:]
    if arguments[:1] != ["--debug"]:
        _silence()
    # Waiting threads of OpenBLAS take the cores from everything else: the matrices are small.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    offer_cores(os.environ)
    # So that `--method module:Class` finds a file in the current folder.
    sys.path.append(os.getcwd())
    status = run(keep_programs(arguments))
    ignore()
    sys.exit(status)


def _silence() -> None:
    # What the libraries underneath warn and log says nothing that a user of a command can act on.
    import logging
    import warnings

    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


def help_text() -> str:
    """What `energax --help` prints."""
    width = max(map(len, COMMANDS)) + 2
    lines = "\n".join(f"  {name:{width}}{text}" for name, text in COMMANDS.items())
    return (
        "usage: energax COMMAND ...\n\n"
        "Train, sample, measure and explain energy-based models. Start with: energax train\n\n"
        f"{lines}\n\n"
        "All about a command: energax COMMAND --help\n"
        "A failure is one sentence; energax --debug COMMAND ... shows where it came from.\n"
        f"Compiled programs are kept on disk between commands, unless {FLAG} is given."
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command: 0, or 1 (a fault of ours), 2 (input), 3 (divergence), 130 (Ctrl-C) or 143
    (SIGTERM).

    The message of a failure is one sentence on standard error; `--debug`, first of all, shows the
    traceback too. Without arguments, shows the help.
    """
    debug = arguments[:1] == ["--debug"]
    words = list(arguments[1:] if debug else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if words[0] == "--version":
        print(f"energax {version('energax')}")
        return 0
    try:
        _run(words)
    except BaseException as failure:
        status, message = explain(failure)
        if debug:
            _print_traceback()
        print(f"energax: {message}", file=sys.stderr)
        return status
    return 0


def _run(words: list[str]) -> None:
    name, *rest = words
    if name not in COMMANDS:
        hint = suggest(name, COMMANDS, ": see energax --help.")
        raise InputError(f"There is no command {name!r}{hint}")
    file = importlib.import_module(f"energax.cli.{name}")
    command = getattr(file, name.capitalize())
    parsed = file.parse(rest) if hasattr(file, "parse") else parse(command, name, rest)
    if parsed is not None:
        parsed()


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def explain(failure: BaseException) -> tuple[int, str]:
    """Exit status and sentence for a failure; raises again what has none."""
    match failure:
        case InputError():
            return 2, str(failure)
        case Diverged():
            return 3, str(failure)
        case Stopped():
            return 128 + failure.number, str(failure) or "Stopped."
        case KeyboardInterrupt():
            return 130, "Stopped."
        case BrokenPipeError():
            # Whoever read the output has left; nothing more can be said to them.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0, "The reader of the output left."
        case OSError():
            place, reason = failure.filename or "A file", failure.strerror or failure
            if failure.errno in FULL:
                return 2, f"{place} cannot be written: {reason}; free some, then try again."
            return 2, f"{place} cannot be written or read: {reason}; choose another place."
    if isinstance(failure, MemoryError) or "RESOURCE_EXHAUSTED" in str(failure):
        return 2, _TOO_LARGE
    if (number := find_signal()) is not None:
        # A library made another exception of it.
        return 128 + number, "Stopped."
    raise failure
