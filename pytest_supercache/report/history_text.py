"""Formats the history as lines of text: each call with its user, its steps and its answer."""

from collections.abc import Callable

from pytest_supercache.core.operation import RACE, History, Operation
from pytest_supercache.report.plain import error_text
from pytest_supercache.report.values import clean, short, shown

KEY_MAX = 300


def history_text(history: History) -> str:
    """Return one line per operation: ``alice [0-5] read product:42 -> 100``.

    The numbers count steps of the whole execution: those before the operation's first step, and
    those before its return.
    """
    lines = [_line(operation) for operation in history]
    return "\n".join(lines or ["no operations"])


def call_text(operation: Operation, shorten: Callable[[str], str] = str) -> str:
    """Return an operation's call: ``write product:42 = 120``; a picture may shorten the value."""
    key = "" if operation.key is None else f" {short(operation.key, KEY_MAX)}"
    value = "" if operation.value is None else f" = {shorten(shown(operation.value))}"
    return f"{clean(operation.kind)}{key}{value}"


def answer_text(operation: Operation, shorten: Callable[[str], str] = str) -> str:
    """Return the answer: ``-> 100``, ``done``, ``raised KeyError: ...``, ``no answer``."""
    if operation.error is not None:
        return f"raised {short(error_text(operation.error))}"
    if not operation.returned:
        return "no answer"
    if operation.answer is not None:
        return f"-> {shorten(shown(operation.answer))}"
    return "-> nothing" if operation.kind == "read" else "done"


def _line(operation: Operation) -> str:
    end = "..." if operation.returned_at is None else str(operation.returned_at)
    where = f"[{operation.called_at}-{end}]"
    phase = "" if operation.phase == RACE else f"  ({operation.phase}, node {operation.node})"
    saw = "".join(f", saw {clean(key)} = {shown(value)}" for key, value in operation.sightings)
    wrote = "".join(f", wrote {clean(key)} = {shown(value)}" for key, value in operation.writes)
    call, answer = call_text(operation), answer_text(operation)
    return f"{clean(operation.user)} {where} {call} {answer}{saw}{wrote}{phase}"
