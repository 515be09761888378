"""Receiving a message of a Redis channel is a step.

Who listens looks whether there is a message, and then waits until somebody has published (or
subscribed). Who only asks whether there is one polls (`polling`).
"""

from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel.polling import asked_before, note_nothing
from pytest_supercache.runtime.kernel.stepping import Stepping

HEARD = Footprint(reads=frozenset({f"{PLACE}.channels:*"}))
_POLL = "poll for a message"

Read = Callable[[], Any]
"""Takes a message that has arrived; None when there is none."""


def receive(execution: Stepping, read: Read, timeout: float | None) -> Any:
    """Wait for a message and take it; None when ``timeout`` virtual seconds are over first."""
    deadline, footprint = None, HEARD
    if timeout is not None:
        deadline = execution.now() + timeout
        footprint = HEARD | Footprint(reads=frozenset({"clock:now"}))
    execution.step("receive a message", HEARD, kind="message")
    message = read()
    while message is None:
        is_in_time = execution.step(
            "receive a message, at last", footprint, kind="message", deadline=deadline,
            recheck_from=len(execution.record.steps),
        )  # fmt: skip
        message = read()
        if not is_in_time:
            return message
    return message


def poll(execution: Stepping, read: Read) -> Any:
    """Take a message if there is one now."""
    since = asked_before(execution, _POLL)
    execution.step(_POLL, HEARD, kind="message", recheck_from=since, polls=since is not None)
    message = read()
    if message is None:
        note_nothing(execution, _POLL)
    return message
