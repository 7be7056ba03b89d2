"""Failures that carry the sentence the user reads."""

import signal


class InputError(ValueError):
    """What was given cannot be used: the message names it, says what was expected and what to do.

    The command line prints the message alone and exits with 2.
    """


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
