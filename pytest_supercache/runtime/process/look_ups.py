"""Detects look-ups of external host names by code under test.

A name that does not resolve never leads to a connection, so the look-up itself must be detected.
Names of this machine need no look-up, and neither do numeric addresses unless their name is asked
for.
"""

import ipaddress
import socket
from collections.abc import Collection
from contextlib import suppress
from typing import Any

_OF_ADDRESSES = frozenset({"socket.gethostbyaddr", "socket.getnameinfo"})
"""Audit events of a look-up that also asks for the name of a numeric address."""

EVENTS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"}) | _OF_ADDRESSES
"""Audit events of a look-up, whose first argument is the host, or an address that begins with it.

Those of asyncio call the same functions.
"""

_OF_THIS_MACHINE = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


def foreign_host(event: str, host: Any, own_addresses: Collection[Any]) -> str | None:
    """Return the host if resolving it needs DNS, as text; None for what this machine knows.

    Args:
        event: the audit event. It does not tell of `socket.NI_NUMERICHOST`, with which no name is
            asked for.
        host: the name to resolve, or an address.
        own_addresses: the addresses of the existing cache, whose client resolves its name, too.
    """
    host = host[0] if isinstance(host, tuple) and host else host
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    if name.lower() in _OF_THIS_MACHINE or name == socket.gethostname():
        return None
    if any(isinstance(own, tuple) and own[0] == name for own in own_addresses):
        return None
    with suppress(ValueError):
        is_own = ipaddress.ip_address(name).is_loopback
        return name if event in _OF_ADDRESSES and not is_own else None
    return name
