"""The record of operations: when each was called, its steps, and what it was answered."""

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from pytest_supercache.calls import Call
from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.verdict import Violation
from pytest_supercache.runtime import async_stepping
from pytest_supercache.runtime.actor import Actor
from pytest_supercache.runtime.calling import current_actor
from pytest_supercache.runtime.stepping import Stepping


class Recording:
    """Keeps what users did in one execution.

    Args:
        stepping: the execution.
    """

    def __init__(self, stepping: Stepping) -> None:
        self.stepping = stepping
        self._controller = stepping.controller
        self._record = stepping.record
        self._calls: list[Call] = []
        self._broken: list[Violation] = []

    @contextmanager
    def operation(self, kind: str, key: str | None = None, *, value: Any = None) -> Iterator[Call]:
        """Record an operation of the calling actor; set ``answer`` on what it yields.

        An exception is recorded as the answer and passed on.
        """
        actor = current_actor()
        assert actor is not None, "a body runs as an actor"
        call = Call(user=actor.name, node=actor.node or "a", kind=kind, key=key, value=value)
        with self.recorded(call):
            yield call

    @contextmanager
    def recorded(self, call: Call) -> Iterator[None]:
        """Record ``call`` while the block runs, with the steps that are taken in it."""
        actor = self._called(call)
        if self._controller.shared_memory and not actor.is_task:
            self.stepping.step(_call_label(call), NOTHING, kind="memory")
        with self._returning(call, actor):
            yield

    @asynccontextmanager
    async def arecorded(self, call: Call) -> AsyncIterator[None]:
        """Record ``call`` of a coroutine: between two operations of a user others may go on."""
        actor = self._called(call)
        if self._controller.shared_memory:
            await async_stepping.step(self.stepping, _call_label(call), NOTHING, kind="memory")
        with self._returning(call, actor):
            yield

    def _called(self, call: Call) -> Actor:
        actor = current_actor()
        assert actor is not None, "a body runs as an actor"
        call.key = text(call.key)
        call.phase = self._controller.phase
        call.called_at = len(self._record.steps)
        actor.begin_operation(len(self._calls))
        self._calls.append(call)
        return actor

    @contextmanager
    def _returning(self, call: Call, actor: Actor) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # a cancelled operation was not answered either
            call.error = None if self._controller.leaving() else error
            raise
        finally:
            if not self._controller.leaving():
                self._returned(call, actor)

    def _returned(self, call: Call, actor: Actor) -> None:
        steps = self._record.steps
        position = actor.operation
        own = [at for at in range(call.called_at, len(steps)) if steps[at].operation == position]
        call.steps = sum(steps[at].kind != "memory" for at in own)
        if own:
            call.called_at = own[0]
        call.returned_at = len(steps)
        actor.begin_operation(None)

    def fail(self, violation: Violation) -> None:
        """Record that an expectation of a single step was not met."""
        self._broken.append(violation)

    def used_keys(self) -> list[str]:
        """Return every key that an operation named, in the order of appearance."""
        found: dict[str, None] = {}
        for call in self._calls:
            if call.key is not None:
                found[call.key] = None
            found.update(dict.fromkeys(key for key, _ in (*call.sightings, *call.writes)))
        return list(found)


class Settling:
    """What ``settle`` returns: it may be awaited, and need not."""

    def __init__(self, settle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._settle = settle

    def __await__(self) -> Generator[Any, None, None]:
        return self._settle().__await__()


def _call_label(call: Call) -> str:
    return f"call {call.kind} {call.key or ''}".rstrip()


def text(key: Any) -> Any:
    """Bytes and text are one key."""
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else key
