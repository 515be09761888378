"""Names what tasks wait for when nothing is ready: each other, or a foreign socket.

A socket that nobody here controls answers in real time. Virtual time goes on as soon as nothing
else can, past an answer that is on its way, so such an execution proves nothing.
"""

import os
import selectors
import socket
from asyncio import Task
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_supercache.runtime.kernel.actor import State
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.task_actor import TaskActor


def note_waits(
    controller: Controller,
    actors: Mapping[Task[Any], TaskActor],
    sockets: selectors.BaseSelector | None,
    connections: Iterable[Any],
) -> None:
    """Note which tasks wait for each other, or for sockets that are no client's of a layer.

    Args:
        controller: is told.
        actors: the flows of the loop's tasks.
        sockets: that the loop waits for.
        connections: of clients, whose commands are steps.
    """
    waiting = [(t, a) for t, a in actors.items() if a.state is State.RUNNING and not t.done()]
    if not controller.shared_memory:
        for task, actor in waiting:
            if actor.meets_others(task):
                controller.note_memory(f"{actor.name} awaited what another actor ends")
    if sockets is not None and waiting:
        foreign = {key.fd for key in sockets.get_map().values()} - _of_clients(connections)
        if foreign:
            names = ", ".join(sorted({actor.name for _, actor in waiting}))
            controller.hazard(
                f"{names} may wait for {_named(min(foreign))}, which is not controlled: it answers "
                "in real time, which virtual time does not wait for. Replace what answers by a "
                "double in memory"
            )


def _of_clients(connections: Iterable[Any]) -> set[int]:
    """Return the file descriptors of the connections whose commands are steps."""
    writers = (getattr(connection, "_writer", None) for connection in connections)
    found = (writer.get_extra_info("socket") for writer in writers if writer is not None)
    return {one.fileno() for one in found if one is not None}


def _named(descriptor: int) -> str:
    """Name a socket by the address of the other side, or what else it may be."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as found:
            peer = found.getpeername() or "the other end of a pair"
    except OSError:
        return "a socket or a pipe"
    return f"the socket to {':'.join(map(str, peer[:2])) if isinstance(peer, tuple) else peer}"
