"""One virtual clock for everything: it moves only when the scheduler moves it."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""The instant at which virtual time begins in every execution."""


class VirtualClock:
    """Virtual seconds since the start of the execution."""

    def __init__(self) -> None:
        self._now = 0.0
        self.ahead = 0.0  # how far ahead of the true instant listeners are shown
        self._listeners: list[Callable[[dt.datetime], None]] = []
        self.remember: Callable[[], None] = lambda: None
        """Notes what shows code this clock, when an execution begins."""
        self.complaint: Callable[[], str | None] = lambda: None
        """Describes why code does not see this clock although it should."""

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
        if listener in self._listeners:
            self._listeners.remove(listener)

    def show_ahead(self, seconds: float) -> None:
        """Show listeners an instant ahead of the true one, as on a node with a wrong clock."""
        if seconds != self.ahead:
            self.ahead = seconds
            self._tell()

    @contextmanager
    def true(self) -> Iterator[None]:
        """Show listeners the true instant inside of the context."""
        ahead = self.ahead
        self.show_ahead(0.0)
        try:
            yield
        finally:
            self.show_ahead(ahead)

    def reset(self) -> None:
        """Reset to the epoch for a new execution."""
        if self._now or self.ahead:
            self.ahead = 0.0
            self._set(0.0)

    def move_to(self, seconds: float) -> None:
        """Move forward to ``seconds`` since the start; time never goes back."""
        assert seconds >= self._now, f"the clock cannot go back from {self._now} to {seconds}"
        self._set(seconds)

    def advance(self, seconds: float) -> None:
        """Move forward by ``seconds``, for a test that drives the clock itself."""
        self.move_to(self._now + seconds)

    def _set(self, seconds: float) -> None:
        self._now = seconds
        self._tell()

    def _tell(self) -> None:
        shown = self.datetime() + dt.timedelta(seconds=self.ahead)
        for listener in self._listeners:
            listener(shown)


class AheadClock(VirtualClock):
    """The clock of a node that is ahead of the true time."""

    def __init__(self, true: VirtualClock, seconds: float) -> None:
        super().__init__()
        self._true = true
        self.ahead = seconds

    def now(self) -> float:
        """Return the virtual seconds since the start, as this node sees them."""
        return self._true.now() + self.ahead

    def datetime(self) -> dt.datetime:
        """Return the virtual instant, in UTC, as this node sees it."""
        return self._true.datetime() + dt.timedelta(seconds=self.ahead)

    def move_to(self, seconds: float) -> None:
        """Move the shared clock forward, for a test that drives the clock itself."""
        self._true.move_to(seconds - self.ahead)
