"""What leads out of control: foreign connections, threads and processes of the code under test.

They are let through and named, so that the run says UNKNOWN with a reason. Sockets and processes
are heard through Python's audit events; threads have none on 3.11, so their start is wrapped. So is
``Condition.wait``, below which queues, barriers and futures wait for real.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from pytest_supercache.runtime.active import controlled
from pytest_supercache.runtime.actor import ActorThread
from pytest_supercache.runtime.calling import current_actor

_PROCESS_STARTS = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn"})

_own_sockets: list[str | None] = []
_starting: list[int] = []  # threads that are inside Thread.start
_installed = False


@contextmanager
def surroundings_watched(own_socket: str | None) -> Iterator[None]:
    """Name what leads out of control; a connection to ``own_socket`` does not."""
    global _installed
    if not _installed:
        sys.addaudithook(_hear)  # cannot be taken back; it does nothing while nobody listens
        _installed = True
    start = threading.Thread.start

    wait = threading.Condition.wait

    @wraps(start)
    def named_start(thread: threading.Thread) -> None:
        if current_actor() is not None and not isinstance(thread, ActorThread):
            _name_start("a thread of its own")
        _starting.append(threading.get_ident())  # start() itself waits until the thread runs
        start(thread)
        _starting.remove(threading.get_ident())

    @wraps(wait)
    def named_wait(condition: threading.Condition, timeout: float | None = None) -> bool:
        if current_actor() is not None and threading.get_ident() not in _starting:
            _name_wait()
        return wait(condition, timeout)

    _own_sockets.append(own_socket)
    threading.Thread.start = named_start  # type: ignore[method-assign,assignment]
    threading.Condition.wait = named_wait  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
        threading.Condition.wait = wait  # type: ignore[method-assign]
        _own_sockets.pop()


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if not _own_sockets or current_actor() is None:
        return
    if event == "socket.connect" and args[1] != _own_sockets[-1]:
        _name_connection(args[1])
    elif event in _PROCESS_STARTS:
        _name_start("a process")


def _name_connection(address: Any) -> None:
    execution = controlled()
    if execution is not None:
        shown = ":".join(map(str, address[:2])) if isinstance(address, tuple) else address
        execution.controller.hazard(
            f"the code under test connected to {shown}, which is not controlled: its answers may "
            "differ from run to run"
        )


def _name_wait() -> None:
    execution = controlled()
    if execution is not None:
        execution.controller.hazard(
            "the code under test waited on a real threading.Condition (a Queue, a Barrier and a "
            "Future wait on one too); this version controls Lock, RLock, Event and Semaphore"
        )


def _name_start(what: str) -> None:
    execution = controlled()
    if execution is not None:
        execution.controller.hazard(
            f"the code under test has started {what}; what it does is in no schedule, and this "
            "version does not control it"
        )
