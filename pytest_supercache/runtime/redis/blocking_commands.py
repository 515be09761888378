"""Makes blocking commands wait at steps of the schedule instead of in the server.

A command never blocks in the server: no thread may hang there, and time is virtual. The command's
step looks for the data that it waits for; if that is missing, its next step is enabled by a write
to one of its keys, or by its timeout. A server would serve the first waiting client at once; here
other actors may run in between, and that is noted.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.redis_commands import normalised, text
from pytest_supercache.layers.redis_waiting import Waiting, waiting
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.faults import Failure

Ask = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""Sends a command with the given words and options, and returns the answer."""

HELD = (
    "a command that waits in the server for what others store is only under control if it is sent "
    "by itself, at grain command, by a client without a cache whose pool has a connection for "
    "everybody, without the faults failover and clock_skew, and on a real server not on asyncio"
)

ALIKE = "who waits in the server is served in their turn, and never cut off by a socket timeout"


def answered(
    execution: ExecutionContext,
    client: Any,
    label: str,
    footprint: Footprint,
    args: Sequence[Any],
    options: Mapping[str, Any],
    ask: Ask,
    failure: Failure,
) -> Any:
    """Return the answer of a command whose step has been taken, after waiting if it blocks."""
    waits = waiting(args)
    if waits is None:
        return ask(args, options)
    if not _is_under_control(execution, client):
        refuse_waits(execution, [args], failure)
    execution.controller.simplify(ALIKE)
    deadline = None
    if waits.seconds < math.inf:
        deadline = execution.now() + waits.seconds
        footprint = footprint | Footprint(reads=frozenset({"clock:now"}))
    look = _looking(waits, args, options, ask)
    is_there, answer = look()
    is_over = False
    while not (is_there or is_over):
        execution.record.note_futile(("command",))
        is_in_time = execution.step(
            f"{label}, at last", footprint, kind="command", deadline=deadline,
            recheck_from=len(execution.record.steps), failure=failure,
        )  # fmt: skip
        is_over = not (is_in_time or deadline is None or execution.now() < deadline)
        is_there, answer = look()
    return answer


def _looking(
    waits: Waiting, args: Sequence[Any], options: Mapping[str, Any], ask: Ask
) -> Callable[[], tuple[bool, Any]]:
    """Return a function that tells whether a command would not block now, and its answer."""
    if not waits.at_once:
        return _looking_for_keys(waits, args, options, ask)
    words = list(waits.at_once)
    for at, stream in waits.newest:
        last = ask(("XREVRANGE", stream, "+", "-", "COUNT", 1), {"NEVER_DECODE": []})
        words[at] = last[0][0] if last else "0-0"

    def look() -> tuple[bool, Any]:
        answer = ask(words, options)
        return bool(answer), answer

    return look


def _looking_for_keys(
    waits: Waiting, args: Sequence[Any], options: Mapping[str, Any], ask: Ask
) -> Callable[[], tuple[bool, Any]]:
    """Return such a function for a command that is answered once one of its keys exists.

    A key of another type is an error when the command is sent, and is ignored while it waits.
    """
    wanted: set[str] | None = None

    def look() -> tuple[bool, Any]:
        nonlocal wanted
        kinds = {text(ask(("TYPE", key), {})) for key in waits.keys}
        is_there = bool(kinds - {"none"} if wanted is None else kinds & wanted)
        wanted = {waits.kind}
        return is_there, ask(args, options) if is_there else None

    return look


def _is_under_control(execution: ExecutionContext, client: Any) -> bool:
    """Say whether the execution and the client allow a blocking command to be simulated.

    A waiting command keeps its connection: in a pool with too few of them other actors would wait.
    """
    pool = getattr(client, "connection_pool", None)
    return not (
        execution.controller.grain == "wire"
        or execution.tracks
        or execution.faults.keeps_history
        or execution.faults.skews
        or getattr(client, "connection", None) is not None
        or getattr(pool, "max_connections", math.inf) <= len(execution.controller.actors)
    )


def refuse_waits(
    execution: ExecutionContext, commands: Iterable[Sequence[Any]], failure: Failure
) -> None:
    """Raise an error for a command that would block in the server, and all actors with it."""
    for args in commands:
        if waiting(args) is not None:
            why = f"{normalised(args)}: {HELD}"
            execution.controller.hazard(why)
            raise failure(why)
