"""Ctrl-C as a wish, not an accident: the chunk under way ends first."""

import signal
from types import FrameType, TracebackType

from energax.errors import Stopped


class Interrupt:
    """A context in which the first Ctrl-C or SIGTERM only sets `requested`; a second stops at once.

    Read `requested` between chunks, save, and leave the loop; `number` is the signal that came. The
    handlers of before come back on leaving. Trap: only in the main thread, as all signal handlers
    of Python.

    Example:
        >>> with ex.train.Interrupt() as interrupt:
        ...     print(interrupt.requested)
        False
    """

    def __init__(self):
        self.requested = False
        self.number: int = signal.SIGINT
        self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        if self.requested:
            raise Stopped("", number)
        self.requested = True

    def __enter__(self) -> "Interrupt":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
