"""The timers of an event loop: the next deadline, and the actors that set those that are due."""

import asyncio
import math
from typing import Any

from pytest_supercache.runtime.kernel.actor import Actor


class Timers:
    """The timers of one loop.

    Args:
        loop: keeps them, as asyncio does.
    """

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._started: list[tuple[asyncio.TimerHandle, str]] = []  # with the names of actors

    def start(self, timer: asyncio.TimerHandle, actor: Actor) -> None:
        """Note that an actor has started a timer."""
        self._started.append((timer, actor.name))

    def next_deadline(self) -> float | None:
        """Return the virtual second at which the next timer is due."""
        timers = self._loop._scheduled  # noqa: SLF001 - asyncio lists its timers nowhere else
        deadlines = (timer.when() for timer in timers if not timer.cancelled())
        deadline = min(deadlines, default=math.inf)
        return None if deadline == math.inf else deadline  # redis-py waits for ever with infinity

    def due(self, now: float) -> set[str]:
        """Return the names of the actors that have started the timers that are due."""
        started = [(timer, name) for timer, name in self._started if not timer.cancelled()]
        self._started = [(timer, name) for timer, name in started if timer.when() > now]
        return {name for timer, name in started if timer.when() <= now}

    def forget(self) -> None:
        """Let go of all of them: the execution is over."""
        self._started.clear()
