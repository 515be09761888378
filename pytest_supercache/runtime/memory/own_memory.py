"""Restores, for a replay, what a test keeps for itself from one execution to the next.

A body may collect in its own memory what its executions show, and may even read it there
(:mod:`pytest_supercache.runtime.memory.made_before`). Another process that replays a schedule finds
nothing of that, so a violation must not need it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.memory.snapshots import IN_PARTS, Namespace, Snapshot, snapshot_of


class _Used(NamedTuple):
    """What the body uses."""

    holder: Any
    name: str
    begun: Snapshot
    """Its content when the check began."""


class OwnMemory:
    """The objects of a test that its body uses after the race."""

    def __init__(self) -> None:
        self._begun: dict[int, Snapshot | None] = {}
        self._used: dict[tuple[int, str], _Used] = {}

    def remember(self, value: Any, name: str) -> None:
        """Remember what an object holds that was made before the check."""
        self._begun[identity(value)] = snapshot_of(value, name)

    def use(self, holder: Any, part: str, name: str, snapshot: Snapshot | None) -> None:
        """Note that the body uses a part of an object after the race.

        Args:
            holder: the object.
            part: an attribute, an entry, or the whole.
            name: its name in messages.
            snapshot: its content when the check began; None: it is remembered here, or unknown.
        """
        snapshot = snapshot or self._begun.get(identity(holder))
        if snapshot is not None:
            restored = part if type(snapshot) in IN_PARTS else WHOLE
            self._used.setdefault((identity(holder), restored), _Used(holder, name, snapshot))

    def restore(self) -> None:
        """Restore the content of what the body uses to that when the check began."""
        for part, used in self._changed():
            used.begun.restore(part)

    def changed(self) -> list[str]:
        """Return the names of what holds now what it did not hold then."""
        return list(dict.fromkeys(used.name for _, used in self._changed()))

    def _changed(self) -> Iterator[tuple[str, _Used]]:
        for (_, part), used in self._used.items():
            if not used.begun.is_unchanged(part):
                yield part, used

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Restore in the end what it holds now: the test may look at it after its check."""
        now = [(_content_of(used.holder), part) for (_, part), used in self._used.items()]
        try:
            yield
        finally:
            for snapshot, part in now:
                if snapshot is not None and not snapshot.is_unchanged(part):
                    snapshot.restore(part)


def _content_of(holder: Any) -> Snapshot | None:
    if isinstance(holder, ModuleType):
        return Namespace(holder)
    return snapshot_of(holder, "")
