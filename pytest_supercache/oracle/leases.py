"""Classifies what goes wrong under a lock that expires.

A lock is an entry with a time to live that its takers store without looking it up first. Of several
attempts to take it the last one before it was given back is the one that succeeded.
"""

from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.roles import Act, Role, gives_back, is_of_cache, reads_clock, role_of
from pytest_supercache.oracle.stale import Classified, StaleRead


def moves_time(step: Step) -> bool:
    """Say whether a step lets time pass."""
    return step.actor == CLOCK or step.actor.startswith("@expire(")


# -- the holder whose time is up writes -----------------------------------------------------------


def lease_expired(scene: StaleRead) -> Classified | None:
    """Return ``lease-expired`` if the holder of an expired lock writes after another took it."""
    race = scene.execution.race
    ticks = [at for at, step in enumerate(race) if moves_time(step)]
    for lock in scene.execution.expiring:
        takes = [(at, step) for at, step in enumerate(race) if _takes(step, lock)]
        if _is_data(scene, lock, takes):
            continue
        for first, holder in takes:
            for second, other in takes:
                ran_out = any(first < tick < second for tick in ticks)
                if other.actor != holder.actor and ran_out:
                    late = _writes_after(scene, holder.actor, lock, second)
                    if late is not None:
                        taken = [_taking(first, holder, lock), _taking(second, other, lock)]
                        known = scene.of_role(Role.TICK, Role.LOAD, Role.COMMIT, before=late.at)
                        since = [act for act in known if act.at > first]
                        return Classified.of("lease-expired", late.place, *taken, *since, late)
    return None


def _is_data(scene: StaleRead, resource: str, sets: list[tuple[int, Step]]) -> bool:
    """Say whether an entry with a TTL is no lock: it is the key's own, or a look-up missed it.

    An actor that takes a lock does not look it up before.
    """
    place, _, name = resource.partition(":")
    if name == scene.key:
        return True
    return any(
        act.role is Role.LOOK_UP
        and act.at < at
        and (act.place, act.name) == (place, name)
        and (act.step.actor, act.step.operation) == (step.actor, step.operation)
        for at, step in sets
        for act in scene.acts
    )


def _taking(at: int, step: Step, lock: str) -> Act:
    place, _, name = lock.partition(":")
    return Act(at, step, Role.LOCK, place, name)


def _takes(step: Step, lock: str) -> bool:
    return step.kind == "command" and step.label.startswith("SET") and lock in step.footprint.writes


def _writes_after(scene: StaleRead, actor: str, lock: str, at: int) -> Act | None:
    return next(
        (
            act
            for act in scene.of_role(Role.STORE, Role.COMMIT, after=at)
            if act.step.actor == actor and lock not in act.step.footprint.writes
        ),
        None,
    )


_NOW = "clock:now"

# -- the holder whose time is up gives back what another one holds ---------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """The time in which an operation had a lock: the positions of the steps around it."""

    actor: str
    taken: int
    given_back: int


def late_unlock(execution: Execution) -> Classified | None:
    """Return ``late-unlock`` if a lock is deleted by who lost it, and so has two holders at once.

    Its time was up, a second one took it; the first one deleted it nevertheless, and a third one
    took it before the second had given it back.
    """
    race = execution.race
    ticks = [at for at, step in enumerate(race) if moves_time(step)]
    for lock in _with_an_end(execution):
        holds = _holds(race, lock)
        for first in holds:
            for second in holds:
                ran_out = any(first.taken < tick < second.taken for tick in ticks)
                is_late = second.taken < first.given_back < second.given_back
                if second.actor == first.actor or not ran_out or not is_late:
                    continue
                third = next((h for h in holds if _is_beside(h, first, second)), None)
                if third is not None:
                    return _told(race, lock, first, second, third)
    return None


def _with_an_end(execution: Execution) -> list[str]:
    """Return the entries that have a time to live, also those that declared calls store."""
    found = dict.fromkeys(execution.expiring)
    for step in execution.race:
        if step.kind == "watched" and _NOW in step.footprint.reads and not reads_clock(step):
            written = (one for one in step.footprint.writes if is_of_cache(one))
            found.update(dict.fromkeys(sorted(written)))
    return list(found)


def _is_beside(hold: _Hold, first: _Hold, second: _Hold) -> bool:
    """Say whether a lock was taken once more while the second one had it."""
    return hold.actor != second.actor and first.given_back < hold.taken < second.given_back


def _holds(race: list[Step], lock: str) -> list[_Hold]:
    """Return each time in which somebody had a lock; none if it is an entry that is looked up."""
    place = lock.partition(":")[0]
    taken: dict[tuple[str, int | None], int] = {}
    holds = []
    for at, step in enumerate(race):
        if lock not in step.footprint.reads | step.footprint.writes:
            continue
        mine, role = (step.actor, step.operation), role_of(step, place)
        if role is Role.STORE:
            taken[mine] = at
        elif mine in taken and gives_back(step, place):
            holds.append(_Hold(actor=step.actor, taken=taken.pop(mine), given_back=at))
        elif role is Role.LOOK_UP and mine not in taken:
            return []
    kept = [(who, at) for (who, _), at in taken.items() if _has_taken(race, at, lock)]
    return [*holds, *(_Hold(actor=who, taken=at, given_back=len(race)) for who, at in kept)]


def _has_taken(race: list[Step], at: int, lock: str) -> bool:
    """Say whether the content shows that an attempt to take a lock has succeeded."""
    place, _, name = lock.partition(":")
    before, after = (
        name in (race[n].content or {}).get(place, {}) if n >= 0 else False for n in (at - 1, at)
    )
    return after and not before


def _told(race: list[Step], lock: str, first: _Hold, second: _Hold, third: _Hold) -> Classified:
    place, _, name = lock.partition(":")
    late = Act(first.given_back, race[first.given_back], Role.DROP, place, name)
    taken = [_taking(hold.taken, race[hold.taken], lock) for hold in (first, second, third)]
    tick = max(at for at in range(first.taken, second.taken) if moves_time(race[at]))
    return Classified.of("late-unlock", place, *taken, Act(tick, race[tick], Role.TICK, None), late)
