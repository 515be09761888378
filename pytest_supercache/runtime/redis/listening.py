"""Makes receiving a message of a Redis channel a step.

A listener first checks for a message, then waits for a publication (or a subscription). A
non-blocking read is a poll (`polling`).
"""

from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.polling import poll

HEARD = Footprint(reads=frozenset({f"{PLACE}.channels:*"}))
_POLL = "poll for a message"

Read = Callable[[], Any]
"""Returns a message that has arrived; None when there is none."""


def receive(execution: ExecutionContext, read: Read, timeout: float | None) -> Any:
    """Wait for a message and return it; None when ``timeout`` virtual seconds pass first."""
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


def receive_now(execution: ExecutionContext, read: Read) -> Any:
    """Return a message if one has arrived; else None."""
    return poll(execution, _POLL, HEARD, read, kind="message")
