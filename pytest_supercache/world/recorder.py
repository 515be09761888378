"""Records operations: the time of each call, its steps, and its answer."""

from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.core.operation import Operation
from pytest_supercache.core.verdict import Violation
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext


@dataclass(slots=True, kw_only=True)
class RunningOperation:
    """An operation while it runs; ``answer`` may be set until it returns."""

    user: str
    node: str
    kind: str
    key: str | None = None
    value: Any = None
    answer: Any = None
    error: BaseException | None = None
    error_expected: bool = False
    step: str = ""
    line: int | None = None
    phase: str = "race"
    called_at: int = 0
    returned_at: int | None = None
    steps: int = 0
    sightings: tuple[tuple[str, Any], ...] = ()
    writes: tuple[tuple[str, Any], ...] = ()

    def operation(self) -> Operation:
        """Return the finished operation, or what is known of an unfinished one."""
        return Operation(
            user=self.user, node=self.node, kind=self.kind, key=self.key, value=self.value,
            answer=self.answer, error=self.error, error_expected=self.error_expected,
            step=self.step, line=self.line, phase=self.phase, called_at=self.called_at,
            returned_at=self.returned_at, steps=self.steps, sightings=self.sightings,
            writes=self.writes,
        )  # fmt: skip


class Recorder:
    """Records the operations of users in one execution.

    Args:
        context: the execution.
    """

    def __init__(self, context: ExecutionContext) -> None:
        self.context = context
        self._controller = context.controller
        self._record = context.record
        self._calls: list[RunningOperation] = []
        self._broken: list[Violation] = []

    @contextmanager
    def operation(
        self, kind: str, key: str | None = None, *, value: Any = None
    ) -> Iterator[RunningOperation]:
        """Record an operation of the calling actor; set ``answer`` on the yielded object.

        An exception is recorded as the answer and passed on.
        """
        actor = current_actor()
        assert actor is not None, "a body runs as an actor"
        call = RunningOperation(
            user=actor.name, node=actor.node or "a", kind=kind, key=key, value=value
        )
        with self.recorded(call):
            yield call

    def recorded(self, call: RunningOperation) -> "RecordedBlock":
        """Record ``call`` while the block runs, with the steps that are taken in it.

        A coroutine enters it by ``async with``: there, a context switch is possible between two
        operations of a user.
        """
        return RecordedBlock(self.context, self._calls, call)

    def fail(self, violation: Violation) -> None:
        """Record that the expectation of a single step was not met."""
        self._broken.append(violation)

    def used_keys(self) -> list[str]:
        """Return every key that an operation named, in the order of appearance."""
        found: dict[str, None] = {}
        for call in self._calls:
            if call.key is not None:
                found[call.key] = None
            found.update(dict.fromkeys(key for key, _ in (*call.sightings, *call.writes)))
        return list(found)


class RecordedBlock:
    """Records a call while a block of a function, or of a coroutine, runs.

    Args:
        context: the execution.
        calls: the calls of the execution, to which this one is added.
        call: the call to record.
    """

    def __init__(
        self, context: ExecutionContext, calls: list[RunningOperation], call: RunningOperation
    ) -> None:
        self._context = context
        self._controller = context.controller
        self._calls = calls
        self._call = call
        self._ends_in_a_step = False

    def __enter__(self) -> None:
        self._begin()
        if self._controller.shared_memory and not self._actor.is_task:
            self._context.step(_call_label(self._call), NOTHING, kind="memory")

    async def __aenter__(self) -> None:
        self._begin()
        if self._controller.shared_memory:
            label = _call_label(self._call)
            await async_context.step(self._context, label, NOTHING, kind="memory")

    def _begin(self) -> None:
        actor, call = current_actor(), self._call
        assert actor is not None, "a body runs as an actor"
        call.key = text(call.key)
        call.phase = self._controller.phase
        call.called_at = len(self._context.record.steps)
        actor.begin_operation(len(self._calls))
        self._calls.append(call)
        self._actor = actor

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._controller.leaving():
            return
        if error is not None:  # an operation that was cancelled was not answered either
            self._call.error = error
        self._end()

    async def __aexit__(
        self, kind: object, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception | None) and self._was_let_go():
            label = f"end of {_call_label(self._call)}"
            await async_context.step(self._context, label, NOTHING, kind="memory")
            self._ends_in_a_step = True
        self.__exit__(kind, error, traceback)

    def _was_let_go(self) -> bool:
        """Say whether the call ends in the choice of another actor, so that its end is a step."""
        controller, name = self._controller, self._actor.name
        if controller.phase != "race" or controller.leaving() or controller.shared_memory:
            return False
        chosen = controller.actors.get(controller.choices[-1]) if controller.choices else None
        if chosen is None or not (chosen.is_task and self._actor.is_task):
            return False
        return chosen.name != name and not chosen.name.startswith(f"{name}/")

    def _end(self) -> None:
        steps, call = self._context.record.steps, self._call
        position = self._actor.operation
        own = [at for at in range(call.called_at, len(steps)) if steps[at].operation == position]
        call.steps = sum(steps[at].kind != "memory" for at in own)
        acting = own[:-1] if self._ends_in_a_step else own
        if acting:
            call.called_at = acting[0]
        call.returned_at = len(steps)
        self._actor.begin_operation(None)


class Settling:
    """The result of ``settle``, which may be awaited, but need not be."""

    def __init__(self, settle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._settle = settle

    def __await__(self) -> Generator[Any, None, None]:
        return self._settle().__await__()


def _call_label(call: RunningOperation) -> str:
    return f"call {call.kind} {call.key or ''}".rstrip()


def text(key: Any) -> Any:
    """Return a key as text: bytes and text are the same key."""
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else key
