"""Makes receiving a message of a Redis channel a step.

A listener first checks for a message, then waits for a publication (or a subscription). A
non-blocking read is a poll (`polling`).
"""

import select
from collections.abc import Awaitable, Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.switch import at_once
from pytest_supercache.layers.existing_cache import PLACE
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.polling import poll

HEARD = Footprint(reads=frozenset({f"{PLACE}.channels:*"}))
_POLL = "poll for a message"

Read = Callable[[], Any]
"""Returns a message that has arrived; None when there is none."""

ReadAwaited = Callable[[], Awaitable[Any]]
"""The same of a client of asyncio."""


def receive(execution: ExecutionContext, read: Read, timeout: float | None) -> Any:
    """Wait for a message and return it; None when ``timeout`` virtual seconds pass first."""

    async def read_at_once() -> Any:
        return read()

    return at_once(areceive(execution, read_at_once, timeout, _step))


async def areceive(
    execution: ExecutionContext,
    read: ReadAwaited,
    timeout: float | None,
    step: Callable[..., Awaitable[bool]] = async_context.step,
) -> Any:
    """Wait in a task, as :func:`receive` does on a thread; ``step`` takes each step."""
    deadline, footprint = None, HEARD
    if timeout is not None:
        deadline = execution.now() + timeout
        footprint = HEARD | Footprint(reads=frozenset({"clock:now"}))
    await step(execution, "receive a message", HEARD, kind="message")
    message = await read()
    while message is None:
        is_in_time = await step(
            execution, "receive a message, at last", footprint, kind="message", deadline=deadline,
            recheck_from=len(execution.record.steps),
        )  # fmt: skip
        message = await read()
        if not is_in_time:
            return message
    return message


async def _step(
    execution: ExecutionContext, label: str, footprint: Footprint, **options: Any
) -> bool:
    return execution.step(label, footprint, **options)


def receive_now(execution: ExecutionContext, read: Read) -> Any:
    """Return a message if one has arrived; else None."""
    return poll(execution, _POLL, HEARD, read, kind="message")


async def has_arrived(connection: Any) -> bool:
    """Say whether a connection of asyncio, to a server that is quiet, has something to read.

    Its parser, its stream and its socket may each hold something that the one before has not taken.
    """
    stream = connection._reader  # noqa: SLF001 - redis-py 7 has no method that only looks
    writer = connection._writer  # noqa: SLF001 - nor one that returns the socket
    replies = getattr(getattr(connection, "_parser", None), "_reader", None)  # those of hiredis
    if replies is not None and replies.has_data():
        return True
    if stream._buffer or stream.at_eof():  # noqa: SLF001 - a stream has no method that only looks
        return True
    sockets = select.poll()
    sockets.register(writer.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(sockets.poll(0))
