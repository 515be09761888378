"""Takes steps of blocking calls inside coroutines, where no context switch is possible."""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any

from pytest_supercache.core.footprint import dependent, without_memory
from pytest_supercache.core.trace import Step, StepId
from pytest_supercache.core.waits import LockState, WaitsForEverError
from pytest_supercache.runtime.kernel.actor import Actor, Announced, State
from pytest_supercache.runtime.kernel.ordering import WITH_EFFECTS, TurnOrder
from pytest_supercache.runtime.kernel.state import ExecutionState

_IN_MEMORY = frozenset({"lock", "memory"})
"""Kinds of steps that are invisible to other processes."""


def take_blocking_call(state: ExecutionState, actor: Actor, announced: Announced) -> None:
    """Take the step of a blocking call in a coroutine, which no task on its loop can precede.

    Actors of other nodes and threads could run before it. They are not scheduled here, so nothing
    is proved where they would see a difference.
    """
    state.leave_if_over(actor)
    state.record.close()
    if state.phase == "race" and state.choices:
        _join(state, actor, announced)
        state.simplify("blocking calls inside coroutines part of the step before")
        _note_who_could_come_between(state, actor, announced)
    parked, actor.pending = actor.pending, announced  # a callback of a task that is parked
    _wait(state, announced, actor)
    state.take(actor)
    actor.pending = parked
    if state.memory is not None:
        state.memory.note_blocking_call(actor)


def _join(state: ExecutionState, actor: Actor, announced: Announced) -> None:
    """Widen the footprint of the step before, which the blocking call is a part of.

    A call that waits moves the clock, or ends the loop: no footprint tells that.
    """
    waits = announced.wait is not None or announced.deadline is not None
    if waits or state.parting is None:
        state.note_memory(f"{actor.name} took the step {announced.label!r} without an await")
    if state.parting is not None and not (waits and state.memory is not None):
        state.parting.join_blocking_call(actor, announced.footprint)


def _note_who_could_come_between(state: ExecutionState, actor: Actor, announced: Announced) -> None:
    """Note an actor outside the loop that can see both this step and earlier ones of its choice."""
    choice = len(state.choices) - 1
    done = list(takewhile(lambda step: step.choice == choice, reversed(state.record.steps)))
    if not done:
        return
    has_several_nodes = len({one.node for one in state.actors.values()} - {None}) > 1
    for other in state.actors.values():
        if (
            _goes_on_beside(other, actor, has_several_nodes=has_several_nodes)
            and _can_see(other, actor, announced)
            and any(_can_see(other, actor, step) for step in done)
        ):
            who = f"{other.name} ({'another node' if other.is_task else 'a thread'})"
            state.leave_unproven(_COULD_COME.format(actor.name, announced.label, who))
            return


_COULD_COME = (
    "{} calls {!r} inside of a coroutine without an await, and {} could come before that, which is "
    "not available in this version. Await the call, as of redis.asyncio, or make it on a thread: "
    "await asyncio.to_thread(...)"
)


def note_effects_between(state: ExecutionState) -> None:
    """Note a command that was on its way and could take effect before a blocking call.

    It is one that was sent before the choice of two blocking calls, and may come between them, or
    one that another task has sent in the turn of a blocking call.
    """
    steps: dict[int, list[Step]] = {}
    for step in state.record.steps:
        if step.choice is not None:
            steps.setdefault(step.choice, []).append(step)
    order = None
    for choice, sent, sent_with, met in _meetings(steps):
        if order is None:
            order = TurnOrder(state.record.steps)
            order.add_up_to(max(steps))
        if sent_with == choice:  # it cannot take effect before the choice
            since = state.announced.get((sent.actor, sent.index), 0)
            is_missed = any(call in state.record.steps[since:] for call in met)
        else:  # it may be sent by then, unless it is sent because of the choice
            is_missed = len(met) > 1 and not order.leads(choice, sent_with)
        if is_missed:
            who = f"{sent.actor}'s {sent.label!r}, which has been sent,"
            state.leave_unproven(_COULD_COME.format(met[-1].actor, met[-1].label, who))


def _meetings(steps: dict[int, list[Step]]) -> Iterator[tuple[int, Step, int, list[Step]]]:
    """Yield each choice with blocking calls, and each command after it that some of them affect.

    With the command comes the choice with which it was sent.
    """
    effects = _effects_of(steps)
    for choice, (_, *blocking) in steps.items():
        calls = [call for call in blocking if call.kind not in _IN_MEMORY]
        later = [effect for effect in effects if effect[0] > choice] if calls else []
        for _, sent, sent_with in later:
            effect = without_memory(sent.footprint)  # at the server, not in the process
            met = [call for call in calls if dependent(effect, call.footprint)]
            if met:
                yield choice, sent, sent_with, met


def _effects_of(steps: dict[int, list[Step]]) -> list[tuple[int, Step, int]]:
    """Return the choices at which commands took effect, these, and with which each was sent."""
    found: list[tuple[int, Step, int]] = []
    places: dict[StepId, int] = {}
    for at, (step, *_) in steps.items():
        before = ((step.actor, step.index - 1), step.cause)
        if step.kind in WITH_EFFECTS:
            sent_with = max(places.get(one, -1) for one in before if one is not None)
            found.append((at, step, sent_with))
        places.update(((one.actor, one.index), at) for one in steps[at])
    return found


def _goes_on_beside(other: Actor, actor: Actor, *, has_several_nodes: bool) -> bool:
    """Say whether ``other`` has code left to run on a thread, or on another node.

    What the body has started is on no certain node, unless there is only one.
    """
    is_beside = not other.is_task or (has_several_nodes and other.node != actor.node)
    return is_beside and other.state is not State.DONE and not other.is_through


def _can_see(other: Actor, actor: Actor, step: Announced | Step) -> bool:
    """Say whether ``other`` could observe ``step``, apart from its memory accesses.

    Memory that a coroutine and a thread share is judged by decision 69.
    """
    if step.kind in _IN_MEMORY:
        return False
    touched = without_memory(step.footprint)
    places = {resource.partition(":")[0] for resource in touched.reads | touched.writes}
    if other.node == actor.node:
        return bool(places)
    return not all(place.endswith(f"@{actor.node}") for place in places)


def take_alone(state: ExecutionState, actor: Actor) -> bool:
    """Let a parked task take its step outside the race, if the step is enabled."""
    if actor.state is not State.PARKED or actor.pending is None:
        return False
    if not state.may_take(actor, actor.pending):
        return False
    state.take(actor)
    return True


def _wait(state: ExecutionState, announced: Announced, actor: Actor) -> None:
    """Block the loop: no task on it can end the wait, so only the clock can."""
    if state.may_take(actor, announced):
        return
    if announced.deadline is None and _is_a_thread_left(state):
        state.hazard(
            f"{actor.name} waits inside of a coroutine ({announced.label!r}) while a thread goes "
            "on, which is not available in this version: wait with an await, as asyncio.Lock does, "
            "or on a thread, by asyncio.to_thread"
        )
    if announced.deadline is None:
        state.look_outside(state)
        holder = _holder(state, announced)
        raise WaitsForEverError(
            f"{announced.label!r} would block its event loop for ever: nothing on it can end that"
            + (f", and {holder} holds the lock" if holder else ""),
            holder,
        )
    clock = state.time.clock
    clock.move_to(max(announced.deadline, clock.now()))
    announced.fired = True
    if announced.wait is not None:
        state.record.waits.fire((announced.wait.timer,))


def _holder(state: ExecutionState, announced: Announced) -> str | None:
    """Return the actor that holds the lock which a step waits for; None: it is no held lock."""
    if announced.wait is None:
        return None
    awaited = state.record.waits.states.get(announced.wait.object)
    return awaited.holder if isinstance(awaited, LockState) else None


def _is_a_thread_left(state: ExecutionState) -> bool:
    """Say whether a thread outside the loop could end a wait."""
    return any(
        not actor.is_task and not actor.direct and actor.state is not State.DONE
        for actor in state.actors.values()
    )


def turn_of_loop(loops: Iterable[Any]) -> Actor | None:
    """Return the actor of an event loop with ready callbacks: they run before the next choice."""
    for loop in loops:
        if loop.has_work():
            turn: Actor = loop.turn
            return turn
    return None
