"""Asks a socket, by its descriptor, between which addresses it connects."""

import os
import socket
from contextlib import suppress
from typing import Any


def ends_of(descriptor: int) -> tuple[Any, Any]:
    """Return the addresses of both ends of a socket; None: it has none."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as ours:
        own = ours.getsockname()
        with suppress(OSError):
            return own, ours.getpeername()
        return own, None
    return None, None
