"""Opens the socket of a descriptor, and asks between which addresses it connects.

The class of C is used: tools of tests put others in the place of Python's, which refuse to be made.
"""

import os
import socket
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
