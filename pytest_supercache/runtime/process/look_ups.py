"""Detects look-ups of external host names by code under test.

A name that does not resolve never becomes a connection, so it has to be heard of by itself. Names
of this machine, and addresses written as numbers, are looked up nowhere.
"""

import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress
from typing import Any

EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"})
"""Audit events of a look-up; the host is their first argument."""

_OF_THIS_MACHINE = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


def foreign_host(host: Any, own_addresses: Collection[Any]) -> str | None:
    """Return the host name if resolving it needs DNS; None for numeric and local addresses.

    Args:
        host: what is looked up.
        own_addresses: those of the existing cache, whose client asks for its name, too.
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
