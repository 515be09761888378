"""Takes the steps of SQL statements, with the tables they touch and their waits for locks.

No thread ever waits in a database: the database's own lock timeout is 0. An actor that meets a lock
waits at a step of its own, until another step has written the lock or the timeout set by the code
is over.
"""

import re
from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from pytest_supercache.core.footprint import ANYTHING, Footprint
from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.core.trace import Step
from pytest_supercache.runtime.kernel import async_context
from pytest_supercache.runtime.kernel.execution_context import CallSteps, ExecutionContext
from pytest_supercache.runtime.kernel.faults import Failure

PLACE = "origin"
LOCK = frozenset({"database:lock"})
"""The resource of the write lock: one for all databases, which is coarser than needed."""

RowCount = Callable[[Any], int | None]
"""Says of the answer to a statement how many rows it has changed; None: that is not known."""

Calls = Generator[Callable[[], Any], Any, Any]
"""Calls in order: each is made, or awaited, and its answer or its error is sent back."""

_SPACE = re.compile(r"(\s|--[^\n]*(\n|$)|/\*.*?\*/|[(;])*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables that a statement may read and write; ``*`` is all of them."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    def footprint(self, *, reads_lock: bool, writes_lock: bool) -> Footprint:
        """Return the footprint of a step that touches these tables."""
        reads, writes = _resources(self.reads), _resources(self.writes)
        if reads_lock or writes_lock:
            reads |= LOCK
        if writes_lock:
            writes |= LOCK
        return Footprint(reads | writes, writes)

    def __or__(self, other: "Tables") -> "Tables":
        """Return the tables that either of two statements touches."""
        return Tables(reads=self.reads | other.reads, writes=self.writes | other.writes)

    @property
    def shown(self) -> str:
        """The names of the tables, for the label of a step."""
        return ", ".join(sorted(self.reads | self.writes))


EVERYTHING = Tables(reads=frozenset({"*"}), writes=frozenset({"*"}))
READS = Tables(reads=frozenset({"*"}))

READ_WORDS = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
"""The first words of statements that may be read-only."""
_CALL = re.compile(r"\b(\w+)\s*\(")
_LABEL_MAX = 40


def _resources(tables: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{PLACE}:{table}" for table in tables)


def first_word(statement: str) -> str:
    """Return the first word of a statement in upper case, after skipping comments."""
    word = _WORD.match(statement, begin_of(statement))
    return "" if word is None else word[0].upper()


def begin_of(statement: str) -> int:
    """Return where a statement begins, after comments."""
    start = _SPACE.match(statement)
    assert start is not None, "the pattern matches nothing too"
    return start.end()


def called_in(text: str) -> set[str]:
    """Return the names of the functions that a statement calls, in lower case."""
    return {name.lower() for name in _CALL.findall(text)}


def label_of(text: str, word: str) -> str:
    """Return a statement in one line; of a long one, its first ``word`` and its end."""
    shown = " ".join(text.split())
    return shown if len(shown) <= _LABEL_MAX else f"{word} ... {shown[-_LABEL_MAX // 2 :]}"


def noting(
    execution: ExecutionContext,
    sent: SqlStatement | None,
    call: Callable[[], Any],
    count: RowCount | None = None,
) -> Callable[[], Any]:
    """Return the call that executes a statement in its step, and notes in the step what it did.

    What ends in an error has changed nothing. ``count`` says how many rows the statement has
    changed.
    """
    if sent is None:
        return call

    def note(step: Step, answer: Any) -> None:
        step.statement = sent
        step.row_count = None if count is None else count(answer)

    async def noted_later(step: Step, answer: Awaitable[Any]) -> Any:
        awaited = await answer
        note(step, awaited)
        return awaited

    def noted() -> Any:
        if not execution.record.steps:  # a job of aiosqlite that cannot be controlled is no step
            return call()
        step = execution.record.steps[-1]
        answer = call()
        if isawaitable(answer):
            return noted_later(step, answer)
        note(step, answer)
        return answer

    return noted


def perform(
    execution: ExecutionContext,
    label: str,
    footprint: Footprint,
    call: Callable[[], Any],
    *,
    failure: Failure,
    must_wait: Callable[[BaseException], Footprint | None],
    timeout: float | None,
    is_step: bool = True,
    when_blocked: Callable[[], Calls] | None = None,
) -> Any:
    """Take the step of a statement; as long as it meets a lock, wait and repeat it.

    Args:
        execution: the running execution.
        label: the name of the step.
        footprint: the resources that the statement may touch.
        call: executes the statement without waiting for locks.
        failure: makes the error of a broken database.
        must_wait: returns the footprint of waiting after this error; None: do not wait.
        timeout: the virtual seconds after which it stops waiting; 0 or less: it never
            waits; None: it waits for ever.
        is_step: False when the statement is part of the step before; it may still have to wait.
        when_blocked: the calls between a futile attempt and the wait, which note it as futile.
    """
    deadline = None if timeout is None else execution.now() + timeout
    never_waits = timeout is not None and timeout <= 0

    def attempt() -> Any:
        while True:
            since = len(execution.record.steps)
            try:
                return call()
            except Exception as error:
                waiting = None if never_waits else must_wait(error)
                if waiting is None:
                    raise
                if when_blocked is None:
                    execution.record.note_futile(("origin", "busy"))
                else:
                    made(when_blocked())
                waiting = waiting | Footprint(reads=LOCK) if is_step else ANYTHING
                if not execution.step(
                    f"{label} (was locked)", waiting, kind="busy", deadline=deadline,
                    recheck_from=since,
                ):  # fmt: skip
                    raise

    if not is_step:
        return attempt()
    with CallSteps(execution, label, footprint, "origin", failure):
        return attempt()


async def aperform(
    execution: ExecutionContext,
    label: str,
    footprint: Footprint,
    call: Callable[[], Awaitable[Any]],
    *,
    failure: Failure,
    must_wait: Callable[[BaseException], Footprint | None],
    when_blocked: Callable[[], Calls],
) -> Any:
    """Take the step of a statement in a coroutine, as `perform` does; it may wait for ever."""

    async def attempt() -> Any:
        while True:
            since = len(execution.record.steps)
            try:
                return await call()
            except Exception as error:
                waiting = must_wait(error)
                if waiting is None:
                    raise
                await awaited(when_blocked())
                await async_context.step(
                    execution, f"{label} (was locked)", waiting | Footprint(reads=LOCK),
                    kind="busy", recheck_from=since,
                )  # fmt: skip

    return await async_context.call(
        execution, label, footprint, attempt, kind="origin", failure=failure
    )


def made(calls: Calls) -> Any:
    """Make calls in order, and return what comes of them."""
    try:
        call = next(calls)
        while True:
            try:
                answer = call()
            except Exception as error:  # noqa: BLE001 - it decides which call is next
                call = calls.throw(error)
            else:
                call = calls.send(answer)
    except StopIteration as end:
        return end.value


async def awaited(calls: Calls) -> Any:
    """Make calls in order, await those that are coroutines, and return what comes of them."""
    try:
        call = next(calls)
        while True:
            try:
                answer = call()
                answer = await answer if isawaitable(answer) else answer
            except Exception as error:  # noqa: BLE001 - it decides which call is next
                call = calls.throw(error)
            else:
                call = calls.send(answer)
    except StopIteration as end:
        return end.value
