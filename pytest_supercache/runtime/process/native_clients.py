"""Reports clients in native code where they are made: their connections may end before the race.

`native_connections` finds those of any client, if they are still open.
"""

import sys
from inspect import getattr_static
from typing import Any

from pytest_supercache.runtime.kernel.active import hearing
from pytest_supercache.runtime.kernel.patches import Patches

CLIENTS = {
    "pylibmc.client": ("Client", "__init__", "pylibmc", "pymemcache"),
    "glide.glide_client": ("BaseClient", "create", "valkey-glide", "valkey-py"),
    "glide_sync.glide_client": ("BaseClient", "create", "valkey-glide", "valkey-py"),
}
"""Modules of such clients: the class, what makes one, its name, and what to use in its place."""

_patches = Patches()
_wrapped = set[str]()


def open() -> list[tuple[Any, Any]]:
    """Wrap what makes clients in the modules that are imported by now."""
    for module in (CLIENTS.keys() - _wrapped) & sys.modules.keys():
        _wrapped.add(module)
        kind, name, *told = CLIENTS[module]
        owner = getattr(sys.modules[module], kind, None)
        method = None if owner is None else getattr_static(owner, name, None)
        if method is not None:  # else a version has it elsewhere
            _patches.put(owner, name, _named(method, *told))
    return []


def close() -> None:
    """Restore the methods."""
    _patches.undo()
    _wrapped.clear()


def close_opened() -> None:
    """Do nothing: this door opens no connections."""


def _named(method: Any, client: str, instead: str) -> Any:
    """Return a method, or a class method, that also notes a hazard."""
    function = method.__func__ if isinstance(method, classmethod) else method

    def named(*args: Any, **options: Any) -> Any:
        execution = hearing()
        if execution is not None:
            execution.controller.leave_control(
                f"the code under test uses {client}, whose native code connects past Python: what "
                f"it sends is no step. Use {instead} in the check, which is under control, or put "
                "a double in its place"
            )
        return function(*args, **options)

    return classmethod(named) if isinstance(method, classmethod) else named
