"""Pins a check to one core: a handoff between threads is three times cheaper there."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STAT = Path("/proc/thread-self/stat")
_PROCESSOR = 36
"""The position of the core in that file, after the name of the thread, which may have spaces."""

_CLAIM = "pytest-supercache is pinned to core"

_claims: list[socket.SocketType] = []
"""The socket that is this process's claim; not a `socket.socket`, a name that tests replace."""


@contextmanager
def pinned() -> Iterator[None]:
    """Pin this thread, and those it starts, to a core; then restore the allowed cores.

    It is the core that the thread runs on, which the kernel has chosen by the load, unless another
    check on this machine has claimed it: a process that was woken for a part of a search often runs
    on the core of the process that woke it. If all cores are claimed, it stays where it is.
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(allowed) <= 1:
        yield
        return
    here = core_of_this_thread()
    cores = sorted(allowed, key=lambda core: (core != here, core))
    os.sched_setaffinity(0, {next(filter(_claim, cores), cores[0])})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        give_up_claim()


def _claim(core: int) -> bool:
    """Claim a core for the check of this process; return False if another check has claimed it.

    The claim is the address of a socket in Linux's abstract namespace: it is no file, and ends with
    the process at the latest.
    """
    claim = socket.SocketType(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0{_CLAIM} {core}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def give_up_claim() -> None:
    """Let another check claim the core of this one: it has ended, or only waits for processes."""
    while _claims:
        _claims.pop().close()


if hasattr(os, "register_at_fork"):  # a fork has a copy of the socket, which would keep the claim
    os.register_at_fork(after_in_child=give_up_claim)


def core_of_this_thread() -> int | None:
    """Return the core that this thread runs on; None where the system does not say."""
    with suppress(OSError, IndexError, ValueError):
        return int(_STAT.read_text(encoding="utf-8").rpartition(")")[2].split()[_PROCESSOR])
    return None
