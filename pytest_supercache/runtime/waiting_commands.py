"""Blocking commands of Redis: who waits in the server waits for their turn here.

The server is never let wait: no thread of ours may hang in it, and time is ours. What a command
waits for is looked for in its step; if it is not there, its next step comes when somebody has
written a key of it, or when its time is over. Of several that wait for one key, the server serves
the first; here any may be the next, and that is said.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.layers.redis_commands import normalised
from pytest_supercache.layers.redis_waiting import Waiting, waiting
from pytest_supercache.runtime.faults import Failure
from pytest_supercache.runtime.stepping import Stepping

Ask = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""Sends a command, given its words and options, and returns the answer."""

HELD = (
    "a command that waits in the server for what others store is only under control if it is sent "
    "by itself, at grain command, and on a real server not by an asyncio client"
)


def answered(
    execution: Stepping,
    label: str,
    footprint: Footprint,
    args: Sequence[Any],
    options: Mapping[str, Any],
    ask: Ask,
    failure: Failure,
) -> Any:
    """Ask for the answer of a command whose step has been taken, and wait for it if need be."""
    waits = waiting(args)
    if waits is None:
        return ask(args, options)
    if execution.controller.grain == "wire":
        refuse_waits(execution, [args], failure)
    execution.controller.simplify("blocking commands served in any order")
    deadline = None
    if waits.seconds < math.inf:
        deadline = execution.now() + waits.seconds
        footprint = footprint | Footprint(reads=frozenset({"clock:now"}))
    look = _looking(waits, args, options, ask)
    is_there, answer = look()
    is_in_time = True
    while is_in_time and not is_there:
        execution.record.note_futile(("command",))
        is_in_time = execution.step(
            f"{label}, at last", footprint, kind="command", deadline=deadline,
            recheck_from=len(execution.record.steps), failure=failure,
        )  # fmt: skip
        is_there, answer = look()
    return answer


def _looking(
    waits: Waiting, args: Sequence[Any], options: Mapping[str, Any], ask: Ask
) -> Callable[[], tuple[bool, Any]]:
    """Return what says whether there is an answer now, and what it is if nobody waits longer."""
    if not waits.at_once:
        exists = ("EXISTS", *waits.keys)
        return lambda: (True, ask(args, options)) if ask(exists, {}) else (False, None)
    words = list(waits.at_once)
    for at, stream in waits.newest:
        last = ask(("XREVRANGE", stream, "+", "-", "COUNT", 1), {})
        words[at] = last[0][0] if last else "0-0"

    def look() -> tuple[bool, Any]:
        answer = ask(words, options)
        return bool(answer), answer

    return look


def refuse_waits(execution: Stepping, commands: Iterable[Sequence[Any]], failure: Failure) -> None:
    """Let a command fail that would wait in the server; everybody would wait with it."""
    for args in commands:
        if waiting(args) is not None:
            why = f"{normalised(args)}: {HELD}"
            execution.controller.hazard(why)
            raise failure(why)
