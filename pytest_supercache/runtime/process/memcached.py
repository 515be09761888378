"""pymemcache: a connection that fails is named; its requests are steps by its table.

Its clients may take any failure for a miss (``ignore_exc``).
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.unreachable import name_unreachable

_patches = Patches()


def open() -> list[tuple[Any, Any]]:
    """Look at how clients connect."""
    _patches.wrap(sys.modules["pymemcache.client.base"].Client, "_connect", _connecting)
    return []


def close() -> None:
    """Put everything back."""
    _patches.undo()


def close_opened() -> None:
    """Nothing was opened here."""


def _connecting(connect: Callable[[Any], None]) -> Callable[[Any], None]:
    def connected(client: Any) -> None:
        try:
            connect(client)
        except OSError as error:
            if isinstance(client.socket_module, ModuleType):  # else a double, which may mean it
                name_unreachable(f"memcached at {_shown(client.server)}", error)
            raise

    return connected


def _shown(server: Any) -> str:
    return ":".join(map(str, server)) if isinstance(server, tuple) else str(server)
