"""Makes a step of each callback that is ready on an event loop, so that answers may come before it.

What a step makes ready runs in the loop's next turn, and until then the loop may hear of answers
that are on their way. Two rules say what asyncio's queue allows, by happens-before alone, so that
they say the same of equivalent executions (docs/decisions/0078):

- Callbacks run in the order in which they became ready. Two that independent steps made ready have
  no order, because these steps have none.
- The loop needs one turn to read an answer, and the next one to resume the task that awaits it. So
  an answer comes after each callback that runs at most two turns after the command was sent.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.waits import FlagState, Wait
from pytest_supercache.runtime.aio.loop import LoopInterface
from pytest_supercache.runtime.aio.loop_callbacks import called_in, is_of_asyncio
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Announced, State
from pytest_supercache.runtime.kernel.ordering import RESUMES, TurnOrder
from pytest_supercache.runtime.kernel.passing import WITH_EFFECTS
from pytest_supercache.runtime.kernel.task_actor import ACTING, TaskActor, place_of
from pytest_supercache.runtime.kernel.under_test import is_under_test_name


@dataclass(slots=True)
class _ReadyCallback:
    """A callback that is, or was, ready."""

    handle: asyncio.Handle
    step: Announced
    flag: str
    root: int  # the choice whose step no callback led to, from which callbacks led here
    depth: int  # so many turns after that one it runs
    chosen: int | None = None  # the choice that ran it


class ReadyQueue:
    """The callbacks of a loop that became ready in the race, each the next step of an actor.

    Args:
        loop: the loop that runs them.
    """

    def __init__(self, loop: LoopInterface) -> None:
        self._loop = loop
        self._past: list[_ReadyCallback] = []
        self._waiting: dict[TaskActor, deque[_ReadyCallback]] = {}
        self._order = TurnOrder(loop.controller.record.steps)
        self._callers: dict[str, TaskActor] = {}
        self._run_at_once: tuple[int, list[Any]] = -1, []  # a choice, and functions since then
        self._postponed: list[asyncio.Handle] = []

    @property
    def is_empty(self) -> bool:
        """Whether no callback waits to be chosen."""
        return not self._waiting

    def hold(self, callbacks: deque[asyncio.Handle], is_note: Callable[[Any], bool]) -> None:
        """Take callbacks that the latest choice has made ready, and announce them as steps.

        Args:
            callbacks: the loop's own queue; what stays there runs at once.
            is_note: says whether a function only notes something for the loop itself.
        """
        choice = len(self._loop.controller.choices) - 1
        handles = [handle for handle in callbacks if not handle.cancelled()]
        callbacks.clear()
        if handles or self._past:
            self._order.add_up_to(choice)
        for handle in handles:
            function = called_in(handle)
            actor = None if is_note(function) else self._actor_of(handle, function)
            if actor is not None:
                self._announce(actor, handle, function, choice)
            elif is_note(function) or self._is_first(function, choice):
                callbacks.append(handle)
            else:
                self._postponed.append(handle)
        if self.is_empty:
            callbacks.extend(self.take_postponed())
        self._hold_back_answers()

    def _is_first(self, function: Any, choice: int) -> bool:
        """Say whether a callback of a library is the first of its kind since the latest choice.

        One that schedules itself again and again may wait for a task whose turn is to be chosen.
        """
        if self._run_at_once[0] != choice:
            self._run_at_once = choice, []
        functions = self._run_at_once[1]
        is_first = function not in functions
        functions.append(function)
        return is_first

    def take_postponed(self) -> list[asyncio.Handle]:
        """Return the callbacks that wait for the next choice; there are none left."""
        postponed, self._postponed = self._postponed, []
        return postponed

    def note_sent(self, actor: TaskActor, step: Announced) -> None:
        """Note when an actor began to wait for an answer, or for another turn."""
        if step.kind != "memory":  # that is the answer of the step before
            waits = step.kind in _OF_ONE_TURN or step.kind in WITH_EFFECTS
            actor.sent = len(self._loop.controller.choices) - 1 if waits else -1

    def release(self, actor: TaskActor) -> asyncio.Handle:
        """Return the callback that is an actor's next step, which was chosen."""
        waiting = self._waiting[actor]
        ready = waiting.popleft()
        ready.chosen = len(self._loop.controller.choices) - 1
        if waiting:
            actor.pending, actor.state = waiting[0].step, State.PARKED
        else:
            del self._waiting[actor]
            actor.state = State.RUNNING
        return ready.handle

    def release_all(self) -> list[asyncio.Handle]:
        """Return all callbacks, because the race is over."""
        released = self.take_postponed()
        for actor in list(self._waiting):
            while actor in self._waiting:
                released.append(self.release(actor))
            actor.pending = None
        return released

    def _actor_of(self, handle: asyncio.Handle, function: Any) -> TaskActor | None:
        """Return the actor whose step a callback is; None: it is no step."""
        task = getattr(function, "__self__", None)
        if isinstance(task, asyncio.Task):
            actor = self._loop.actors.get(task)
            if actor is None or actor.task is not task or actor.state is not State.RUNNING:
                return None
            return actor
        module = getattr(function, "__module__", None)  # methods of C have none
        if not (module is None or is_of_asyncio(function) or is_under_test_name(module)):
            return None
        owner = handle._context.get(ACTING)  # type: ignore[attr-defined] # noqa: SLF001 - asyncio tells it nowhere else
        return None if owner is None or owner.dismissed else self._caller_of(owner)

    def _caller_of(self, owner: TaskActor) -> TaskActor:
        """Return the actor whose steps are the callbacks that another one has registered."""
        caller = self._callers.get(owner.name)
        if caller is None:
            name = f"{owner.name}/callbacks"
            caller = self._callers[owner.name] = TaskActor(
                name, owner.node, lambda: None, home=self._loop, daemon=True, state=State.RUNNING
            )
            self._loop.controller.actors[name] = caller
        caller.operation = owner.operation
        return caller

    def _announce(
        self, actor: TaskActor, handle: asyncio.Handle, function: Any, choice: int
    ) -> None:
        controller, waiting = self._loop.controller, self._waiting.setdefault(actor, deque())
        execution = controlled()
        assert execution is not None, "a callback became ready outside of an execution"
        flag = f"resumed:{actor.name}#{actor.taken + len(waiting)}"
        controller.record.waits.declare(flag, FlagState())
        label, waker = _label(actor, function), self._order.step(choice)
        is_by_tick = waker is not None and waker.actor == CLOCK  # timers of one time have no order
        earlier = [
            one.flag
            for one in self._past
            if self._is_sooner(one, choice, 1) and not (is_by_tick and one.root == choice)
        ]
        own = Footprint(frozenset(earlier), frozenset({flag}))
        step = Announced(
            label, RESUMES, execution.widened(actor, label, own),
            Wait(flags=tuple(earlier), sets=(flag,)),
        )  # fmt: skip
        if waker is None:
            controller.memory.sharing.note_start(controller.choices[choice])
        elif not (is_by_tick or waker.actor == actor.name):
            step.cause = waker.actor, waker.index
        root, depth = self._order.origin(choice)
        ready = _ReadyCallback(handle, step, flag, root, depth + 1)
        self._order.note_ready(flag, choice)
        self._past.append(ready)
        waiting.append(ready)
        if len(waiting) == 1:
            actor.pending, actor.state = step, State.PARKED

    def _hold_back_answers(self) -> None:
        """Let answers come after the callbacks that become ready sooner."""
        sharing = self._loop.controller.memory.sharing
        for actor in self._loop.actors.values():
            step = actor.pending
            if step is None or actor.gate is None or step.deadline is not None:
                continue
            if step.has_answer and (
                self._loop.controller.shared_memory
                or sharing.is_answer_step(actor.name, step.label)
            ):
                continue  # its effect happens outside of the loop
            known = step.wait or Wait()
            turns = 1 if step.kind in _OF_ONE_TURN else 2
            flags = tuple(
                one.flag
                for one in self._past
                if one.flag not in known.flags and self._is_sooner(one, actor.sent, turns)
            )
            if flags:
                step.wait = replace(known, flags=(*known.flags, *flags))
                step.footprint |= Footprint(reads=frozenset(flags))

    def _is_sooner(self, ready: _ReadyCallback, choice: int, turns: int) -> bool:
        """Say whether a callback runs before what comes so many turns after a choice's step.

        It is not asked for if the callback's step has happened before.
        """
        if ready.chosen is not None and self._order.leads(ready.chosen, choice):
            return False
        passed = self._order.turns_between(ready.root, choice)
        return passed is not None and passed + turns >= ready.depth


_OF_ONE_TURN = frozenset({"clock"})
"""The kind of steps, if without a deadline, after which a task goes on in the next turn."""


def _label(actor: TaskActor, function: Any) -> str:
    if actor.task is None:
        name = getattr(function, "__qualname__", type(function).__name__)
        return "run a callback of asyncio" if is_of_asyncio(function) else f"run {name}"
    coroutine = actor.task.get_coro()
    if not actor.taken and _is_new(coroutine):
        return "start"
    place = place_of(coroutine)
    return f"go on after await {place}" if place else "go on after an await"


def _is_new(coroutine: Any) -> bool:
    is_coroutine = inspect.iscoroutine(coroutine)
    return is_coroutine and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
