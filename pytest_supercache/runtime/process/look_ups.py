"""Detects look-ups of external host names by code under test.

A name that does not resolve never leads to a connection, so the look-up itself must be detected.
Names of this machine, and numeric addresses, need no look-up.
"""

import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress
from typing import Any

EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"})
"""Audit events of a look-up, whose first argument is the host."""

_OF_THIS_MACHINE = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


def foreign_host(host: Any, own_addresses: Collection[Any]) -> str | None:
    """Return the host name if resolving it needs DNS; None for numeric and local addresses.

    Args:
        host: the name to resolve.
        own_addresses: the addresses of the existing cache, whose client resolves its name, too.
    """
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    if name.lower() in _OF_THIS_MACHINE or name == socket.gethostname():
        return None
    if any(isinstance(own, tuple) and own[0] == name for own in own_addresses):
        return None
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return None
    return name
