"""Patches anyio's locks, events, guards, scopes and streams to note their use, as for asyncio.

A task that leaves a lock by ``async with``, or asks for its state by a property, uses it as one
that calls its methods does.
"""

from typing import Any

from anyio._backends import _asyncio
from anyio._core import _synchronization
from anyio.streams import memory

from pytest_supercache.runtime.aio.loop_tools import noting
from pytest_supercache.runtime.kernel.patches import Patches

_NAMES = (
    "__aenter__", "__aexit__", "acquire", "acquire_nowait", "acquire_on_behalf_of",
    "acquire_on_behalf_of_nowait", "clone", "close", "is_set", "locked", "notify", "notify_all",
    "receive", "receive_nowait", "release", "release_on_behalf_of", "send", "send_nowait", "set",
    "statistics", "wait",
    *("available_tokens", "borrowed_tokens", "total_tokens", "value"),  # properties
)  # fmt: skip

_OF_OTHERS = {
    _synchronization.ResourceGuard: ("__enter__", "__exit__"),
    _asyncio.CancelScope: ("cancel", "cancel_called", "deadline"),
}
"""Classes of which only these methods and properties are patched."""

_TOOLS: tuple[Any, ...] = (
    *(_asyncio.Event, _asyncio.Lock, _asyncio.Semaphore, _asyncio.CapacityLimiter),
    *(getattr(_synchronization, f"{name}{kind}")
      for name in ("Event", "Lock", "Semaphore", "CapacityLimiter") for kind in ("", "Adapter")),
    _synchronization.Condition, memory.MemoryObjectReceiveStream, memory.MemoryObjectSendStream,
)  # fmt: skip
"""anyio's classes to patch; it creates an adapter where no loop runs yet.

Methods inherited from a base class are not overridden.
"""

_patches = Patches()


def open() -> list[tuple[Any, Any]]:
    """Patch the methods to note the actors that use them."""
    for owner, names in (*dict.fromkeys(_TOOLS, _NAMES).items(), *_OF_OTHERS.items()):
        for name in names:
            method = vars(owner).get(name)
            if method is not None:
                _patches.put(owner, name, _noting(method))
    return []


def _noting(method: Any) -> Any:
    """Return a version of a method, or a property, that notes the actor using its object."""
    if type(method) is not property or method.fget is None:
        return noting(method)
    return property(noting(method.fget), method.fset and noting(method.fset))


def close() -> None:
    """Undo the patches."""
    _patches.undo()


def close_opened() -> None:
    """Do nothing: all waiters end with the loop."""
