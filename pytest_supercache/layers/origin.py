"""The source of truth: it versions values, and records the order of its commits."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.operation import Commit, Load, UncommittedWrite
from pytest_supercache.core.switch import Blocking, Switch, at_once
from pytest_supercache.layers.ledger import Ledger, copied, copied_values

PLACE = "origin"


class Origin:
    """A key-value store in which every call is one step and every change gets a version.

    Values are plain data; they are copied on the way in and out, as a database would do.
    """

    name = PLACE

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self.ledger = Ledger()

    def reset(self, given: dict[str, Any], position: Any) -> None:
        """Start an execution with ``given`` as version 0; ``position`` returns (step, actor)."""
        self.ledger.reset(given, position)

    @property
    def commits(self) -> list[Commit]:
        """The changes, in their order."""
        return self.ledger.commits

    @property
    def loads(self) -> list[Load]:
        """What left the origin, in its order."""
        return self.ledger.loads

    @property
    def uncommitted(self) -> list[UncommittedWrite]:
        """The changes inside transactions, and what became of them."""
        return self.ledger.uncommitted

    @property
    def watched(self) -> bool:
        """Whether the code under test has used it."""
        return self.ledger.watched

    def get(self, key: str) -> Any:
        """Return the value of ``key``; None if it is absent."""
        return at_once(self._calls.get(key))

    def set(self, key: str, value: Any) -> int:
        """Commit ``value`` as the next version of ``key``, and return that version."""
        return at_once(self._calls.set(key, value))

    def delete(self, key: str) -> int:
        """Commit the absence of ``key`` as its next version, and return that version."""
        return at_once(self._calls.delete(key))

    def replace(self, key: str, value: Any, version: int) -> bool:
        """Commit ``value`` if ``key`` still has this version, and say whether it had."""
        return at_once(self._calls.replace(key, value, version))

    def version(self, key: str) -> int:
        """Return the number of commits of ``key`` in this execution; given content is version 0."""
        return at_once(self._calls.version(key))

    @contextmanager
    def transaction(self) -> Iterator["Transaction"]:
        """Collect changes and commit them in one step; an exception rolls them back."""
        changes = AsyncTransaction(self, Blocking(self._switch))
        try:
            yield Transaction(changes)
        except BaseException:
            self.ledger.end(changes.writes, committed=False)
            raise
        at_once(changes.commit())

    @property
    def aio(self) -> "AsyncOrigin":
        """The same origin for coroutines: its calls are awaited, so other tasks can run between."""
        return AsyncOrigin(self, self._switch)

    @property
    def _calls(self) -> "AsyncOrigin":
        """Its calls as coroutines whose steps block the thread."""
        return AsyncOrigin(self, Blocking(self._switch))

    def peek(self, key: str) -> Any:
        """Return the value of ``key`` without taking a step."""
        return copied(self.ledger.content.get(key))

    def content(self) -> dict[str, Any]:
        """Return everything that is stored, without taking a step."""
        return copied_values(self.ledger.content)

    def restore(self, content: dict[str, Any]) -> None:
        """Restore what :meth:`content` returned; commits stay as they are."""
        self.ledger.content = copied_values(content)


class Transaction:
    """Changes that become visible together, at commit."""

    def __init__(self, changes: "AsyncTransaction") -> None:
        self._changes = changes

    def get(self, key: str) -> Any:
        """Return the value of ``key`` as this transaction sees it."""
        return at_once(self._changes.get(key))

    def set(self, key: str, value: Any) -> None:
        """Change ``key`` when the transaction commits."""
        at_once(self._changes.set(key, value))

    def delete(self, key: str) -> None:
        """Remove ``key`` when the transaction commits."""
        at_once(self._changes.delete(key))

    def commit(self) -> None:
        """Commit all changes in one step."""
        at_once(self._changes.commit())


class AsyncOrigin:
    """The origin for coroutines: its calls are awaited."""

    def __init__(self, origin: Origin, switch: Switch | Blocking) -> None:
        self._origin = origin
        self._switch = switch

    async def get(self, key: str) -> Any:
        """Return the value of ``key``; None if it is absent."""
        await self._step("read", key, reads=True)
        answer = self._origin.ledger.load(key)
        await self._switch.aanswered(f"read {key}")
        return answer

    async def set(self, key: str, value: Any) -> int:
        """Commit ``value`` as the next version of ``key``, and return that version."""
        await self._step("write", key)
        version = self._origin.ledger.commit(key, value)
        await self._switch.aanswered(f"write {key}")
        return version

    async def delete(self, key: str) -> int:
        """Commit the absence of ``key`` as its next version, and return that version."""
        await self._step("delete", key)
        version = self._origin.ledger.commit(key, None)
        await self._switch.aanswered(f"delete {key}")
        return version

    async def replace(self, key: str, value: Any, version: int) -> bool:
        """Commit ``value`` if ``key`` still has this version, and say whether it had."""
        await self._step("replace", key)
        was_still = self._origin.ledger.replace(key, value, version)
        await self._switch.aanswered(f"replace {key}")
        return was_still

    async def version(self, key: str) -> int:
        """Return the number of commits of ``key`` in this execution."""
        await self._step("version of", key, reads=True)
        answer = self._origin.ledger.versions.get(key, 0)
        await self._switch.aanswered(f"version of {key}")
        return answer

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["AsyncTransaction"]:
        """Collect changes and commit them in one step; an exception rolls them back."""
        transaction = AsyncTransaction(self._origin, self._switch)
        try:
            yield transaction
        except BaseException:
            self._origin.ledger.end(transaction.writes, committed=False)
            raise
        await transaction.commit()

    async def _step(self, verb: str, key: str, *, reads: bool = False) -> None:
        self._origin.ledger.watched = True
        await self._switch.astep(*_announced(verb, key, reads=reads), kind="origin")


class AsyncTransaction:
    """Changes of coroutines that become visible together, at commit."""

    def __init__(self, origin: Origin, switch: Switch | Blocking) -> None:
        self._origin = origin
        self._switch = switch
        self._changes: dict[str, Any] = {}
        self.writes: list[int] = []  # numbers of the origin's record

    async def get(self, key: str) -> Any:
        """Return the value of ``key`` as this transaction sees it."""
        if key in self._changes:
            return copied(self._changes[key])
        return await AsyncOrigin(self._origin, self._switch).get(key)

    async def set(self, key: str, value: Any) -> None:
        """Change ``key`` when the transaction commits."""
        self._change(key, copied(value))

    async def delete(self, key: str) -> None:
        """Remove ``key`` when the transaction commits."""
        self._change(key, None)

    async def commit(self) -> None:
        """Commit all changes in one step."""
        self._origin.ledger.watched = True
        label, footprint = _announced_commit(self._changes)
        await self._switch.astep(label, footprint, kind="origin")
        for key, value in self._changes.items():
            self._origin.ledger.commit(key, value)
        self._origin.ledger.end(self.writes, committed=True)
        await self._switch.aanswered(label)

    def _change(self, key: str, value: Any) -> None:
        self._changes[key] = value
        self.writes.append(self._origin.ledger.write_uncommitted(key, value))


@lru_cache(maxsize=1024, typed=True)
def _announced(verb: str, key: str, *, reads: bool) -> tuple[str, Footprint]:
    resource = frozenset({f"{PLACE}:{key}"})
    footprint = Footprint(reads=resource) if reads else Footprint(resource, resource)
    return f"origin {verb} {key}", footprint


def _announced_commit(changes: dict[str, Any]) -> tuple[str, Footprint]:
    resources = frozenset(f"{PLACE}:{key}" for key in changes)
    return f"origin commit {', '.join(changes) or 'nothing'}", Footprint(resources, resources)
