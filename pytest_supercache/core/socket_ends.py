"""Finds the sockets of this process, and between which addresses they connect.

The class of C is used: tools of tests put others in the place of Python's, which refuse to be made.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def opened_again(descriptor: int) -> Iterator[socket.SocketType]:
    """Yield the socket of a descriptor through a descriptor of its own, which is closed after it.

    Raises:
        OSError: the descriptor is closed, or no socket.
    """
    own = os.dup(descriptor)
    try:
        ours = socket.SocketType(fileno=own)
    except OSError:
        os.close(own)
        raise
    try:
        yield ours
    finally:
        ours.close()


def ends_of(descriptor: int) -> tuple[Any, Any]:
    """Return the addresses of both ends of a socket; None: it has none."""
    with suppress(OSError), opened_again(descriptor) as ours:
        own = ours.getsockname()
        with suppress(OSError):
            return own, ours.getpeername()
        return own, None
    return None, None


def open_descriptors() -> set[str]:
    """Return the numbers of the open descriptors; none on a system without a list of them."""
    with suppress(OSError), os.scandir(_DESCRIPTORS) as entries:
        return {entry.name for entry in entries}
    return set()


def open_sockets() -> dict[int, int]:
    """Return the sockets of this process: inode -> descriptor."""
    found = dict[int, int]()
    for name in open_descriptors():
        with suppress(OSError, ValueError):  # that of the list itself is closed
            facts = os.fstat(int(name))
            if stat.S_ISSOCK(facts.st_mode):
                found[facts.st_ino] = int(name)
    return found


_DESCRIPTORS = "/dev/fd"
