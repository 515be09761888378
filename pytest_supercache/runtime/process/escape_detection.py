"""Detects foreign connections, look-ups, datagrams, threads and processes of code under test.

They are allowed and reported, so that the verdict is UNKNOWN with a reason. Only a `ThreadPool` of
`multiprocessing` gets no threads: it would wait for all of them when it ends. Audit events report
sockets and processes; threads have none on Python 3.11, so their start is wrapped, and threads that
code under test starts become actors (`threads`). ``Condition.wait`` is wrapped, too, because real
queues, barriers and futures wait in it.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

from pytest_supercache.core import failed_connections
from pytest_supercache.declare.registry import REGISTRY
from pytest_supercache.runtime.kernel import audit
from pytest_supercache.runtime.kernel.active import hearing
from pytest_supercache.runtime.kernel.actor import ActorThread
from pytest_supercache.runtime.kernel.calling import current_actor, here
from pytest_supercache.runtime.kernel.children import children_adopted, started
from pytest_supercache.runtime.kernel.execution_context import unnumbered
from pytest_supercache.runtime.kernel.own_code import LAYERS, RUNTIME
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.under_test import is_standard_name
from pytest_supercache.runtime.process import look_ups, memcached, open_connections
from pytest_supercache.runtime.process.native_connections import native_connections_found
from pytest_supercache.runtime.sync import threads

_DATAGRAMS = frozenset({"socket.sendto", "socket.sendmsg"})
_PROCESSES = frozenset({"os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"})
_FOLDER = "os.chdir"
_HEARD = _DATAGRAMS | _PROCESSES | look_ups.EVENTS | {"socket.connect", _FOLDER}
"""Audit events by which code under test may escape control."""

_STEPWISE = frozenset({"pymemcache.client.base"})
"""Clients whose every request is a declared step: no other client has their server.

A failed connection is reported where it is made.
"""

_CLIENTS = ("redis.", "valkey.", "fakeredis.", "pymemcache.", LAYERS)
"""Modules of controlled clients."""

_DRIVERS = ("asyncpg.",)
"""Modules of drivers that connect in Python, and whose statements are steps."""

_NAMED_WHERE_THEY_CONNECT = ("pymemcache.", "psycopg.", "pymysql.", *_DRIVERS)
"""Modules of controlled clients that report an unreachable server themselves."""

_BY_THEIR_DOORS = ("pymysql.",)
"""Modules of clients whose doors say whether a connection is controlled."""

_Method = Callable[..., Any]

_own_addresses: list[frozenset[Any]] = []
_starting: list[int] = []  # threads that are inside Thread.start


@contextmanager
def escapes_detected(own_addresses: frozenset[Any]) -> Iterator[None]:
    """Report calls that escape control; connections to ``own_addresses`` do not.

    An address is a path, or a host and a port.
    """
    audit.listen(_HEARD, _hear)
    with children_adopted(), native_connections_found(), Patches() as replaced:
        for owner, name, make in (
            (threading.Thread, "start", _named_start),
            (threading.Thread, "join", _controlled_join),
            (threading.Thread, "is_alive", _controlled_is_alive),
            (threading.Condition, "wait", _named_wait),
        ):
            replaced.wrap(owner, name, make)
        open_connections.watch(replaced, (*_CLIENTS, *_NAMED_WHERE_THEY_CONNECT))
        _own_addresses.append(own_addresses)
        try:
            yield
        finally:
            _own_addresses.pop()


def _named_start(start: _Method) -> _Method:
    def start_really(thread: threading.Thread) -> None:
        _starting.append(threading.get_ident())  # start() itself waits until the thread runs
        try:
            start(thread)
        finally:
            _starting.remove(threading.get_ident())

    def named_start(thread: threading.Thread) -> None:
        if current_actor() is not None and not isinstance(thread, ActorThread):
            if threads.start_under_control(thread, start_really):
                return
            if _is_of_thread_pool(thread):
                _name_thread_pool()
                raise RuntimeError("can't start new thread")  # as when there are too many
            start_really(thread)
            _name_start(f"a thread ({unnumbered(thread.name)}) through a library{_runs(thread)}")
            return
        start_really(thread)
        if here.is_importing:
            _name_start(f"a thread ({unnumbered(thread.name)}) while a module is imported")

    return named_start


def _runs(thread: threading.Thread) -> str:
    """Say which function a thread runs, as far as that is known: its name alone says little."""
    target = getattr(thread, "_target", None)
    function = target.__func__ if type(target) is MethodType else target
    if type(function) is not FunctionType:
        return ""
    return f", which runs {function.__module__}.{function.__qualname__}"


def _is_of_thread_pool(thread: threading.Thread) -> bool:
    """Say whether a thread belongs to a ``multiprocessing.pool.ThreadPool``."""
    target = getattr(thread, "_target", None)
    return getattr(target, "__module__", None) == "multiprocessing.pool"


def _controlled_join(join: _Method) -> _Method:
    def controlled_join(thread: threading.Thread, timeout: float | None = None) -> None:
        found = threads.actor_looked_at(thread)
        if found is None:
            join(thread, timeout)
        else:
            threads.join(*found, timeout)

    return controlled_join


def _controlled_is_alive(is_alive: _Method) -> _Method:
    def controlled_is_alive(thread: threading.Thread) -> bool:
        found = threads.actor_looked_at(thread)
        return bool(is_alive(thread)) if found is None else threads.is_alive(*found)

    return controlled_is_alive


def _named_wait(wait: _Method) -> _Method:
    def named_wait(condition: threading.Condition, timeout: float | None = None) -> bool:
        if _is_heard() and threading.get_ident() not in _starting:
            _name_wait()
        return bool(wait(condition, timeout))

    return named_wait


def _hear(event: str, args: tuple[Any, ...]) -> None:
    if not _own_addresses or not _is_heard():
        return
    if event == "socket.connect":
        _hear_connection(args[1], _caller(sys._getframe(2)))
    elif event in look_ups.EVENTS:
        host = look_ups.foreign_host(event, args[0], _own_addresses[-1])
        if host is not None and not _is_by(_NAMED_WHERE_THEY_CONNECT, _caller(sys._getframe(2))):
            _name_look_up(host)
    elif event in _PROCESSES:
        _name_process()
    elif event == _FOLDER:
        _name_folder()
    elif args[1] is not None:  # else it is connected, which was reported
        _name_datagram(args[1])


def name_refused(address: str, error: Exception) -> None:
    """Name a connection of code under test that a tool refused before it could be heard."""
    execution = hearing()
    if execution is not None and _is_heard():
        execution.controller.leave_control(
            f"the code under test tried to connect to {address}, and {type(error).__name__} was "
            "raised in its place: with its server it may do something else. Allow the connection, "
            "or put a double in the place of what connects"
        )


def _caller(frame: Any) -> Any:
    """Return the frame that connects, above those that report whether it succeeds."""
    while frame.f_globals.get("__name__") == failed_connections.__name__:
        frame = frame.f_back
    return frame


def _is_heard() -> bool:
    """Say whether the calling thread runs code under test: an actor's, or that of an import."""
    return current_actor() is not None or here.is_importing


def _hear_connection(to: Any, frame: Any) -> None:
    address = to[:2] if isinstance(to, tuple) else to
    if _is_by(_BY_THEIR_DOORS, frame):
        return
    if address not in _own_addresses[-1]:
        if _is_by(_DRIVERS, frame):
            return
        _name_connection(address, str(frame.f_globals.get("__name__")))
    elif not _is_by(_CLIENTS, frame) and not _calls_are_declared():
        _name_own_connection()


def _name_connection(address: Any, caller: str) -> None:
    execution = hearing()
    if execution is not None and caller in _STEPWISE:
        execution.controller.real_servers.add(caller.partition(".")[0])
        memcached.note_early(address)
    elif execution is not None:
        execution.controller.leave_control(
            f"the code under test connected to {_shown(address)}, which is not controlled: its "
            "answers may differ from run to run"
        )


def _shown(address: Any) -> str:
    return ":".join(map(str, address[:2])) if isinstance(address, tuple) else str(address)


def _name_look_up(host: str) -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.leave_control(
            f"the code under test looked up the host {host}, which is not controlled: whether it "
            "is there may differ from run to run. Put a double in the place of what asks for it"
        )


def _name_datagram(address: Any) -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.leave_control(
            f"the code under test sent a datagram to {_shown(address)}, which is not controlled: "
            "who gets it, and when, is in no schedule. Put a double in the place of what sends it"
        )


def _name_folder() -> None:
    execution = hearing()
    if execution is not None and execution.controller.phase == "race":
        execution.controller.leave_unproven(
            "the code under test changes the current folder, which all threads of a process share, "
            "and who finds which one is in no schedule. Name files by whole paths"
        )


def _is_by(clients: tuple[str, ...], frame: Any) -> bool:
    """Say whether code of one of the modules ``clients`` caused an event."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        is_between = is_standard_name(name.partition(".")[0]) or name.startswith(RUNTIME)
        if not is_between:
            return name.startswith(clients)
        frame = frame.f_back
    return False


def _calls_are_declared() -> bool:
    """Say whether any declared call goes to the existing cache, or may do so."""
    return any(callable(w.layer) or w.layer == "existing_cache" for w in REGISTRY.watches.values())


def _name_own_connection() -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.leave_control(
            "the code under test connected to the existing cache by a socket of its own: what it "
            "sends is no step. Give it layers.existing_cache.client(), or declare its calls with "
            "watch(..., 'existing_cache')"
        )


def _name_wait() -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.hazard(
            "the code under test waited on a real threading.Condition (real queues, barriers and "
            "futures wait on one too): who ends that wait is in no schedule. A library has made "
            "it, or it was made before the check and no module leads to it, or its class derives "
            "from queue.Queue, threading.Event or the like: hold one as an attribute instead"
        )


def _name_thread_pool() -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.hazard(
            "the code under test makes a pool of threads of multiprocessing (ThreadPool), which is "
            "not under control in this version. Let it use a ThreadPoolExecutor of "
            "concurrent.futures: what is given to its submit and map is raced"
        )


def _name_process() -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.leave_control(started("a process"))


def _name_start(what: str) -> None:
    execution = hearing()
    if execution is not None:
        execution.controller.hazard(started(what))
