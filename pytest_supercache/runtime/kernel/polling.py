"""Blocks polls: questions that an actor repeats although the answer was "nothing".

``while queue.empty(): pass`` would otherwise have infinitely many equivalent schedules. The first
question is always answered, and so are as many repeats as the check allows (``polls``), so that
code which gives up after a few tries does so in some schedule. After that, if the actor did nothing
visible in between, the question is a waiting step: it is enabled again when another step has
written what it reads, or when no other actor is enabled. Code that counts its questions may still
give up later, which no schedule would show: that is reported, and nothing is proved.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.own_code import PACKAGE_FOLDER
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

Answer = TypeVar("Answer")

COUNTED_MAX = 250
"""How many equal questions in a row code without a loop, or with a counter, may ask.

More is UNKNOWN.
"""

_SCALARS = frozenset({str, bytes, int, float, bool, complex, type(None)})
_CONTAINERS = (dict, list, set)
_UNCHANGING = (tuple, frozenset)


class Poll(NamedTuple):
    """A question of an actor that was answered "nothing"."""

    question: str
    taken: int
    """Steps that the actor had taken by then."""
    steps: int
    """Steps that all actors had taken by then."""
    repeats: int
    """How often the actor had asked that before, without any other step in between."""
    states: dict[object, object]
    """The variables of its code at the last such question, by place in the code."""


def poll(
    execution: ExecutionContext,
    question: str,
    footprint: Footprint,
    answer: Callable[[], Answer],
    *,
    kind: str,
    label: str = "",
    wait: Wait | None = None,
) -> Answer:
    """Take the step of a question that code may repeat; its answer is false for "nothing".

    The question identifies repeats; the step is called ``label`` where that is another name.
    """
    since = asked_before(execution, question)
    if since is not None and wait is not None:
        execution.controller.simplify(
            f"a question asked {execution.controller.polls + 2} times waits for another answer"
        )
    execution.step(
        label or question, footprint, kind=kind, wait=wait, recheck_from=since,
        polls=since is not None,
    )  # fmt: skip
    found = answer()
    if not found:
        note_nothing(execution, question)
    return found


def asked_before(execution: ExecutionContext, question: str) -> int | None:
    """Return the number of steps at the last answer "nothing", if the question has to wait.

    None: the question is new, or was not repeated often enough yet.
    """
    actor = this_actor()
    poll: Poll | None = actor.poll
    if poll is None or (poll.question, poll.taken) != (question, actor.taken):
        return None
    controller = execution.controller
    if poll.repeats < controller.polls:
        return None
    place, remembered = state_of_code(execution, actor)
    if place not in poll.states and poll.repeats < COUNTED_MAX:
        return None  # it is asked several times in a row, not in a loop
    if poll.states.get(place) != remembered:
        controller.hazard(
            f"{actor.name} was told 'nothing' {poll.repeats + 1} times in a row ({question}) and "
            "counts, or remembers, how often it asks: it may give up later, which was not tried. "
            "Allow more repeats (--supercache-polls=N), or let it wait on an event"
        )
    return poll.steps


def note_nothing(execution: ExecutionContext, question: str) -> None:
    """Remember that the calling actor's question was answered "nothing"."""
    actor = this_actor()
    last: Poll | None = actor.poll
    repeats, states = 0, {}
    if last is not None and (last.question, last.taken + 1) == (question, actor.taken):
        repeats, states = last.repeats + 1, last.states
    if repeats >= execution.controller.polls:
        place, remembered = state_of_code(execution, actor)
        states = {**states, place: remembered}
    actor.poll = Poll(question, actor.taken, len(execution.record.steps), repeats, states)


def state_of_code(execution: ExecutionContext, actor: Actor) -> tuple[object, object]:
    """Return the current instructions on the calling actor's stack, and its variables' values.

    Line numbers would not do: ``a.done or a.done or a.done`` is no loop. Frames of clients that
    send a command, and of event loops that run a task, are skipped.
    """
    entering = None
    if execution.controller.memory is not None:
        entering = execution.controller.memory.entering
        entering.watch()
    place, remembered = [], []
    frame: Any = sys._getframe(1)
    while frame is not None:
        if not _is_between(frame):
            called_back = 0 if entering is None else entering.callbacks(frame)
            place.append((frame.f_code, frame.f_lasti, called_back))
            variables = frame.f_locals
            remembered.append([(name, _form(value)) for name, value in variables.items()])
            if _KEEPS_LOCALS and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
                variables.clear()  # the frame keeps it, and what it holds would live for it
            del variables
        frame = frame.f_back
    return tuple(place), (remembered, actor.writes)


def _is_between(frame: Any) -> bool:
    library = str(frame.f_globals.get("__name__")).partition(".")[0]
    return library in _BETWEEN or frame.f_code.co_filename.startswith(PACKAGE_FOLDER)


_BETWEEN = frozenset({"asyncio", "redis", "valkey", "threading"})
_KEEPS_LOCALS = sys.version_info < (3, 13)


def _form(value: Any) -> object:
    """Return a value that changes with the variable, or with the size of its container.

    Objects of a class under test count by type only: equal ones may be created anew each time.
    """
    kind = type(value)
    if kind in _SCALARS:
        return kind, value
    if kind in _UNCHANGING:
        return kind, frozenset(map(_form, value)) if kind is frozenset else tuple(map(_form, value))
    if kind in _CONTAINERS:
        return identity(value), len(value)
    return kind if is_under_test_name(str(kind.__module__)) else identity(value)
