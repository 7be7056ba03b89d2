"""Ctrl-C as a wish, not an accident: the chunk under way ends first."""

import signal
from types import FrameType, TracebackType


class Interrupt:
    """While open, the first Ctrl-C (or SIGTERM) only sets `asked`; a second one stops at once."""

    def __init__(self):
        self.asked = False
        self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

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
