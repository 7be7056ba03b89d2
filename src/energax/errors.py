"""Failures that carry the sentence the user reads."""


class InputError(ValueError):
    """What was given cannot be used: the message names it, says what was expected and what to do.

    The command line prints the message alone and exits with 2.
    """


class Diverged(RuntimeError):
    """A number of training, or of a chain, is not finite or explodes: the message names the first.

    The command line prints the message alone and exits with 3.
    """


class Stopped(KeyboardInterrupt):
    """Work was asked to stop and did, with everything saved: the message says how to go on."""
