"""The reference super cache: in process, one per node, updated by published invalidations.

It can also grant leases on a miss, as in "Scaling Memcache at Facebook" (NSDI 2013, section 3.2.1):
a fill is only stored while its lease is in force, and an invalidation voids it.
"""

from copy import deepcopy
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.switch import Blocking, Switch, at_once
from pytest_supercache.layers.existing_cache import EXPIRED_AFTER
from pytest_supercache.layers.messages import Bus, Mailbox, Update

_CLOCK = frozenset({"clock:now"})


class SuperCache:
    """A node's own cache of values. None as a value counts as absent."""

    def __init__(self, node: str, switch: Switch, bus: Bus) -> None:
        self.node = node
        self.name = f"super_cache@{node}"
        self._switch = switch
        self._bus = bus
        self._content: dict[str, Any] = {}
        self._ends: dict[str, float] = {}  # when an entry with a time to live is gone
        self._leases: dict[str, int] = {}
        self._versions: dict[str, int] = {}  # of what updates brought, if they said so
        self._granted = 0
        self.used = False  # whether this execution ever touched it
        self.mailbox = Mailbox(node, lambda key: frozenset({f"{self.name}:{key}"}))
        self.mailbox.subscribe(self._drop)
        self.mailbox.update = self._apply
        bus.join(self.mailbox)

    def reset(self, given: dict[str, Any]) -> None:
        """Start an execution with ``given`` as content."""
        self._content = deepcopy(given) if given else {}
        self._ends = {}
        self._leases = {}
        self._versions = {}
        self._granted = 0
        self.used = bool(given)
        self.mailbox.clear()
        self.mailbox.is_open = True

    def get(self, key: str) -> Any:
        """Return the value of ``key``; None if it is absent."""
        return at_once(self._calls.get(key))

    def put(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store ``value``, for ``ttl`` seconds if given."""
        at_once(self._calls.put(key, value, ttl))

    def get_or_lease(self, key: str) -> tuple[Any, int | None]:
        """Return the value of ``key``; on a cache miss also take the lease that a fill needs.

        Returns:
            The value and None, or None and the lease. A newer lease voids an older one.
        """
        return at_once(self._calls.get_or_lease(key))

    def put_leased(self, key: str, value: Any, lease: int) -> bool:
        """Store ``value`` if ``lease`` is still in force, and say whether it was."""
        return at_once(self._calls.put_leased(key, value, lease))

    def unsubscribe(self) -> None:
        """Stop receiving invalidations, like a process that has not connected yet."""
        self._switch.step("unsubscribe", self._subscribing, kind="super_cache")
        self.mailbox.clear()
        self.mailbox.is_open = False
        self._switch.answered("unsubscribe")

    def subscribe(self) -> None:
        """Receive all later messages; a super cache does so from the start."""
        self._switch.step("subscribe", self._subscribing, kind="super_cache")
        self.mailbox.is_open = True
        self._switch.answered("subscribe")

    def drop(self, key: str | None) -> None:
        """Remove ``key``, or everything, as eviction does; leases stay. Not a step."""
        if key is None:
            self._content.clear()
            self._ends.clear()
        else:
            self._content.pop(key, None)
            self._ends.pop(key, None)

    def restart(self) -> bool:
        """Restart with a cold cache: content, leases and messages in flight are lost. Not a step.

        Returns:
            Whether anything was lost.
        """
        had = bool(self._content or self._leases or self.mailbox.pending() is not None)
        granted = self._granted
        self.reset({})
        self._granted = granted  # a lease of before must never equal one granted from now on
        self.used = True
        return had

    def invalidate(self, *keys: str) -> None:
        """Tell every node, including this one, to drop ``keys`` when the message arrives."""
        at_once(self._calls.invalidate(*keys))

    def send(self, key: str, value: Any, version: int | None = None) -> None:
        """Tell every node, including this one, to store ``value`` when the message arrives.

        With a ``version`` a node refuses an update that is older than an earlier one.
        """
        at_once(self._calls.send(key, value, version))

    @property
    def aio(self) -> "AsyncSuperCache":
        """The same super cache for coroutines: its calls are awaited, so others can run between."""
        return AsyncSuperCache(self, self._switch, self._bus)

    @property
    def _calls(self) -> "AsyncSuperCache":
        """Its calls as coroutines whose steps block the thread."""
        return AsyncSuperCache(self, Blocking(self._switch), self._bus)

    def peek(self, key: str) -> Any:
        """Return the value of ``key`` without taking a step."""
        return None if self._is_over(key) else deepcopy(self._content.get(key))

    def content(self) -> dict[str, Any]:
        """Return everything that is stored, without taking a step."""
        return {key: deepcopy(v) for key, v in self._content.items() if not self._is_over(key)}

    def deadline(self) -> float | None:
        """Return the virtual second at which the next entry expires."""
        now = self._bus.now()
        return min((at for at in self._ends.values() if at > now), default=None)

    def _is_over(self, key: str) -> bool:
        return key in self._ends and self._bus.now() >= self._ends[key]

    def _store(self, key: str, value: Any, ttl: float | None = None) -> None:
        self._content[key] = deepcopy(value)
        self._ends.pop(key, None)
        if ttl is not None:
            self._ends[key] = self._bus.now() + ttl + EXPIRED_AFTER

    def _stored(self, key: str, ttl: float | None) -> tuple[str, Footprint]:
        label, footprint = self._announced("store", key)
        if ttl is None:
            return label, footprint
        return label, Footprint(footprint.reads | _CLOCK, footprint.writes)

    def _apply(self, key: str, update: Update) -> None:
        if update.version is not None:
            if update.version < self._versions.get(key, 0):
                return
            self._versions[key] = update.version
        self.used = True
        self._store(key, update.value)

    @property
    def _subscribing(self) -> Footprint:
        """The footprint of (un)subscribing: dependent on publications, but none itself."""
        own = frozenset({f"subscription@{self.node}"})
        return Footprint(own | {self.mailbox.name}, own)

    def _drop(self, key: str) -> None:
        self.drop(key)
        self._leases.pop(key, None)

    def _look_up_or_lease(self, key: str) -> tuple[Any, int | None]:
        value = self.peek(key)
        lease = None
        if value is None:
            self._granted += 1
            lease = self._leases[key] = self._granted
        return value, lease

    def _store_if_leased(self, key: str, value: Any, lease: int) -> bool:
        in_force = self._leases.get(key) == lease
        if in_force:
            del self._leases[key]
            self._store(key, value)
        return in_force

    def _announced(self, verb: str, key: str, *, reads: bool = False) -> tuple[str, Footprint]:
        self.used = True
        resource = frozenset({f"{self.name}:{key}"})
        footprint = Footprint(reads=resource) if reads else Footprint(resource, resource)
        return f"{verb} {key}", footprint


class AsyncSuperCache:
    """The super cache for coroutines: its calls are awaited, and each is a step."""

    def __init__(self, cache: SuperCache, switch: Switch | Blocking, bus: Bus) -> None:
        self._cache = cache
        self._switch = switch
        self._bus = bus

    async def get(self, key: str) -> Any:
        """Return the value of ``key``; None if it is absent."""
        await self._step("look up", key, reads=True)
        answer = self._cache.peek(key)
        await self._switch.aanswered(f"look up {key}")
        return answer

    async def put(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Store ``value``, for ``ttl`` seconds if given."""
        announced = self._cache._stored(key, ttl)  # noqa: SLF001 - one idea in two classes
        await self._switch.astep(*announced, kind="super_cache")
        self._cache._store(key, value, ttl)
        await self._switch.aanswered(f"store {key}")

    async def get_or_lease(self, key: str) -> tuple[Any, int | None]:
        """Return the value of ``key``; on a cache miss also take the lease that a fill needs."""
        await self._step("look up or lease", key)
        answer = self._cache._look_up_or_lease(key)
        await self._switch.aanswered(f"look up or lease {key}")
        return answer

    async def put_leased(self, key: str, value: Any, lease: int) -> bool:
        """Store ``value`` if ``lease`` is still in force, and say whether it was."""
        await self._step("store if leased", key)
        in_force = self._cache._store_if_leased(key, value, lease)
        await self._switch.aanswered(f"store if leased {key}")
        return in_force

    async def invalidate(self, *keys: str) -> None:
        """Tell every node, including this one, to drop ``keys``."""
        await self._bus.publish(self._switch, keys)

    async def send(self, key: str, value: Any, version: int | None = None) -> None:
        """Tell every node, including this one, to store ``value`` when the message arrives."""
        await self._bus.publish(self._switch, [key], Update(deepcopy(value), version))

    async def _step(self, verb: str, key: str, *, reads: bool = False) -> None:
        announced = self._cache._announced(verb, key, reads=reads)
        await self._switch.astep(*announced, kind="super_cache")
