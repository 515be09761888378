"""Removes the steps of locks that are never held at a switch point: no actor waits for them.

The holder of such a lock runs on until it is released, so that its acquire and release are no
steps. The section is one step if it touches what sections of others under the same lock touch,
too, and one of them writes; its footprint is that and not the lock. Where not all that it touches
is tracked, every section under its lock is a step that writes, unless the table of a library says
that it is mere bookkeeping. A lock is *quiet* until it is held at a switch point, or asked for
without waiting; from then on it is *loud*, and every acquire and release of it is a step.
"""

import sys
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import Place
from pytest_supercache.core.waits import LockState, Wait
from pytest_supercache.declare import adapters
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.kinds import module_of
from pytest_supercache.runtime.kernel.own_code import RUNTIME
from pytest_supercache.runtime.kernel.spinning import take
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import IMMUTABLE, top
from pytest_supercache.runtime.memory.sharing import (
    Sharing,
    label_of_section,
    place_of_section,
    places_of_locks,
)


@dataclass(slots=True)
class Section:
    """A critical section that an actor is in.

    Attributes:
        lock: the name of the quiet lock that it holds.
        label: the label of its step, if it is one.
        depth: how often a re-entrant lock is held.
    """

    lock: str
    label: str
    depth: int = 1


class Sections:
    """The critical sections of one execution.

    Args:
        sharing: knows which locks are quiet, and which sections are steps.
        execution: takes the steps.
    """

    def __init__(self, sharing: Sharing, execution: ExecutionContext) -> None:
        self._sharing = sharing
        self._execution = execution
        self._is_used = False
        self._loud: set[str] = set()  # their acquires and releases were steps
        self._steps: set[Place] = set()

    def places(self) -> set[Place]:
        """Return which locks were quiet and which sections were steps, as a token records it."""
        return {*places_of_locks(self._loud), *self._steps} if self._is_used else set()

    def enter(self, actor: Actor, lock: str, state: LockState) -> bool:
        """Let an actor acquire a lock without a step; False: the acquire is a step.

        Args:
            actor: asks for the lock, and would wait for it.
            lock: the name of the lock.
            state: the present state of the lock.
        """
        section = actor.section
        if section is not None and section.lock == lock and state.reentrant:
            section.depth += 1
            self._perform(actor, lock, "acquire")
            return True
        caller = _caller()
        if not self._is_quiet(actor, lock, state, caller):
            self._loud.add(lock)
            return False
        shown, function = lock.partition(":")[2], caller.f_code.co_name
        label = label_of_section(shown, function)
        is_step = self._sharing.is_section(actor.name, shown, label)
        if is_step and actor.is_task:  # it cannot wait for its turn inside of a coroutine
            self.note_loud(lock)
            return False
        self._is_used = True
        if is_step:
            touched = self._sharing.widened(actor.name, label, Footprint())
            self._steps.add(place_of_section(actor.name, shown, function, touched))
            take(self._execution, label, touched, "lock")
        actor.section = Section(lock, label)
        self._perform(actor, lock, "acquire")
        return True

    def leave(self, actor: Actor, lock: str) -> bool:
        """Let an actor release a lock without a step; False: the release is a step."""
        section = actor.section
        if section is None or section.lock != lock:
            return False
        section.depth -= 1
        self._perform(actor, lock, "release")
        if not section.depth:
            actor.section = None
            self._execution.readings.note_end(
                actor, self._sharing.widened(actor.name, section.label, Footprint())
            )
        return True

    def _is_quiet(self, actor: Actor, lock: str, state: LockState, caller: Any) -> bool:
        """Say whether an acquire begins a section; if the lock can have none, it becomes loud."""
        if not self._sharing.is_quiet(lock):
            return False
        is_bookkeeping = _is_bookkeeping(caller)
        is_outside = not actor.is_task or is_bookkeeping
        if not is_outside or actor.section is not None or state.holder is not None:
            self.note_loud(lock)
            return False
        is_fully_tracked = Current.knows_code is not None and Current.knows_code(caller.f_code)
        if not is_fully_tracked and not is_bookkeeping:
            self._sharing.note_unseen(lock.partition(":")[2])
        return True

    def held_at_switch_point(self, actor: Actor) -> None:
        """Note that an actor holds a lock at a switch point: its release is a step."""
        if actor.section is not None:
            self.note_loud(actor.section.lock)
            actor.section = None

    def note_unseen(self) -> None:
        """Note that the calling actor uses memory that is not tracked, if it is in a section."""
        actor = here.actor
        if actor is not None and actor.section is not None:
            self._sharing.note_unseen(actor.section.lock.partition(":")[2])

    def note_left_alone(self, kind: type) -> None:
        """Note that the calling actor uses an object of a type that is not tracked."""
        if top(module_of(kind)) not in IMMUTABLE:
            self.note_unseen()

    def note_loud(self, lock: str) -> None:
        """Note that an actor may have to wait for a lock, or may learn that it is held."""
        self._loud.add(lock)
        self._sharing.note_loud(lock)

    def _perform(self, actor: Actor, lock: str, verb: str) -> None:
        waits = self._execution.record.waits
        state = waits.states[lock]
        is_reentrant = isinstance(state, LockState) and state.reentrant
        thread = actor.holds_as if is_reentrant else ""
        waits.perform(actor.name, Wait(lock, verb, thread=thread))


def _is_bookkeeping(caller: Any) -> bool:
    """Say whether a library's table tells that its section is seen by no other user."""
    module = str(caller.f_globals.get("__name__"))
    said = adapters.bookkeeping(module)
    if said is None:
        return False
    asks = caller.f_back
    by_itself = asks is not None and top(str(asks.f_globals.get("__name__"))) == top(module)
    return by_itself or caller.f_code.co_name not in said.changing


def _caller() -> Any:
    """Return the frame of the code that uses a lock of ours."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(RUNTIME):
        frame = frame.f_back
    return frame
