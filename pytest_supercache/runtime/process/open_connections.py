"""Detects that code under test uses a connection which was there before the execution.

The interpreter reports that a socket connects, and not what is sent on it. What asyncio does with
its sockets is judged by its loop (`aio.loop_waits`).
"""

import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.own_code import RUNTIME
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.under_test import is_standard_name

_USES = (
    "send", "sendall", "sendmsg", "sendfile", "recv", "recv_into", "recvmsg", "recvmsg_into",
    "read", "write",
)  # fmt: skip

_DEBUGGERS = ("pydevd", "_pydevd_", "debugpy")

_Method = Callable[..., Any]


def watch(patches: Patches, clients: tuple[str, ...]) -> None:
    """Report what users send and receive on sockets, but for these clients and for debuggers.

    What a declared call does with its connection is declared.

    Args:
        patches: undoes it.
        clients: prefixes of modules whose connections are controlled.
    """

    def told(method: _Method) -> _Method:
        def tell(used: socket.socket, *args: Any, **options: Any) -> Any:
            if _is_by_user() and _is_by_others((*clients, *_DEBUGGERS), sys._getframe(1)):
                _name(used)
            return method(used, *args, **options)

        return tell

    for owner in (socket.socket, ssl.SSLSocket):
        for name in _USES:
            if hasattr(owner, name):
                patches.wrap(owner, name, told)


def _is_by_user() -> bool:
    """Say whether the calling thread runs a user's code, outside of a declared call."""
    actor = current_actor()
    return actor is not None and not (actor.direct or actor.inherited)


def _is_by_others(clients: tuple[str, ...], frame: Any) -> bool:
    """Say whether neither asyncio nor one of these modules uses a socket."""
    for name in _modules_of(frame):
        if name.startswith("asyncio."):
            return False
        is_between = is_standard_name(name.partition(".")[0]) or name.startswith(RUNTIME)
        if not is_between:
            return not name.startswith(clients)
    return True


def _modules_of(frame: Any) -> Iterator[str]:
    while frame is not None:
        yield str(frame.f_globals.get("__name__"))
        frame = frame.f_back


def _name(used: socket.socket) -> None:
    """Note as a hazard that a connection is used, unless both of its ends are here."""
    try:
        peer = used.getpeername()
    except OSError:
        return  # it is not connected
    execution = controlled()
    if execution is not None and peer:
        shown = ":".join(map(str, peer[:2])) if isinstance(peer, tuple) else str(peer)
        execution.controller.leave_control(
            f"the code under test uses a connection to {shown}, which is not controlled: its "
            "answers may differ from run to run. Put a double in the place of what uses it"
        )
