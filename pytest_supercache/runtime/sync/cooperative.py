"""Defines the base of all cooperative objects: a name, a state, and operations that are steps.

A wait object of the running execution decides which actors are enabled, never a real lock, so a
waiting thread is a step that is not enabled. The calling thread decides how an object behaves:
outside of an execution it is an ordinary one. An object is named by its creation site and its
number there within the actor, so that its name is the same in every execution.
"""

import functools
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.operation import DEFAULT_NODE
from pytest_supercache.core.trace import Step
from pytest_supercache.core.waits import Wait, WaitState
from pytest_supercache.runtime.kernel.calling import current_actor, this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.own_code import RUNTIME_FOLDER
from pytest_supercache.runtime.kernel.polling import Answer, poll
from pytest_supercache.runtime.memory.real_primitives import PrimitiveName

_MADE_FOR_OTHERS = (RUNTIME_FOLDER, functools.__file__)
_imported: Counter[str] = Counter()

_NAMED_AFTER_USER = frozenset({"lock:met"})
"""The resource of all objects that are named after their first user, who differs by schedule."""


def name_of_new(kind: str) -> str:
    """Return the name of a new object: its creation site and its number there within the actor."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_MADE_FOR_OTHERS) and frame.f_back is not None:
        frame = frame.f_back
    site = f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"
    actor = current_actor()
    if actor is None:
        number = _imported[site]
        _imported[site] += 1
        return f"{kind}:{site}#{number}"
    number = actor.lock_sites.get(site, 0)
    actor.lock_sites[site] = number + 1
    owner = "" if actor.direct else f"{actor.name}/"
    return f"{kind}:{owner}{site}#{number}"


@contextmanager
def numbered_anew() -> Iterator[None]:
    """Number objects of a repeated import as at the first one, for a fresh copy of a module."""
    kept = Counter(_imported)
    _imported.clear()
    try:
        yield
    finally:
        _imported.clear()
        _imported.update(kept)


class Cooperative:
    """A mixin that holds the name and the initial state of one wait object."""

    def _begin(self, kind: str, initial: WaitState) -> None:
        """Set the name, and the state in which the wait object begins in every execution."""
        self._kind = kind
        self._name = name_of_new(kind)
        self._is_per_node = current_actor() is None  # made at import: each process has its own
        self._initial = initial
        self._besides: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of its wait object, for the calling actor.

        Code outside of any node, such as the body of a test, gets that of the default node.
        """
        actor = current_actor()
        if self._is_per_node and actor is not None:
            return f"{self._name}@{actor.node or DEFAULT_NODE}"
        return self._name

    def name_after_place(self, place: str) -> None:
        """Name a stand-in after the place where the real object is kept; each node has its own."""
        self._name = f"{self._kind}:{place}"
        self._is_per_node = True

    def name_after_use(self, name: PrimitiveName | None, *, is_per_node: bool) -> None:
        """Name the stand-in of a real object that was not replaced before its first use.

        Args:
            name: of the real object; None: keep that of the place where it was used first.
            is_per_node: nodes are processes, so that each has its own.
        """
        self._is_per_node = is_per_node
        if name is not None:
            self._name = f"{self._kind}:{name.text}"
            self._besides = frozenset() if name.is_fixed else _NAMED_AFTER_USER

    def state(self, execution: ExecutionContext) -> WaitState:
        """Return the state of its wait object."""
        return execution.wait_state(self.name, self._initial)

    def do(
        self, execution: ExecutionContext, verb: str, *, guarded: bool = False,
        reads_only: bool = False, timeout: float | None = None, otherwise: str = "",
        sets: tuple[str, ...] = (), sets_on_change: bool = False,
    ) -> Step:  # fmt: skip
        """Take the step ``verb``; :func:`in_time` tells whether its timeout came first.

        Acquire reads *and* writes the lock: without the read a reduction would lose schedules.

        Args:
            execution: the running execution.
            verb: the operation on the wait object.
            guarded: wait until the object allows the operation.
            reads_only: the operation changes nothing.
            timeout: stop waiting after so many virtual seconds.
            otherwise: the operation to perform instead after a timeout.
            sets: flags that the step sets.
            sets_on_change: the step sets them only if it changes the wait object.
        """
        footprint = self._touched(execution, reads_only=reads_only)
        if sets:
            footprint = footprint | Footprint(writes=frozenset(sets))
        deadline = None if timeout is None else execution.now() + timeout
        if deadline is not None:
            footprint = footprint | Footprint(reads=frozenset({"clock:now"}))
        execution.step(
            self._label(verb), footprint, kind="lock",
            wait=Wait(
                self.name, verb, guarded=guarded, otherwise=otherwise, sets=sets,
                sets_on_change=sets_on_change, thread=self._thread(),
            ),
            deadline=deadline,
        )  # fmt: skip
        return execution.record.steps[-1]

    def ask(
        self, execution: ExecutionContext, verb: str, answer: Callable[[], Answer], *,
        reads_only: bool = True,
    ) -> Answer:  # fmt: skip
        """Take the step of a poll, which does not wait; its answer is false for "nothing"."""
        return poll(
            execution, f"{verb} {self.name}", self._touched(execution, reads_only=reads_only),
            answer, kind="lock", label=self._label(verb),
            wait=Wait(self.name, verb, thread=self._thread()),
        )  # fmt: skip

    def attempt(self, execution: ExecutionContext, verb: str) -> bool:
        """Take the step of a poll that may change the object, and say whether it did."""
        steps = execution.record.steps
        return self.ask(execution, verb, lambda: changed(steps[-1]), reads_only=False)

    def _touched(self, execution: ExecutionContext, *, reads_only: bool = False) -> Footprint:
        self.state(execution)
        resource = frozenset({self.name}) | self._besides
        return Footprint(reads=resource) if reads_only else Footprint(resource, resource)

    def _label(self, verb: str) -> str:
        return f"{verb} {self.name.partition(':')[2]}"

    def undo(self, execution: ExecutionContext, verb: str) -> None:
        """Perform ``verb`` without a step, while an abandoned execution unwinds."""
        self.state(execution)
        wait = Wait(self.name, verb, thread=self._thread())
        execution.record.waits.perform(this_actor().name, wait)

    def _thread(self) -> str:
        """Return the thread that holds the object for the calling actor; empty: itself."""
        return ""


def changed(step: Step) -> bool:
    """Say whether a step changed its wait object."""
    return step.wait_before != step.wait_after


def in_time(execution: ExecutionContext, step: Step) -> bool:
    """Say whether a step got what it waited for, before its timeout or in spite of it."""
    if step.wait is None or not execution.record.waits.is_set(step.wait.timer):
        return True
    before = step.wait_before
    return before is not None and before.allows(step.wait.holder(step.actor), step.wait.verb)
