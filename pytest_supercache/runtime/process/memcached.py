"""Reports failed connections of pymemcache, whose requests are steps by its adapter's table.

Its clients may take any failure for a cache miss (``ignore_exc``).
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.unreachable import name_unreachable

_patches = Patches()


def open() -> list[tuple[Any, Any]]:
    """Patch the method by which clients connect."""
    _patches.wrap(sys.modules["pymemcache.client.base"].Client, "_connect", _connecting)
    return []


def close() -> None:
    """Restore the method."""
    _patches.undo()


def close_opened() -> None:
    """Do nothing: this door opens no connections."""


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
