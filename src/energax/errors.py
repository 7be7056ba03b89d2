"""Failures that carry the sentence the user reads."""

import signal
from collections.abc import Iterable

SHOWN = 8
"""Words that a sentence lists, at most."""


class InputError(ValueError):
    """What was given cannot be used: the message names it, says what was expected and what to do.

    The command line prints the message alone and exits with 2.
    """


def join_words(words: Iterable[str]) -> str:
    """Words as a sentence lists them, the first of many: "a, b and 3 more"."""
    every = list(words)
    if len(every) > SHOWN:
        return f"{', '.join(every[:SHOWN])} and {len(every) - SHOWN} more"
    return " and ".join([", ".join(every[:-1]), every[-1]] if len(every) > 1 else every)


class Diverged(RuntimeError):
    """A number of training, or of a chain, is not finite or explodes: the message names the first.

    The command line prints the message alone and exits with 3.
    """


class Stopped(KeyboardInterrupt):
    """Work was asked to stop and did: the message says how to go on, where something is left.

    Args:
        message: The sentence; empty where there is nothing to say.
        number: The signal that asked: SIGINT (Ctrl-C) or SIGTERM. The command line exits with 128
            and this number.
    """

    def __init__(self, message: str = "", number: int = signal.SIGINT):
        KeyboardInterrupt.__init__(self, message)
        self.number = number
