"""Ctrl-C and SIGTERM during a command: it stops, wherever it is, and says so in one sentence."""

import _thread
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

from energax.errors import Stopped

MOMENT = 0.01
"""Seconds after which a signal that was lost comes again."""


class _Received:
    """The signal that asks this process to stop; None before it comes."""

    number: int | None = None


def listen() -> None:
    """Let both signals raise Stopped in the main thread from now on, and not be lost."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    sys.unraisablehook = _keep_unraisable
    sys.excepthook = _keep_printed


def ignore() -> None:
    """Let both pass: nothing is left to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def find_signal() -> int | None:
    """The signal that came; None where none did."""
    return _Received.number


def _stop(number: int, frame: FrameType | None) -> None:
    _Received.number = number
    raise Stopped("", number)


def _keep_unraisable(found: Any) -> None:
    """A stop where Python cannot raise, in a destructor, comes again.

    What else fails there says nothing that a user of a command can act on.
    """
    if issubclass(found.exc_type, KeyboardInterrupt):
        _send_again()


def _keep_printed(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A stop that compiled code prints, and so forgets, while it imports comes again."""
    if issubclass(kind, KeyboardInterrupt):
        _send_again()
    else:
        sys.__excepthook__(kind, error, trace)


def _send_again() -> None:
    # From a thread, a moment later: here it would be lost once more.
    number = _Received.number or signal.SIGINT
    threading.Timer(MOMENT, _thread.interrupt_main, (number,)).start()
