"""Finds, names and kills child processes that code under test leaves behind.

Audit events report most process starts, but none by C code, and never the process id. So the kernel
is asked, through ``/proc`` on Linux, which children an execution has left. They are killed at once:
a surviving process keeps its inherited files open, for example a pipe in CI. Ignored are children
from before the execution, and those of threads from before the check, such as a fixture's pool. A
grandchild that has lost its parent is adopted by this process during a check, and counts by its
start time. Without ``/proc`` nothing is ended; audit events make the execution UNKNOWN there too.

A fork of the code under test takes no part in the execution: its calls pass through uncontrolled,
its first handoff ends it (:mod:`runtime.kernel.baton`), and it ends with the process that forked.
"""

import _thread
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pytest_supercache.core.lifeline import Lifeline
from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.runtime.kernel import active
from pytest_supercache.runtime.kernel.calling import here, unbind_thread

END_SECONDS = 2.0
"""How long a killed child may take to exit."""

GENERATIONS_MAX = 20
"""How many times to look for orphans of processes that were just killed."""

_LINE_MAX = 65_536
_TASKS = "/proc/self/task"
_GET_SUBREAPER, _SET_SUBREAPER = 37, 36  # linux/prctl.h
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_STATE, _START_TIME = 0, 19  # fields of /proc/PID/stat behind the name of the program

Hazard = Callable[[str], None]

_SHARED = (
    "the code under test makes shared memory, or a lock, of multiprocessing; other processes may "
    "change it, which is in no schedule. Let the test give it a bytearray, or a lock of threading"
)


def started(what: str) -> str:
    """Return the hazard of an execution in which code under test has started ``what``."""
    return (
        f"the code under test has started {what}; what it does is in no schedule, and this "
        "version does not control it"
    )


class _Children:
    """The child processes that the executions of one check leave behind."""

    def __init__(self, lifeline: Lifeline) -> None:
        self._lifeline = lifeline
        caller = threading.get_native_id()
        self._others = {task for task in _tasks() if task != caller}

    @contextmanager
    def during(self, hazard: Hazard) -> Iterator[None]:
        """Note processes that the execution starts as hazards, and kill those that remain."""
        before, begun = _children(set()), _now()
        _executing.append(self._lifeline)
        try:
            yield
        finally:
            _executing.pop()
            if _has_any():
                self._end_others_than(before, begun, hazard)

    def _end_others_than(self, before: set[int], begun: int, hazard: Hazard) -> None:
        for _ in range(GENERATIONS_MAX):
            found = {
                process: stat
                for process in _children(self._others) - before
                if (stat := _stat(process)) is not None and int(stat[1][_START_TIME]) >= begun
            }
            if not found:
                return
            tracking = _tracking()
            tracker = tracking.get("_pid")
            hazard(_SHARED if found.keys() == {tracker} else started("a process"))
            for process, (name, fields) in found.items():
                before.add(process)
                said = _ended(process, name) if fields[_STATE] != "Z" else ""
                if said and process != tracker:
                    hazard(said)
            _reap(found)
            if tracker in found:
                _forget(tracking)


_checks: list[_Children] = []


@contextmanager
def children_adopted() -> Iterator[None]:
    """Adopt every process that an execution leaves behind, during a check."""
    lifeline = Lifeline()
    _checks.append(_Children(lifeline))
    try:
        with _orphans_adopted():
            yield
    finally:
        _checks.pop()
        lifeline.cut()
        lifeline.drop_far_end()


@contextmanager
def children_ended(hazard: Hazard) -> Iterator[None]:
    """Kill child processes at the end of an execution, and note each as a hazard."""
    if not _checks:
        yield
        return
    with _checks[-1].during(hazard):
        yield


# -- what the kernel knows -------------------------------------------------------------------------


def _has_any() -> bool:
    """Say whether this process has any children; a very cheap check."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _tasks() -> set[int]:
    """Return the native thread ids of this process."""
    with suppress(OSError), os.scandir(_TASKS) as entries:
        return {int(entry.name) for entry in entries}
    return set()


def _children(others: set[int]) -> set[int]:
    """Return the children of this process, except those started by the threads ``others``."""
    found: set[int] = set()
    if not _has_any():
        return found
    for task in _tasks() - others:
        with suppress(OSError):  # a thread that has just ended
            found.update(map(int, _read(f"{_TASKS}/{task}/children").split()))
    return found


def _tracking() -> dict[str, Any]:
    """Return the attributes of Python's resource tracker; empty: multiprocessing has none yet.

    The tracker process is ended with the execution, too, so that the next start is noticed.
    """
    module = sys.modules.get("multiprocessing.resource_tracker")
    return {} if module is None else vars(vars(module)["_resource_tracker"])


def _forget(tracking: dict[str, Any]) -> None:
    """Let Python start the resource tracker anew when it is needed again."""
    with suppress(OSError, TypeError):
        os.close(tracking["_fd"])
    tracking.update(_fd=None, _pid=None)


def _read(path: str) -> bytes:
    """Return a line of a ``/proc`` file; a file object would cost more than the read."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LINE_MAX)
    finally:
        os.close(descriptor)


def _stat(process: int) -> tuple[str, list[str]] | None:
    """Return the name of a process's program and the stat fields after it; None: it is gone."""
    try:
        text = _read(f"/proc/{process}/stat").decode(errors="replace")
    except OSError:
        return None
    begun, _, fields = text.rpartition(") ")
    return begun.partition(" (")[2], fields.split()


_gettime = time.clock_gettime  # a check replaces it for code under test


def _now() -> int:
    """Return the time since boot in clock ticks, the unit of a process's start time in /proc."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return int(_gettime(clock) * _TICKS_PER_SECOND)


@contextmanager
def _orphans_adopted() -> Iterator[None]:
    """Become the parent of orphaned descendants, where the platform supports that."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    before = ctypes.c_int()
    if prctl is None or prctl(_GET_SUBREAPER, ctypes.byref(before), 0, 0, 0):
        yield
        return
    prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_SET_SUBREAPER, before.value, 0, 0, 0)


# -- ending ----------------------------------------------------------------------------------------


def _ended(process: int, name: str) -> str:
    """Kill a child and return a message that says so."""
    said = f"a process that the code under test has started outlived the execution: {name}"
    try:
        os.kill(process, signal.SIGKILL)
    except PermissionError:
        return f"{said} (process {process}). It could not be ended: end it by hand"
    except ProcessLookupError:
        pass
    return f"{said}. It was ended; let the code wait for what it starts"


def _reap(processes: Iterable[int]) -> None:
    """Wait until killed children have exited, and leave no zombies."""
    end = real_seconds() + END_SECONDS
    while any(map(_is_ending, processes)) and real_seconds() < end:
        _real_sleep(0.001)
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None:
        multiprocessing.active_children()  # it waits for its own
    for process in processes:
        with suppress(ChildProcessError):
            os.waitpid(process, os.WNOHANG)


def _is_ending(process: int) -> bool:
    """Say whether a child still runs: a process exits with the last of its threads."""
    try:
        return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False


_real_sleep = time.sleep


# -- in a fork -------------------------------------------------------------------------------------

_executing: list[Lifeline] = []
"""Lifelines of the checks whose execution runs in this process."""


def _leave_execution() -> None:
    """Leave the execution after a fork by, or beside, code under test: it is the parent's."""
    if not _executing:
        return
    lifeline, by_code_under_test = _executing[-1], here.actor is not None
    _executing.clear()
    active.leave()
    unbind_thread()
    if by_code_under_test:
        with suppress(RuntimeError):  # no further thread can be started
            _thread.start_new_thread(_end_with, (lifeline,))


def _end_with(lifeline: Lifeline) -> None:
    lifeline.is_cut(within=None)
    os._exit(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_execution)
