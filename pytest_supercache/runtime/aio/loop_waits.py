"""Names what tasks wait for when nothing is ready: each other, or a foreign socket.

A socket that nobody here controls answers in real time. Virtual time goes on as soon as nothing
else can, past an answer that is on its way, so such an execution proves nothing.
"""

import os
import selectors
import socket
from typing import TYPE_CHECKING

from pytest_supercache.runtime.kernel.actor import State

if TYPE_CHECKING:
    from pytest_supercache.runtime.aio.event_loop import ControlledLoop


def note_waits(loop: "ControlledLoop", sockets: selectors.BaseSelector | None) -> None:
    """Note which tasks wait for each other, or for sockets that are no client's of a layer."""
    waiting = [(t, a) for t, a in loop.actors.items() if a.state is State.RUNNING and not t.done()]
    if not loop.controller.shared_memory:
        for task, actor in waiting:
            if actor.meets_others(task):
                loop.controller.note_memory(f"{actor.name} awaited what another actor ends")
    if sockets is not None and waiting:
        foreign = {key.fd for key in sockets.get_map().values()} - _of_clients(loop)
        if foreign:
            names = ", ".join(sorted({actor.name for _, actor in waiting}))
            loop.controller.hazard(
                f"{names} may wait for {_named(min(foreign))}, which is not controlled: it answers "
                "in real time, which virtual time does not wait for. Replace what answers by a "
                "double in memory"
            )


def _of_clients(loop: "ControlledLoop") -> set[int]:
    """Return the file descriptors of the connections whose commands are steps."""
    writers = (getattr(connection, "_writer", None) for connection in loop.connections)
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
