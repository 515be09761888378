"""Knows which connections of drivers in native code are under control.

Nothing reports what native code connects: that such a connection is there shows later, when the
sockets of the process are looked at.
"""

import os
from typing import Any

SERVERS = set[Any]()
"""The addresses to which all connections are under control."""

SOCKETS = set[int]()
"""The inodes of the sockets of other connections that are."""


def note_socket(descriptor: int) -> None:
    """Note the socket of a connection whose statements are steps."""
    SOCKETS.add(os.fstat(descriptor).st_ino)
