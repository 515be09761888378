"""Records steps that have no announcement: entry code, deliveries, and ticks of the clock."""

from contextlib import nullcontext

from pytest_supercache.core.footprint import EVERYTHING, Footprint
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step
from pytest_supercache.core.waits import Wait
from pytest_supercache.runtime.kernel.actor import Actor, Announced, BackgroundActor
from pytest_supercache.runtime.kernel.state import ExecutionState


def begin(state: ExecutionState, actor: Actor) -> None:
    """Start an actor: its entry code runs before its first step.

    The entry code is a step of its own if it may touch shared memory.
    """
    state.fused = actor
    entry = actor.pending or entry_step(state, actor)
    if entry is None:
        return
    state.fused = actor.pending = None
    if not state.shared_memory:
        state.parting.note_entry(actor.name)
    add_step(state, actor, entry.label, entry.kind, entry.footprint, entry.wait)
    actor.end_first_lines()


def entry_step(state: ExecutionState, actor: Actor) -> Announced | None:
    """Return the step that an actor's entry code is; None: it is a part of its first step."""
    if state.shared_memory:
        memory = frozenset({f"memory:{actor.node}"})
        return Announced("start", "memory", Footprint(memory, memory))
    if state.parting is not None and actor.name in state.parting.sharing.starts:
        born = Footprint(reads=frozenset({actor.born} if actor.born else ()))
        footprint = state.parting.sharing.widened(actor.name, "start", born)
        return Announced("start", "memory", footprint)
    return None


def add_step(
    state: ExecutionState,
    actor: Actor,
    label: str,
    kind: str,
    footprint: Footprint,
    wait: Wait | None = None,
) -> None:
    """Record the choice of an actor without an announced step."""
    phase, choice = state.place_of_step()
    state.record.close()
    state.record.add(
        Step(
            actor.name, actor.taken, label, kind, footprint, actor.node,
            phase=phase, choice=choice, wait=wait,
            pending=() if choice is None else state.all_pending(),
            time=state.time.clock.now(), cause=actor.cause,
        )
    )  # fmt: skip
    state.record.last = actor.name
    actor.taken += 1


def read_clock(state: ExecutionState, actor: Actor, announced: Announced) -> None:
    """Record a read of the clock by entry code, before the announced step that depends on it."""
    state.fused = None
    touched = announced.footprint.reads & {"clock:now", actor.born}
    add_step(state, actor, "start", "thread", Footprint(reads=touched))
    actor.end_first_lines()


def perform(state: ExecutionState, background: BackgroundActor) -> None:
    """Take a step of background work."""
    announced = background.announced()
    assert announced is not None, f"{background.name} was chosen without anything to do"
    phase, choice = state.place_of_step()
    pending = () if choice is None else state.all_pending()
    state.record.close()
    state.record.take(background, announced, phase, choice, pending)
    background.taken += 1
    with nullcontext() if state.memory is None else state.memory.performed_by(background):
        background.work.perform()
    state.record.close()


def tick(state: ExecutionState) -> None:
    """Move the clock to the next deadline, as a step of its own."""
    state.record.close()
    pending = state.all_pending()
    index = state.time.moved
    early = len(state.time.waited)
    moved = state.time.tick(state.actors.values())
    fires = state.time.fired(state.actors.values())
    state.record.waits.fire(fires)
    everything = frozenset({EVERYTHING})
    state.record.add(
        Step(
            CLOCK, index, f"+{moved * 1000:g} ms", "clock", Footprint(everything, everything),
            phase=state.phase, choice=len(state.choices) - 1, pending=pending,
            time=state.time.clock.now(), fires=fires, is_early=len(state.time.waited) > early,
        )
    )  # fmt: skip
    state.record.close()
