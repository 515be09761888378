"""Which conflict it is: the first row that fits, from the failing execution alone.

The rows follow section 10 of the rules of search (docs/conflicts.md shows them). What fits none is
``unclassified``, which is an honest answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.trace import Execution, Pending
from pytest_supercache.core.verdict import Violation
from pytest_supercache.core.waits import LockState, PoolState, Wait, WaitState
from pytest_supercache.oracle.roles import Act, Role, acts_on, is_name_of, layer_of
from pytest_supercache.oracle.versions import same

UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """The class by its slug, the layer that went wrong, and the steps that made it so."""

    slug: str
    place: str | None = None
    acts: tuple[Act, ...] = field(default=(), compare=False)


_BY_GUARANTEE = {
    "isolated_users": "cross-user-reply",
    "read_your_writes": "read-your-writes",
    "monotonic_reads": "non-monotonic-reads",
    "no_resurrection": "resurrection",
    "read_atomic": "fractured-read",
    "durable_writes": "write-behind-loss",
    "no_dirty_reads": "uncommitted-visible",
}


def classify(execution: Execution, violation: Violation) -> Classified:
    """Name the conflict behind a violation."""
    if violation.guarantee == "answers":
        return Classified(slug=_without_answer(execution))
    if violation.guarantee == "max_loads":
        return Classified(slug="aligned-expiry" if _both_expired(execution) else "stampede")
    if violation.guarantee in _BY_GUARANTEE:
        return Classified(slug=_BY_GUARANTEE[violation.guarantee])
    for key in [violation.key] if violation.key is not None else _keys(execution):
        acts = acts_on(execution.race, key)
        found = _lost_update(acts) or _stale(execution, violation, acts)
        if found is not None:
            return found
    return Classified(slug=UNCLASSIFIED)


def _keys(execution: Execution) -> list[str]:
    """Return every key that a step of the race writes."""
    written = {r for step in execution.race for r in step.footprint.writes if ":" in r}
    return sorted({resource.partition(":")[2] for resource in written} - {EVERYTHING})


def _without_answer(execution: Execution) -> str:
    if execution.blocked:
        return "deadlock" if _is_cycle(execution.blocked, execution) else "lost-wakeup"
    return "crash"


def _is_cycle(blocked: Iterable[Pending], execution: Execution) -> bool:
    """Say whether each of those who wait, waits for another one of them."""
    names = {pending.actor for pending in blocked}
    states: dict[str, WaitState] = {}
    for step in execution.race:
        if step.wait is not None and step.wait_after is not None:
            states[step.wait.object] = step.wait_after
    return all(names & _awaited(pending.wait, states) for pending in blocked)


def _awaited(wait: Wait | None, states: dict[str, WaitState]) -> set[str]:
    """Return who could end a wait: who holds the lock, is to end, or runs in the pool."""
    if wait is None:
        return set()
    actors = {
        flag.partition(":")[2]
        for flag in (*wait.flags, *wait.any_of)
        if flag.startswith(("ended:", "done:"))
    }
    state = states.get(wait.object)
    if isinstance(state, LockState) and state.holder is not None:
        actors.add(state.holder)
    elif isinstance(state, PoolState):
        actors |= state.running
    return actors


def _both_expired(execution: Execution) -> bool:
    return any(step.kind == "clock" for step in execution.race)


def _lost_update(acts: list[Act]) -> Classified | None:
    """Two look up one value and both store what they made of it; there is no origin."""
    if any(act.role in {Role.LOAD, Role.COMMIT} for act in acts):
        return None
    for last in (act for act in acts if act.role is Role.STORE):
        mine = _before(acts, last, Role.LOOK_UP, actor=last.step.actor, place=last.place)
        if mine is None:
            continue
        for other in acts:
            between = mine.at < other.at < last.at and other.role is Role.STORE
            if between and other.step.actor != last.step.actor and other.place == last.place:
                theirs = _before(acts, other, Role.LOOK_UP, actor=other.step.actor)
                if theirs is not None:
                    steps = tuple(sorted({theirs.at: theirs, mine.at: mine}.items()))
                    read = tuple(act for _, act in steps)
                    return Classified(
                        slug="cached-rmw", place=last.place, acts=(*read, other, last)
                    )
    return None


def _before(
    acts: list[Act], act: Act, role: Role, *, actor: str, place: str | None = None
) -> Act | None:
    """Return the last act of a role and an actor before another one."""
    for earlier in reversed(acts[: acts.index(act)]):
        is_theirs = earlier.role is role and earlier.step.actor == actor
        if is_theirs and place in {None, earlier.place}:
            return earlier
    return None


def _stale(execution: Execution, violation: Violation, acts: list[Act]) -> Classified | None:
    """A layer ended with an older value: who put it there, and what should have removed it?"""
    places = _wrong_places(execution, violation)
    for place in places:
        store = _left_behind(acts, place)
        if store is None:
            continue
        found = _stale_store(execution, acts, store)
        if found is not None:
            return found
    commits = [act for act in acts if act.role is Role.COMMIT]
    if places and commits and violation.guarantee == "coherent_when_settled":
        return _never_removed(execution, acts, places[0], commits)
    return None


def _wrong_places(execution: Execution, violation: Violation) -> list[str]:
    """Return the caches that hold the wrong value in the end, those of the node first."""
    key, value = violation.key, violation.evidence.get("value")
    if key is None:
        return []
    layers = execution.settled.layers
    found = [
        place
        for place, content in layers.items()
        if place != "origin"
        and any(is_name_of(name, key) and same(held, value) for name, held in content.items())
    ]
    mine = f"@{violation.node}"
    found.sort(key=lambda place: (not place.endswith(mine), "@" not in place))
    stored = [act for act in acts_on(execution.race, key) if act.role is Role.STORE]
    return found or sorted({act.place for act in stored if act.place is not None})


def _left_behind(acts: list[Act], place: str) -> Act | None:
    """Return the last store into a place, unless something removed it again."""
    for act in reversed(acts):
        if act.place == place and act.role is Role.STORE:
            return act
        if act.place == place and act.role in {Role.DROP, Role.DELIVER}:
            return None
    return None


def _stale_store(execution: Execution, acts: list[Act], store: Act) -> Classified | None:
    """Classify a store that left an older value."""
    own = [act for act in acts if _same_operation(act, store)]
    load = next((act for act in own if act.role is Role.LOAD and act.at < store.at), None)
    if any(act.role is Role.COMMIT for act in own):
        return _older_over_newer(acts, own, store)
    source = load or _source(own, store)
    if source is None:
        return None
    commits = [a for a in acts if a.role is Role.COMMIT and a.step.actor != store.step.actor]
    late = [commit for commit in commits if source.at < commit.at < store.at]
    after = [commit for commit in commits if commit.at > source.at]
    early = _dropped_too_early(acts, source, after[0], store) if after else None
    if early is not None:
        return early
    if not late:
        return None
    return _late_fill(execution, acts, source, late[0], store, loaded=load is not None)


def _same_operation(act: Act, other: Act) -> bool:
    if act.step.actor != other.step.actor:
        return False
    return act.step.operation == other.step.operation


def _source(own: list[Act], store: Act) -> Act | None:
    """Return the look-up in another cache whose value was stored."""
    return next(
        (
            act
            for act in reversed(own)
            if act.role is Role.LOOK_UP and act.at < store.at and act.place != store.place
        ),
        None,
    )


def _older_over_newer(acts: list[Act], own: list[Act], store: Act) -> Classified | None:
    """Two users each commit and store; the store of the older one comes last."""
    mine = next(act for act in own if act.role is Role.COMMIT)
    for commit in acts:
        if commit.role is not Role.COMMIT or _same_operation(commit, store):
            continue
        theirs = next(
            (
                act
                for act in acts
                if act.role is Role.STORE
                and act.place == store.place
                and _same_operation(act, commit)
                and act.at < store.at
            ),
            None,
        )
        if commit.at > mine.at and theirs is not None:
            return Classified(
                slug="dual-write", place=store.place, acts=(mine, commit, theirs, store)
            )
    return None


def _dropped_too_early(acts: list[Act], source: Act, commit: Act, store: Act) -> Classified | None:
    """The writer removes the entry before it commits; a fill comes between."""
    drops = [
        act
        for act in acts
        if _same_operation(act, commit)
        and act.role in {Role.DROP, Role.PUBLISH}
        and act.place in {store.place, "messages@"}
    ]
    early = [act for act in drops if act.at < source.at]
    again = [act for act in drops if act.at > commit.at]
    if not early:
        return None
    if again:
        if again[-1].at > store.at:
            return None
        story = sorted((early[-1], source, commit, again[-1], store), key=lambda act: act.at)
        return Classified(slug="double-delete", place=store.place, acts=tuple(story))
    story = sorted((early[-1], source, commit, store), key=lambda act: act.at)
    return Classified(slug="invalidate-before-write", place=store.place, acts=tuple(story))


def _late_fill(
    execution: Execution, acts: list[Act], source: Act, commit: Act, store: Act, *, loaded: bool
) -> Classified | None:
    """The value was loaded before the commit, and stored after what should have removed it."""
    between = [act for act in acts if source.at < act.at < store.at]
    newer = [
        act
        for act in between
        if act.role is Role.STORE and act.place == store.place and act.at > commit.at
    ]
    removed = [
        act
        for act in between
        if act.at > commit.at and act.place == store.place and act.role in {Role.DROP, Role.DELIVER}
    ]
    if newer and not removed:
        return Classified(
            slug="refresh-overwrite", place=store.place, acts=(source, commit, newer[-1], store)
        )
    if not removed:
        return None
    by = removed[-1]
    slug = _late_fill_slug(execution, source, commit, by, loaded=loaded)
    return Classified(slug=slug, place=store.place, acts=(source, commit, by, store))


def _late_fill_slug(
    execution: Execution, source: Act, commit: Act, by: Act, *, loaded: bool
) -> str:
    key = commit.step.label.rpartition(" ")[2]
    values = [c.value for c in execution.history.commits if c.key in commit.step.label]
    if by.role is Role.DELIVER and not loaded:
        return "in-flight-fill"
    if values and values[-1] is None:
        return "resurrection"
    if loaded and _origin_at(execution, key, source) is None:
        return "negative-poisoning"
    if any(resource.endswith(":*") for resource in by.step.footprint.writes):
        return "purge-misses-fill"
    return "stale-set"


def _origin_at(execution: Execution, key: str, act: Act) -> Any:
    """Return what the origin had for a key when a step was taken."""
    at = next(n for n, step in enumerate(execution.steps) if step is act.step)
    value = execution.history.given.get(key)
    for commit in execution.history.commits:
        if commit.key == key and commit.at <= at:
            value = commit.value
    return value


def _never_removed(
    execution: Execution, acts: list[Act], place: str, commits: list[Act]
) -> Classified | None:
    """Nothing took the old entry out after the commit."""
    commit = commits[-1]
    failed = any(operation.error is not None for operation in execution.history)
    dropped = any(a.role in {Role.DROP, Role.PUBLISH} and a.at > commit.at for a in acts)
    if failed:
        slug = "layer-divergence" if dropped else "partial-write"
        return Classified(slug=slug, place=place, acts=(commit,))
    before = [a for a in acts if a.role is Role.DROP and a.at < commit.at and a.place == place]
    if before and not dropped:
        return Classified(slug="invalidate-before-write", place=place, acts=(before[-1], commit))
    return None


def layer_role(classified: Classified) -> str:
    """Name the layer that went wrong, without its node."""
    return layer_of(classified.place) if classified.place is not None else "none"
