"""Recognizes coroutines of client libraries, and coroutines that serve for ever."""

import dis
import types
from functools import cache
from typing import Any

from pytest_supercache.runtime.kernel.own_code import LAYERS

_INNER = (
    "redis.", "fakeredis.", "valkey.",
    *(f"{LAYERS}{name}." for name in ("clients", "fake_connection", "pools")),
)  # fmt: skip
"""Modules of client libraries and of our substitutes for them: their tasks are no actors."""


def is_inner(coro: Any) -> bool:
    """Say whether a coroutine belongs to a client library."""
    frame = getattr(coro, "cr_frame", None)
    name = "" if frame is None else frame.f_globals.get("__name__", "")
    return f"{name}.".startswith(_INNER)


def serves(coro: Any) -> bool:
    """Say whether a coroutine serves for ever: only an error or its cancellation ends it.

    No code awaits the end of such a task, so it may still wait when all users have ended.
    """
    code = getattr(coro, "cr_code", None)
    return code is not None and not _can_return(code)


@cache
def _can_return(code: types.CodeType) -> bool:
    """Say whether a return instruction is reachable other than after a cancellation."""
    bytecode: Any = dis.Bytecode(code)
    instructions = list(bytecode)
    places = {instruction.offset: at for at, instruction in enumerate(instructions)}
    handlers = [places[entry.target] for entry in bytecode.exception_entries]
    waiting, seen = [0, *handlers], set()
    while waiting:
        at = waiting.pop()
        instruction = instructions[at]
        if at in seen or instruction.opname in _RAISE:
            continue
        seen.add(at)
        if instruction.opname in _RETURN:
            return True
        if instruction.opcode in _JUMPS:
            waiting.append(places[instruction.argval])
        if instruction.opname not in _ALWAYS_JUMP and not _is_cancelled(instructions, at):
            waiting.append(at + 1)
    return False


def _is_cancelled(instructions: list[dis.Instruction], at: int) -> bool:
    """Say whether the code after a jump runs only when the task was cancelled."""
    before = [one for one in instructions[max(at - 3, 0) : at] if one.opname != "CACHE"]
    names = [one.argval for one in before if one.opname != "CHECK_EXC_MATCH"]
    is_match = any(one.opname == "CHECK_EXC_MATCH" for one in before)
    return is_match and "CancelledError" in names


_RETURN = frozenset({"RETURN_VALUE", "RETURN_CONST"})
_RAISE = frozenset({"RAISE_VARARGS", "RERAISE"})
_ALWAYS_JUMP = frozenset({"JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"})
_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
