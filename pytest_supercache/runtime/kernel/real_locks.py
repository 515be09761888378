"""Explains why a thread hangs in a real lock: the lock, its holder, and why it is real.

It parses the hanging line, and looks up its names in the frame without running any code. Only what
is certain is said.
"""

import ast
import functools
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple

from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.source import parts_of, value_of
from pytest_supercache.runtime.kernel.whereabouts import frames_of, place

REAL_LOCKS = (type(threading.Lock()), type(threading.RLock()))

_OF_PROPERTIES = (
    "cached_property makes it, in Python 3.11. Run this on 3.12, which has none, or let what it "
    "computes take no step"
)

_OF_FILES = "the operating system gives it to whom it likes, so it is not under control here"


class _Awaited(NamedTuple):
    lock: Any
    shown: str
    why: str


def explain(actor: Actor, everybody: Iterable[Actor], is_ours: Callable[[str], bool]) -> list[str]:
    """Say which real lock an actor waits for; empty if there is none, or it cannot be told."""
    frame = next((f for f in frames_of(actor) if not is_ours(f.f_code.co_filename)), None)
    if frame is None:
        return []
    if _locks_of_files(frame):
        return [f"{actor.name} waits for a lock of a file: {_OF_FILES}"]
    awaited = _of_property(frame) or _of_line(frame)
    if awaited is None or _is_owner(actor, awaited.lock):
        return []
    others = (other for other in everybody if other is not actor)
    told = f"{actor.name} waits for {awaited.shown}{_held(awaited.lock, others)}"
    return [told, f"it is a real lock: {awaited.why}"] if awaited.why else [told]


def _held(lock: Any, others: Iterable[Actor]) -> str:
    """Name the holder of a lock: the owner of an `RLock`, or an actor inside a `with` of it."""
    for other in others:
        for frame in frames_of(other):
            if any(value_of(item, frame) is lock for item in _entered(frame)):
                return f", which {other.name} holds ({place(frame)})"
        if _is_owner(other, lock):
            return f", which {other.name} holds"
    return ""


def _is_owner(actor: Actor, lock: Any) -> bool:
    owner = re.search(r"owner=(\d+)", repr(lock)) if type(lock) is REAL_LOCKS[1] else None
    return owner is not None and actor.thread is not None and str(actor.thread.ident) == owner[1]


def _of_property(frame: FrameType) -> _Awaited | None:
    if frame.f_code is not getattr(functools.cached_property.__get__, "__code__", None):
        return None
    found: Any = frame.f_locals.get("self")
    lock = getattr(found, "lock", None)
    if not _is_held(lock):
        return None
    return _Awaited(lock, f"the lock of the cached_property {found.attrname!r}", _OF_PROPERTIES)


def _of_line(frame: FrameType) -> _Awaited | None:
    candidates = [*_takes(frame)]
    held = [(node, lock) for node in candidates if _is_held(lock := value_of(node, frame))]
    if len(held) != 1:
        return None
    node, lock = held[0]
    return _Awaited(lock, f"the lock {ast.unparse(node)}", "")


def _is_held(lock: Any) -> bool:
    if type(lock) is REAL_LOCKS[0]:
        return bool(lock.locked())
    return type(lock) is REAL_LOCKS[1] and repr(lock).startswith("<locked")


def _locks_of_files(frame: FrameType) -> bool:
    fcntl = sys.modules.get("fcntl")
    takers = [getattr(fcntl, name, None) for name in ("flock", "lockf")]
    calls = (node.func for node in _at(frame) if isinstance(node, ast.Call))
    found = [value_of(called, frame) for called in calls]
    return any(one is not None and one is taker for one in found for taker in takers)


def _takes(frame: FrameType) -> Iterator[ast.expr]:
    """Yield the locks that a line takes: ``LOCK`` in ``with LOCK:`` and ``LOCK.acquire()``."""
    for node in _at(frame):
        if isinstance(node, ast.With | ast.AsyncWith) and node.body[0].lineno > frame.f_lineno:
            yield from (item.context_expr for item in node.items)
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in {"acquire", "__enter__"}:
            yield called.value


def _at(frame: FrameType) -> Iterator[ast.AST]:
    """Yield the syntax nodes that begin on the line of a frame."""
    for node in parts_of(frame):
        if getattr(node, "lineno", None) == frame.f_lineno:
            yield node


def _entered(frame: FrameType) -> Iterator[ast.expr]:
    """Yield the context expressions of the ``with`` blocks around the line of a frame."""
    line: int | None = frame.f_lineno
    if line is None:
        return  # what runs there belongs to no line
    for node in parts_of(frame):
        if not isinstance(node, ast.With) or node.end_lineno is None:
            continue
        if node.body[0].lineno <= line <= node.end_lineno:
            yield from (item.context_expr for item in node.items)
