"""Patches anyio's locks, events and streams to note their use, as for asyncio."""

from typing import Any

from anyio._backends import _asyncio
from anyio._core import _synchronization
from anyio.streams import memory

from pytest_supercache.runtime.aio.loop_tools import noting
from pytest_supercache.runtime.kernel.patches import Patches

_NAMES = (
    "__aenter__", "acquire", "acquire_nowait", "acquire_on_behalf_of",
    "acquire_on_behalf_of_nowait", "is_set", "locked", "notify", "notify_all", "receive",
    "receive_nowait", "release", "release_on_behalf_of", "send", "send_nowait", "set", "wait",
)  # fmt: skip

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
    for owner in _TOOLS:
        for name in _NAMES:
            method = vars(owner).get(name)
            if method is not None:
                _patches.put(owner, name, noting(method))
    return []


def close() -> None:
    """Undo the patches."""
    _patches.undo()


def close_opened() -> None:
    """Do nothing: all waiters end with the loop."""
