"""Reports failed connections of pymemcache, whose requests are steps by its adapter's table.

Its clients may take any failure for a cache miss (``ignore_exc``).
"""

import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_supercache.runtime.kernel.active import name_unreachable
from pytest_supercache.runtime.kernel.patches import Patches

_patches = Patches()
_asking: list[Any] = []

SECONDS = 1.0
"""Real seconds after which a server counts as unreachable."""


def open() -> list[tuple[Any, Any]]:
    """Patch the method by which clients connect."""
    _patches.wrap(sys.modules["pymemcache.client.base"].Client, "_connect", _connecting)
    return []


def close() -> None:
    """Restore the method."""
    _patches.undo()


def close_opened() -> None:
    """Do nothing: this door opens no connections."""


def note_early(address: Any) -> None:
    """Name a server that cannot be reached by a client that connects before the patch is there.

    The library was imported in this execution. Its client may take the server for dead from now
    on, and connect no more.
    """
    if _patches.places or _asking:
        return
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    family = socket.AF_INET6 if ":" in str(address[0]) else family
    _asking.append(address)
    try:
        with socket.socket(family) as probe:
            probe.settimeout(SECONDS)
            probe.connect(address)
    except OSError as error:
        name_unreachable(f"memcached at {_shown(address)}", error)
    finally:
        _asking.pop()


def _connecting(connect: Callable[[Any], None]) -> Callable[[Any], None]:
    def connected(client: Any) -> None:
        try:
            connect(client)
        except OSError as error:
            if isinstance(client.socket_module, ModuleType):  # else a double, maybe on purpose
                name_unreachable(f"memcached at {_shown(client.server)}", error)
            raise

    return connected


def _shown(server: Any) -> str:
    return ":".join(map(str, server)) if isinstance(server, tuple) else str(server)
