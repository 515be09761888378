"""Names what tasks wait for when no callback is ready: each other, or a foreign socket.

A socket outside of control answers in real time. Virtual time advances as soon as no actor is
enabled, past an answer that is in flight, so such an execution proves nothing.
"""

import selectors
from asyncio import Task
from collections.abc import Iterable
from typing import Any

from pytest_supercache.core.socket_ends import opened_again
from pytest_supercache.runtime.aio.loop import LoopInterface
from pytest_supercache.runtime.kernel.actor import State
from pytest_supercache.runtime.kernel.waking import wait_of

Waiting = frozenset[tuple[str, Any]]
"""The names of actors, each with the future that it waits for."""


def note_waits(
    loop: LoopInterface, before: Waiting | None, sockets: selectors.BaseSelector | None
) -> Waiting:
    """Note which tasks wait for each other, or for sockets of no client of a layer.

    Args:
        loop: what the tasks run on; its controller keeps the notes.
        before: what waited inside asyncio already; None: this is the start.
        sockets: the sockets that the loop waits for.

    Returns:
        What waits inside asyncio now.
    """
    controller = loop.controller
    waiting = [
        (task, actor)
        for task, actor in loop.actors.items()
        if actor.state is State.RUNNING and not Task.done(task)
    ]
    if not controller.shared_memory:
        for task, actor in waiting:
            is_new = before is not None and (actor.name, _waiter(task)) not in before
            if is_new and controller.memory is not None:
                controller.memory.note_synchronization(actor, wait_of(actor))
            if actor.awaits_others(task):
                controller.note_memory(f"{actor.name} awaited what another actor ends")
    if sockets is not None and waiting:
        foreign = {key.fd for key in sockets.get_map().values()} - _of_clients(loop.connections)
        if foreign:
            names = ", ".join(sorted({actor.name for _, actor in waiting}))
            controller.hazard(
                f"{names} may wait for {_named(min(foreign))}, which is not controlled: it answers "
                "in real time, which virtual time does not wait for. Replace what answers by a "
                "double in memory"
            )
    return frozenset((actor.name, _waiter(task)) for task, actor in waiting)


def _waiter(task: Any) -> Any:
    """Return the future that a task waits for."""
    return getattr(task, "_fut_waiter", None)


def _of_clients(connections: Iterable[Any]) -> set[int]:
    """Return the file descriptors of the connections whose commands are steps."""
    writers = (getattr(connection, "_writer", None) for connection in connections)
    found = (writer.get_extra_info("socket") for writer in writers if writer is not None)
    return {one.fileno() for one in found if one is not None}


def _named(descriptor: int) -> str:
    """Name a socket by the address of its peer; another descriptor by what it may be."""
    try:
        with opened_again(descriptor) as found:
            peer = found.getpeername() or "the other end of a pair"
    except OSError:
        return "a socket or a pipe"
    return f"the socket to {':'.join(map(str, peer[:2])) if isinstance(peer, tuple) else peer}"
