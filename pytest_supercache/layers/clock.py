"""One virtual clock for everything: it moves only when the scheduler moves it."""

import datetime as dt
from collections.abc import Callable

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""Where virtual time begins in every execution."""


class VirtualClock:
    """Virtual seconds since the start of the execution."""

    def __init__(self) -> None:
        self._now = 0.0
        self._listeners: list[Callable[[dt.datetime], None]] = []

    def now(self) -> float:
        """Return the virtual seconds since the start of the execution."""
        return self._now

    def datetime(self) -> dt.datetime:
        """Return the virtual instant, in UTC."""
        return EPOCH + dt.timedelta(seconds=self._now)

    def listen(self, listener: Callable[[dt.datetime], None]) -> None:
        """Call ``listener`` with the new instant at every move (freezegun is one)."""
        self._listeners.append(listener)
        listener(self.datetime())

    def silence(self, listener: Callable[[dt.datetime], None]) -> None:
        """Stop calling ``listener``."""
        self._listeners.remove(listener)

    def reset(self) -> None:
        """Go back to the epoch: a new execution begins."""
        self._set(0.0)

    def move_to(self, seconds: float) -> None:
        """Move forward to ``seconds`` since the start; time never goes back."""
        assert seconds >= self._now, f"the clock cannot go back from {self._now} to {seconds}"
        self._set(seconds)

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``, for a test that drives time by hand."""
        self.move_to(self._now + seconds)

    def _set(self, seconds: float) -> None:
        self._now = seconds
        for listener in self._listeners:
            listener(self.datetime())
