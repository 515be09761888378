"""All layers of one scenario: built once, reset for every execution, accessed through nodes."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.core.switch import Switch
from pytest_supercache.core.trace import Layers
from pytest_supercache.layers.clock import AheadClock, VirtualClock
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.messages import Bus, Published, nothing_more
from pytest_supercache.layers.origin import Origin
from pytest_supercache.layers.servers import AnyServer
from pytest_supercache.layers.super_cache import SuperCache


class NodeLayers:
    """The layers that a system on one node gets."""

    def __init__(self, node: str, stack: "Stack") -> None:
        self.node = node
        self.origin = stack.origin
        self.existing_cache = stack.existing_cache
        self.super_cache = stack.super_caches[node]
        ahead = stack.ahead.get(node)
        self.clock = stack.clock if ahead is None else AheadClock(stack.clock, ahead)
        self._stack = stack

    def at(self, node: str) -> "NodeLayers":
        """Return the layers of another node, to which a load balancer may send a request."""
        return self._stack.node(node)

    @property
    def tmp_path(self) -> Path:
        """One folder per execution, shared by all nodes."""
        return self._stack.tmp_path


FOLDER_PREFIX = "supercache-"
"""The prefix of the folder that an execution may write to."""


class Stack:
    """The origin, the existing cache and a super cache per node, on one clock."""

    def __init__(self, server: AnyServer, switch: Switch) -> None:
        self.clock = VirtualClock()
        self.origin = Origin(switch)
        self.existing_cache = ExistingCache(server)
        self.bus = Bus(switch, self.clock.now)
        self.super_caches: dict[str, SuperCache] = {}
        self.switch = switch
        self.ahead: dict[str, float] = {}  # nodes whose clock is wrong
        self._given: dict[str, Any] = {}
        self._folder: Path | None = None

    def node(self, name: str) -> NodeLayers:
        """Return the layers as the node ``name`` sees them."""
        self.provide(name)
        return NodeLayers(name, self)

    def provide(self, node: str) -> None:
        """Give a node its super cache, if it has none yet."""
        if node not in self.super_caches:
            super_cache = SuperCache(node, self.switch, self.bus)
            super_cache.reset(self._given)
            self.super_caches[node] = super_cache

    def forget_nodes(self) -> None:
        """Remove every node: each receives messages, so one too many would add an actor."""
        self.super_caches.clear()
        self.bus.mailboxes.clear()

    def forget_content(self) -> None:
        """Empty every layer, including messages, while connections stay as they are."""
        self.restore_shared(({}, {}))
        for super_cache in self.super_caches.values():
            super_cache.restart()

    def reset(self, given: Mapping[str, Mapping[str, Any]], position: Any) -> None:
        """Start an execution: reset the clock, and set every layer to its given content."""
        self.clock.reset()
        self.origin.reset(dict(given.get("origin", {})), position)
        self.existing_cache.reset(given.get("existing_cache", {}))
        self._given = dict(given.get("super_cache", {}))
        for super_cache in self.super_caches.values():
            super_cache.reset(self._given)
        self._remove_folder()

    @property
    def tmp_path(self) -> Path:
        """A folder that is empty at the start of every execution, always with the same name."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return self._folder

    @property
    def has_files(self) -> bool:
        """Whether the folder has any content."""
        return self._folder is not None and any(self._folder.iterdir())

    def deadlines(self, leases_only: bool) -> list[float]:
        """Return when the next entry of each layer expires, or the next lock lease."""
        found = [self.existing_cache.deadline(leases_only)]
        found += [] if leases_only else [cache.deadline() for cache in self.super_caches.values()]
        return [at for at in found if at is not None]

    def content(self) -> Layers:
        """Return the content of every layer that was used, without taking a step."""
        content: Layers = {
            super_cache.name: super_cache.content()
            for super_cache in self.super_caches.values()
            if super_cache.used
        }
        content[self.existing_cache.name] = self.existing_cache.content()
        if self.origin.watched or self.origin.content():
            content[self.origin.name] = self.origin.content()
        return content

    def shared_content(self) -> tuple[Any, Any]:
        """Return the content of the layers that all nodes share, to be restored later."""
        return self.existing_cache.server.save(), self.origin.content()

    def restore_shared(self, content: tuple[Any, Any]) -> None:
        """Restore what :meth:`shared_content` returned."""
        existing, origin = content
        self.existing_cache.server.load(existing)
        self.origin.restore(origin)

    def drop(self, layer: str, key: str | None, node: str) -> None:
        """Remove ``key`` (None: everything) from a layer, as eviction or a flush does."""
        if layer == "existing_cache":
            self.existing_cache.drop(key)
        else:
            self.node(node).super_cache.drop(key)

    def close_to_faults(self) -> None:
        """Detach the faults of the last execution."""
        self.bus.published = nothing_more

    def open_to_faults(self, published: Published, ahead: dict[str, float]) -> None:
        """Pass published messages to the faults, and set the clocks of nodes ahead."""
        self.bus.published, self.ahead = published, ahead

    def fail_over(self, missed: int) -> bool:
        """Fail over to a replica that lacks the last writes; False if it lacks nothing."""
        cache = self.existing_cache
        if len(cache.history) < missed:
            return False
        before = cache.content()
        cache.server.load(cache.history[-missed])
        return cache.content() != before

    def close(self) -> None:
        """Remove the folder and close connections; the server belongs to the caller."""
        self.existing_cache.forget_connections()
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
