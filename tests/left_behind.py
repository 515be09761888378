"""What a run of tests could leave in its process, to be compared before and after."""

import builtins
import gc
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_supercache.runtime.kernel.frozen_objects import is_any_frozen

REPLACED = (
    "time:time", "time:sleep", "time:monotonic", "time:perf_counter", "datetime:datetime",
    "uuid:uuid1", "uuid:uuid4", "random:random", "random:randint",
    "threading:Thread.start", "threading:Thread.join",
    "threading:Thread.is_alive", "threading:Condition.wait", "threading:Lock", "threading:Event",
    "queue:Queue", "asyncio:sleep", "asyncio:new_event_loop", "asyncio:Lock",
    "concurrent.futures:ThreadPoolExecutor", "redis.client:Redis.execute_command",
    "redis.client:Pipeline.execute", "redis.connection:ConnectionPool.make_connection",
    "redis.connection:AbstractConnection.send_packed_command",
)  # fmt: skip
"""What a check replaces while it runs."""


def traces() -> dict[str, Any]:
    """Return what must be the same afterwards."""
    found: dict[str, Any] = {name: _value(name) for name in REPLACED}
    found["import"] = builtins.__import__
    found["unraisable hook"] = sys.unraisablehook
    found["threads"] = {thread.name for thread in _threads()}
    found["processes"] = _children()
    found["cores"] = os.sched_getaffinity(0)
    found["sockets"] = _sockets()
    found["frozen objects"] = is_any_frozen()
    shown = time.time()  # noqa: TID251 - whether it is the real one is the question
    found["is time frozen"] = abs(shown - _boot_and_uptime()) > 60
    return found


def let_end(threads: set[str]) -> None:
    """Wait for threads other than these, and processes, that are about to end.

    A pool lets its threads go at once; a process that was told to end needs its time.
    """
    for thread in _threads():
        if thread.name not in threads:
            thread.join(5.0)
    waits = threading.Event()
    for _ in range(50):
        if not _children():
            return
        waits.wait(0.1)


def _threads() -> list[threading.Thread]:
    """Return live threads; `threading` keeps listing threads it did not start after they end."""
    tasks = Path("/proc/self/task")
    return [one for one in threading.enumerate() if (tasks / str(one.native_id)).exists()]


def _value(name: str) -> Any:
    module, _, path = name.partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    for part in path.split("."):
        value = vars(value)[part] if isinstance(value, type) else getattr(value, part)
    return value


def _children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            for child in (task / "children").read_text().split():
                command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
                found.add(f"{child} {command.decode(errors='replace')}".strip())
    return found


def _sockets() -> set[str]:
    """Name the connections that some object still holds open."""
    gc.collect()
    return {
        repr(thing)
        for thing in gc.get_objects()
        if type(thing) is socket.socket and thing.fileno() >= 0
    }


def _boot_and_uptime() -> float:
    """Return the time of day as the kernel tells it to those who do not ask `time`."""
    lines = Path("/proc/stat").read_text().splitlines()
    boot = next(line for line in lines if line.startswith("btime"))
    return float(boot.split()[1]) + float(Path("/proc/uptime").read_text().split()[0])
