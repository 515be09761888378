"""Tracks the timers of an event loop: the next deadline, and the actors whose timers are due."""

import asyncio
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from pytest_supercache.layers.clock import EPOCH
from pytest_supercache.runtime.kernel.actor import Actor, State
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

_START = EPOCH.timestamp()


def shown_at(seconds: float) -> float:
    """Return ``loop.time()`` at a virtual time, given in seconds since the start."""
    return _START + seconds


def seconds_at(shown: float) -> float:
    """Return the virtual time, in seconds since the start, of a time of ``loop.time()``."""
    return round(shown - _START, 6)


class _Timer(NamedTuple):
    handle: asyncio.TimerHandle
    actor: Actor
    """The actor that started the timer."""
    calls_code_under_test: bool


class Timers:
    """The timers of one loop.

    Args:
        loop: the loop, which holds its timers as in asyncio.
    """

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._started: list[_Timer] = []

    def start(
        self, handle: asyncio.TimerHandle, actor: Actor, callback: Callable[..., Any]
    ) -> None:
        """Note that an actor has started a timer that will call ``callback``."""
        self._started.append(_Timer(handle, actor, _is_under_test(callback)))

    def next_deadline(self) -> float | None:
        """Return the virtual time, in seconds, at which the next timer is due."""
        timers = self._loop._scheduled  # noqa: SLF001 - asyncio lists its timers nowhere else
        if not timers:
            return None
        deadlines = (seconds_at(timer.when()) for timer in timers if not timer.cancelled())
        deadline = min(deadlines, default=math.inf)
        return None if deadline == math.inf else deadline  # redis-py waits for ever with infinity

    def due(self, now: float) -> set[str]:
        """Return the names of the actors whose timers are due at ``now``; forget these timers."""
        started = [timer for timer in self._started if not timer.handle.cancelled()]
        self._started = [timer for timer in started if seconds_at(timer.handle.when()) > now]
        return {timer.actor.name for timer in started if seconds_at(timer.handle.when()) <= now}

    def left_by_users(self, now: float) -> Iterator[tuple[float, Actor]]:
        """Yield each deadline left after every user has ended, with the actor that waits for it.

        These are the timers that call code under test and those of tasks that have not ended.
        Timers that a library left behind are omitted, as is the time limit of a body.
        """
        for handle, actor, calls_code_under_test in self._started:
            is_pending = not handle.cancelled() and now < seconds_at(handle.when()) < math.inf
            if is_pending and (calls_code_under_test or _goes_on(actor)):
                yield seconds_at(handle.when()), actor

    def forget(self) -> None:
        """Forget all timers at the end of the execution."""
        self._started.clear()


def _goes_on(actor: Actor) -> bool:
    """Say whether an actor was started by code under test and has not ended."""
    return actor.is_started and actor.state is not State.DONE


def _is_under_test(callback: Callable[..., Any]) -> bool:
    while type(callback) is partial:
        callback = callback.func
    name = getattr(callback, "__module__", None)
    return isinstance(name, str) and is_under_test_name(name)
