"""Polls: questions that an actor repeats although the answer was "nothing".

``while queue.empty(): pass`` would otherwise have endlessly many schedules that differ in nothing.
The first question is always answered, and so are as many repeats as the check allows (``polls``):
code that gives up after a few tries does so in some schedule. From then on, when the actor did
nothing in between that we see, a question is a waiting step: it is enabled again when somebody has
written what it reads, or when nobody else can go on. Code that counts its questions may still give
up later, which no schedule would show: that is said, and nothing is proved.
"""

import inspect
import sys
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.own_code import PACKAGE_FOLDER
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

COUNTED_MAX = 250
"""How often code that is in no loop, or counts, may ask the same in a row; more is UNKNOWN."""

_SCALARS = frozenset({str, bytes, int, float, bool, complex, type(None)})
_CONTAINERS = (dict, list, set)
_UNCHANGING = (tuple, frozenset)


class Poll(NamedTuple):
    """A question of an actor that was answered "nothing"."""

    question: str
    taken: int
    """Steps that the actor had taken by then."""
    steps: int
    """Steps that everybody had taken."""
    repeats: int
    """How often it had asked that before, without doing anything else."""
    states: dict[object, object]
    """What its code remembered at the last such question, by the place that asked."""


def asked_before(execution: Stepping, question: str) -> int | None:
    """Return how many steps there were at the last answer "nothing", if the question has to wait.

    None: it is asked for the first time, or not often enough yet.
    """
    actor = _asking()
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


def note_nothing(execution: Stepping, question: str) -> None:
    """Remember that the question which the calling actor has just asked had an empty answer."""
    actor = _asking()
    last: Poll | None = actor.poll
    repeats, states = 0, {}
    if last is not None and (last.question, last.taken + 1) == (question, actor.taken):
        repeats, states = last.repeats + 1, last.states
    if repeats >= execution.controller.polls:
        place, remembered = state_of_code(execution, actor)
        states = {**states, place: remembered}
    actor.poll = Poll(question, actor.taken, len(execution.record.steps), repeats, states)


def _asking() -> Actor:
    actor = current_actor()
    assert actor is not None, "only an actor's thread is under control"
    return actor


def state_of_code(execution: Stepping, actor: Actor) -> tuple[object, object]:
    """Return which instructions of its code the calling actor executes, and what variables hold.

    Lines would not do: ``a.done or a.done or a.done`` is no loop. What clients keep while they send
    a command, and event loops while they run a task, is left out.
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
    """Return what changes when a variable, or the size of the container it holds, does.

    An object of a class under test may be another one every time that says the same.
    """
    kind = type(value)
    if kind in _SCALARS:
        return kind, value
    if kind in _UNCHANGING:
        return kind, frozenset(map(_form, value)) if kind is frozenset else tuple(map(_form, value))
    if kind in _CONTAINERS:
        return identity(value), len(value)
    return kind if is_under_test_name(str(kind.__module__)) else identity(value)
