"""Describes where an actor is: its announced step, and its line in the code under test."""

import sys
from collections.abc import Iterator
from pathlib import PurePath
from types import FrameType
from typing import Any

from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.task_actor import place_of
from pytest_supercache.runtime.kernel.under_test import is_under_test_name


def where(actor: Actor) -> str:
    """Return an actor's name with its announced step and its line: ``a (GET k, shop.py:7)``."""
    told = [] if actor.pending is None else [actor.pending.label]
    task: Any = getattr(actor, "task", None)
    line = _line_of(actor) if task is None else place_of(task.get_coro())
    told += [line] if line else []
    return f"{actor.name} ({', '.join(told)})" if told else actor.name


def frames_of(actor: Actor) -> Iterator[FrameType]:
    """Yield the frames of an actor's thread, the innermost first."""
    number = None if actor.thread is None else actor.thread.ident
    frame = None if number is None else sys._current_frames().get(number)
    while frame is not None:
        yield frame
        frame = frame.f_back


def place(frame: FrameType) -> str:
    """Return the line of a frame: ``shop.py:7 in get``."""
    code = frame.f_code
    return f"{PurePath(code.co_filename).name}:{frame.f_lineno} in {code.co_name}"


def _line_of(actor: Actor) -> str:
    names = ((frame, frame.f_globals.get("__name__", "")) for frame in frames_of(actor))
    return next((place(frame) for frame, name in names if is_under_test_name(name)), "")
