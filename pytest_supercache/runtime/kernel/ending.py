"""Ends an execution: notes the blocked actors, then unwinds every actor.

Users are unwound when the race is over. Actors that code under test has started stay until the body
has ended, because later steps may still need them, unless the race has failed.
"""

from collections.abc import Iterable

from pytest_supercache.core.execution import STEPS_MAX
from pytest_supercache.runtime.kernel.actor import Actor, Announced, State
from pytest_supercache.runtime.kernel.state import ExecutionState
from pytest_supercache.runtime.kernel.timekeeper import TICKS_MAX
from pytest_supercache.runtime.kernel.whereabouts import where

UNWIND_SECONDS = 1.0
"""How long a parked actor may take to leave its code when an execution ends."""

CANCELS = 3
"""How often a task that does not end is cancelled."""

WAITING_MAX = 5
"""How many of the actors waiting for the clock are named."""


def note_limit(state: ExecutionState) -> None:
    """Note a hazard if the race stopped at a limit: of steps, or of ticks of the clock.

    Such an execution proves nothing.
    """
    if len(state.record.steps) >= STEPS_MAX:
        state.hazard(
            f"an execution took {STEPS_MAX} steps without an end; something polls. Let it wait "
            "on a lock, an event or world.wait_until instead"
        )
    elif state.time.is_exhausted and state.time.is_awaited(state.actors.values()):
        state.hazard(
            f"the clock has moved {TICKS_MAX} times and somebody still waits for it"
            f"{_who_waits(state)}"
        )
    else:
        return
    state.complete = False


def ends_here(state: ExecutionState, body: Actor, announced: Announced) -> bool:
    """Say whether the body has no reason to go on; note a hazard if it takes too many steps.

    What it does after a race that has failed proves nothing. It may clean up, but not wait.
    """
    is_endless = body.taken >= STEPS_MAX
    if has_failed(state):
        return is_endless or announced.deadline is not None
    if is_endless:
        state.hazard(
            f"{body.name} took {STEPS_MAX} steps outside the race without an end; something in it "
            "polls for what nobody will change"
        )
        state.complete = False
    return is_endless


def has_failed(state: ExecutionState) -> bool:
    """Say whether the race was cut short, or ended with actors that are blocked for ever."""
    return bool(state.blocked) or not state.complete


def _who_waits(state: ExecutionState) -> str:
    """Name the actors that wait for the clock, each with its step and line."""
    names = state.time.awaited_by(state.actors.values())
    found = [state.actors.get(name) for name in names]
    told = [where(actor) for actor in found if actor is not None and actor.state is not State.DONE]
    more = [f"{len(told) - WAITING_MAX} more"] if len(told) > WAITING_MAX else []
    return f": {', '.join([*told[:WAITING_MAX], *more])}" if told else ""


def note_blocked(state: ExecutionState) -> None:
    """Note the actors that have not ended although none is enabled any more."""
    state.record.close()
    for kind in sorted(state.time.cut_short):
        state.simplify(f"{kind} that repeat cut off soon after the users")
    left = [actor for actor in state.actors.values() if actor.state is not State.DONE]
    if not left:
        return
    blocked = [actor for actor in left if not actor.daemon]
    if state.complete:
        state.waiting = tuple(actor.as_pending(enabled=False) for actor in left)
        if any(not actor.born for actor in blocked):
            state.blocked += tuple(actor.as_blocked() for actor in blocked)


def let_leave(state: ExecutionState) -> None:
    """Dismiss the actors that are no longer needed, and stop recording memory accesses."""
    failed = has_failed(state)
    unwind(state, [a for a in state.actors.values() if failed or not a.born])
    if state.memory is not None:
        state.memory.end_race()


def why_it_stays(actor: Actor) -> str:
    """Say what is known of an actor that did not leave its code when its execution ended."""
    if actor.stays:
        return (
            "when the execution ended: it catches what ends it and goes on, with an `except:` or "
            "`except BaseException` in a loop. Catch `Exception` there"
        )
    if actor.is_task:
        return (
            f"when the execution ended, although it was cancelled {CANCELS} times: `except:` "
            "catches that, `except Exception` does not"
        )
    return "when the execution ended"


def unwind(state: ExecutionState, actors: Iterable[Actor]) -> None:
    """Unwind parked actors one after the other, which releases their locks."""
    for actor in actors:
        if actor.is_task:
            continue  # its loop has unwound it
        actor.dismissed = True
        if actor.is_waiting:
            actor.baton.give()
            if not state.finished.take_within(UNWIND_SECONDS):
                state.hazard(f"{actor.name} did not leave its code {why_it_stays(actor)}")
