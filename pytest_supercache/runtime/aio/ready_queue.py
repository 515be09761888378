"""Makes a step of what becomes ready on an event loop, so that answers may come before it.

What a step makes ready runs in the loop's next turn, and until then the loop may hear of answers
that are on their way. Two rules say what asyncio's queue allows, by happens-before alone, so that
they say the same of equivalent executions (docs/decisions/0078):

- What one step makes ready runs in one turn, in that order, with nothing in between: one batch.
  Batches run in the order in which they became ready. Two that independent steps made ready have no
  order, because these steps have none.
- The loop needs one turn to read an answer, and the next one to resume the task that awaits it. So
  an answer comes after each batch that runs at most two turns after the command was sent, or after
  anything that happened before its effect.

The first rule implies another. If an answer, or the start of a user, depends on a callback, all
batches of the callback's turn and of earlier turns run before it.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step
from pytest_supercache.core.waits import FlagState, Wait
from pytest_supercache.runtime.aio.loop import LoopInterface
from pytest_supercache.runtime.aio.loop_callbacks import actor_of, called_in, is_of_asyncio
from pytest_supercache.runtime.aio.loop_sleepers import Sleeper
from pytest_supercache.runtime.kernel import unannounced
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.actor import Announced, State
from pytest_supercache.runtime.kernel.ordering import RESUMES, WITH_EFFECTS, TurnOrder
from pytest_supercache.runtime.kernel.task_actor import TaskActor, place_of
from pytest_supercache.runtime.kernel.under_test import is_under_test_name


@dataclass(slots=True)
class _Batch:
    """What one step has made ready: callbacks that run in one turn, with nothing in between."""

    handles: list[asyncio.Handle]
    step: Announced
    flag: str
    node: str | None
    root: int  # the choice whose step no callback led to, from which callbacks led here
    depth: int  # so many turns after that one it runs
    is_by_timer: bool
    chosen: int | None = None  # the choice that ran it


class ReadyQueue:
    """The callbacks of a loop that became ready in the race; each batch is a step.

    Args:
        loop: the loop that runs them.
    """

    def __init__(self, loop: LoopInterface) -> None:
        self._loop = loop
        self._past: list[_Batch] = []
        self._waiting: dict[TaskActor, deque[_Batch]] = {}
        self._order = TurnOrder(loop.controller.record.steps, self._is_task)
        self._callers: dict[str, TaskActor] = {}
        self._timers: list[tuple[float, list[asyncio.Handle]]] = []  # what each has made ready
        self._lone: list[Any] = []  # functions of batches without an actor, since the last choice
        self._postponed: list[asyncio.Handle] = []

    @property
    def is_empty(self) -> bool:
        """Whether no callback waits to be chosen."""
        return not self._waiting

    def flags(self) -> tuple[str, ...]:
        """Return the flags that the waiting callbacks will set."""
        return tuple(batch.flag for batches in self._waiting.values() for batch in batches)

    def note_timer(self, due: float, handles: list[asyncio.Handle]) -> None:
        """Note what one timer has made ready: others of the same tick may come before or after."""
        if handles:
            self._timers.append((due, handles))

    def hold(self, callbacks: deque[asyncio.Handle], is_note: Callable[[Any], bool]) -> None:
        """Take callbacks that the latest choice has made ready, and announce them as a step.

        Args:
            callbacks: the loop's own queue; what stays there runs at once.
            is_note: says whether a function only notes something for the loop itself.
        """
        handles = [handle for handle in callbacks if not handle.cancelled()]
        callbacks.clear()
        if handles or self._past:
            self._order.add_up_to(self._choice)
        batch: list[asyncio.Handle] = []
        for handle in handles:
            (callbacks if is_note(called_in(handle)) else batch).append(handle)
        timers, self._timers = self._timers, []
        for due, part in timers:
            self._put([one for one in part if one in batch], callbacks, due=due)
            batch = [one for one in batch if one not in part]
        self._put(batch, callbacks, due=None)
        if self.is_empty:
            callbacks.extend(self.take_postponed())

    def _is_task(self, name: str) -> bool:
        actor = self._loop.controller.actors.get(name)
        return actor is not None and actor.is_task

    @property
    def _choice(self) -> int:
        return len(self._loop.controller.choices) - 1

    def _put(
        self, handles: list[asyncio.Handle], callbacks: deque[asyncio.Handle], *, due: float | None
    ) -> None:
        """Announce a batch as a step; without any actor's callback it runs at once, but once.

        One that a timer has made ready comes after what was due before that.

        A callback of a library that schedules itself again may wait for a task that waits to be
        chosen.
        """
        stead = None if due is None else self._in_stead(handles, due)
        found = [(self._actor_of(handle), handle) for handle in handles]
        actors = [(actor, handle) for actor, handle in found if actor is not None]
        if actors:
            actors.sort(key=lambda one: one[0].name)  # sets of tasks have no order
            self._set_free(handles)
            self._announce(actors, handles, due=due, stead=stead)
            return
        for handle in handles:
            function = called_in(handle)
            (self._postponed if function in self._lone else callbacks).append(handle)
            self._lone.append(function)

    def _in_stead(self, handles: list[asyncio.Handle], due: float) -> Sleeper | None:
        """Set tasks free that a timer has cancelled, if a sleeper that was due before goes first.

        Returns:
            The sleeper among them, if its sleep was over, too: it goes on when it would have woken.
        """
        for actor in self._cancelled_at_steps(handles):
            sleepers = self._loop.sleepers[actor.node]
            stead = sleepers.over(actor, due)
            if sleepers.has_before(due if stead is None else stead.deadline):
                self._set_free(handles)
                return stead
        return None

    def _set_free(self, handles: list[asyncio.Handle]) -> None:
        """Let tasks that were cancelled at their steps go on in the batch, not by these steps."""
        for actor in self._cancelled_at_steps(handles):
            actor.pending, actor.gate, actor.state = None, None, State.RUNNING

    def _cancelled_at_steps(self, handles: list[asyncio.Handle]) -> list[TaskActor]:
        tasks = (getattr(called_in(handle), "__self__", None) for handle in handles)
        actors = (self._loop.actors.get(task) for task in tasks if isinstance(task, asyncio.Task))
        return [actor for actor in actors if actor and actor.gate and actor.gate.cancelled()]

    def take_postponed(self) -> list[asyncio.Handle]:
        """Return the callbacks that wait for the next choice; there are none left."""
        postponed, self._postponed = self._postponed, []
        self._lone.clear()
        return postponed

    def note_sent(self, actor: TaskActor, step: Announced) -> None:
        """Note since when an actor waits for an answer, and in which choice its effect happened."""
        if step.kind != "memory":
            actor.sent = (self._choice,) if step.kind in WITH_EFFECTS else ()
        elif actor.sent:
            actor.sent = (actor.sent[0], self._choice)

    def release(self, actor: TaskActor) -> list[asyncio.Handle]:
        """Return the callbacks that are an actor's next step, which was chosen."""
        waiting = self._waiting[actor]
        batch = waiting.popleft()
        batch.chosen = self._choice
        if waiting:
            actor.pending, actor.state = waiting[0].step, State.PARKED
        else:
            del self._waiting[actor]
            actor.state = State.RUNNING
        handles, batch.handles = batch.handles, []
        return handles

    def release_all(self) -> list[asyncio.Handle]:
        """Return all callbacks, because the race is over."""
        released = self.take_postponed()
        for actor in list(self._waiting):
            while actor in self._waiting:
                released += self.release(actor)
            actor.pending = None
        return released

    def _actor_of(self, handle: asyncio.Handle) -> TaskActor | None:
        """Return the actor whose step a callback is; None: it is no step by itself."""
        function = called_in(handle)
        task = getattr(function, "__self__", None)
        if isinstance(task, asyncio.Task):
            actor = self._loop.actors.get(task)
            if actor is None or actor.task is not task or actor.state is not State.RUNNING:
                return None
            return actor
        module = getattr(function, "__module__", None)  # methods of C have none
        if not (module is None or is_of_asyncio(function) or is_under_test_name(module)):
            return None
        owner = actor_of(handle)
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
        caller.family = owner.family
        return caller

    def _announce(
        self,
        actors: list[tuple[TaskActor, asyncio.Handle]],
        handles: list[asyncio.Handle],
        *,
        due: float | None,
        stead: Sleeper | None,
    ) -> None:
        """Announce a batch as the next step of the first of its actors."""
        actor = actors[0][0]
        controller, waiting = self._loop.controller, self._waiting.setdefault(actor, deque())
        flag = f"resumed:{actor.name}#{actor.taken + len(waiting)}"
        controller.record.waits.declare(flag, FlagState())
        is_by_timer = due is not None
        step = self._step_of(actor, _label(actors), flag, is_by_timer=is_by_timer)
        if due is not None:
            self._loop.sleepers[actor.node].let_follow(step, due, stead)
        root, depth = self._order.origin(self._choice)
        batch = _Batch(handles, step, flag, actor.node, root, depth + 1, is_by_timer)
        self._order.note_ready(flag, self._choice)
        self._past.append(batch)
        waiting.append(batch)
        if len(waiting) == 1:
            actor.pending, actor.state = step, State.PARKED

    def _step_of(self, actor: TaskActor, label: str, flag: str, *, is_by_timer: bool) -> Announced:
        execution, waker = controlled(), self._order.step(self._choice)
        assert execution is not None, "a callback became ready outside of an execution"
        earlier = tuple(
            one.flag
            for one in self._past
            if not (is_by_timer and one.is_by_timer and one.root == self._choice)
            and self._is_sooner(one, actor, self._choice, 1)
        )
        own = Footprint(frozenset(earlier), frozenset({flag}))
        step = Announced(
            label, RESUMES, execution.widened(actor, label, own), Wait(flags=earlier, sets=(flag,))
        )
        controller = self._loop.controller
        if waker is None:
            controller.memory.sharing.note_start(controller.choices[self._choice])
        elif waker.actor not in {CLOCK, actor.name}:
            step.cause = waker.actor, waker.index
        return step

    def hold_back(self) -> None:
        """Let users begin, and answers come, after the callbacks that run sooner."""
        if not self._past:
            return
        self._order.add_up_to(self._choice)
        controller = self._loop.controller
        for actor in list(controller.actors.values()):
            if not isinstance(actor, TaskActor) or actor.home is not self._loop:
                continue
            if actor.state is State.NEW:
                entry = unannounced.entry_step(controller, actor)
                if entry is not None:
                    self._hold_back_until(actor, actor.pending or entry)
            elif actor.gate is not None and actor.pending is not None:
                self._hold_back_answer(actor, actor.pending)

    def _hold_back_answer(self, actor: TaskActor, step: Announced) -> None:
        sooner = [
            one
            for one in self._past
            if any(self._is_sooner(one, actor, choice, 2) for choice in actor.sent)
        ]
        if not step.has_answer:
            self._wait_for(step, sooner)
            self._hold_back_until(actor, step)
        elif sooner and not self._loop.controller.shared_memory:
            # Its effect happens outside of the loop, and the answer comes later.
            self._loop.controller.memory.part_answer(actor, step.label)

    def _hold_back_until(self, actor: TaskActor, step: Announced) -> None:
        """Let a step come after the callbacks that run in an earlier turn, or in its own.

        That is so because of what happens before it, if it is taken now.
        """
        if step.kind in WITH_EFFECTS:
            return
        taken = Step(
            actor.name, actor.taken, step.label, step.kind, step.footprint, actor.node,
            cause=step.cause or actor.cause,
        )  # fmt: skip
        before, turns = self._order.until(taken)
        sooner = [
            one
            for one in self._past
            if one.node == actor.node
            and not (one.chosen is not None and before >> one.chosen & 1)
            and turns.get(one.root, -1) >= one.depth
        ]
        self._wait_for(step, sooner)
        if sooner and actor.state is State.NEW:
            actor.pending = step

    def _wait_for(self, step: Announced, batches: list[_Batch]) -> None:
        known = step.wait or Wait()
        flags = tuple(one.flag for one in batches if one.flag not in known.flags)
        if flags:
            step.wait = replace(known, flags=(*known.flags, *flags))
            step.footprint |= Footprint(reads=frozenset(flags))

    def _is_sooner(self, batch: _Batch, actor: TaskActor, choice: int, turns: int) -> bool:
        """Say whether a batch runs before an action that follows a choice by a number of turns.

        One that has run before that choice needs no flag, and loops of other nodes do not wait.
        """
        if batch.node != actor.node:
            return False
        if batch.chosen is not None and self._order.leads(batch.chosen, choice):
            return False
        passed = self._order.turns_between(batch.root, choice)
        return passed is not None and passed + turns >= batch.depth


def _label(actors: list[tuple[TaskActor, asyncio.Handle]]) -> str:
    """Say what the first actor of a batch does, and name the others."""
    (actor, handle), *_ = actors
    others = dict.fromkeys(other.name for other, _ in actors if other is not actor)
    then = f", then {', '.join(others)}" if others else ""
    return f"{_what(actor, called_in(handle))}{then}"


def _what(actor: TaskActor, function: Any) -> str:
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
