"""Classifies an older value that stays: by what stored it, and what should have removed it.

The rows of docs/conflicts.md that begin with a value that is out of date: what never removed it,
what stored the older over the newer, and what filled too late.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.trace import Step
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.fault_effects import NO_EFFECT, StruckFaults, why_missing, why_older
from pytest_supercache.oracle.roles import (
    ORIGIN,
    Act,
    Role,
    acts_in_race,
    changes_in_place,
    counts,
    held,
    is_database,
    is_entry,
    is_name_of,
    is_of_cache,
    is_purge,
    is_script,
    reads_clock,
    removes,
    role_of,
)
from pytest_supercache.oracle.substitute_origin import with_source
from pytest_supercache.oracle.versions import canonical, same


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """A class by its slug, the layer that went wrong, and the steps that made it so."""

    slug: str
    place: str | None = None
    acts: tuple[Act, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, slug: str, place: str | None, *acts: Act) -> "Classified":
        """Return a class with the steps that made it so, in their order."""
        ordered = sorted({act.at: act for act in acts}.items())
        return cls(slug=slug, place=place, acts=tuple(act for _, act in ordered))


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRead:
    """The input of a classification: an execution, its steps on the key, and its faults."""

    execution: Execution
    key: str
    acts: list[Act]
    struck: StruckFaults
    seen: Any
    """The wrong value that the violation shows."""
    wrong: list[tuple[str, str]]
    """The entries that have the wrong value in the end: place and name, the node's first."""

    @classmethod
    def of(cls, execution: Execution, violation: Violation, key: str) -> "StaleRead":
        """Return the input of a classification for ``key``."""
        acts = acts_in_race(execution, key)
        return cls(
            execution=execution,
            key=key,
            acts=acts,
            struck=StruckFaults.of(execution),
            seen=_seen(violation),
            wrong=_wrong_entries(execution, violation, key, acts),
        )

    def of_role(self, *roles: Role, after: int = -1, before: int | None = None) -> list[Act]:
        """Return the steps with these roles between two positions of the race."""
        end = len(self.execution.steps) if before is None else before
        return [act for act in self.acts if act.role in roles and after < act.at < end]


_SETTLED = frozenset(
    {"coherent_when_settled", "no_lost_invalidation", "bounded_staleness", "expect"}
)


def stale(scene: StaleRead, violation: Violation) -> Classified | None:
    """Return the class of a value that is older than it should be."""
    found = _flushed_over(scene) or _never_committed(scene)
    if found is not None:
        return found
    scene = replace(scene, acts=with_source(scene.execution, scene.key))
    for place, name in scene.wrong:
        store = _left_behind(scene.acts, place, name)
        found = None if store is None else _stale_store(scene, store)
        if found is not None:
            return found
    commits = scene.of_role(Role.COMMIT)
    if scene.wrong and commits and violation.guarantee in _SETTLED:
        return _never_removed(scene, *scene.wrong[0], commits)
    return None


def _seen(violation: Violation) -> Any:
    """Return the wrong value that the violation shows."""
    return violation.evidence.get("value", violation.evidence.get("answer"))


def _wrong_entries(
    execution: Execution, violation: Violation, key: str, acts: list[Act]
) -> list[tuple[str, str]]:
    value = _seen(violation)
    memory = next((step.memory for step in reversed(execution.steps) if step.memory), {})
    found = [
        (place, name)
        for place, content in {**memory, **execution.settled.layers}.items()
        if place != "origin"
        for name, kept in content.items()
        if is_name_of(name, key) and same(kept, value)
    ]
    mine = f"@{violation.node}"
    found.sort(key=lambda entry: (not entry[0].endswith(mine), "@" not in entry[0]))
    stored = {(act.place, act.name) for act in acts if act.role is Role.STORE}
    return found or sorted(
        ((place, name) for place, name in stored if place is not None),
        key=lambda entry: (entry[0] in SHARED, entry),  # the layer nearest to the user first
    )


SHARED = frozenset({"existing_cache", "origin"})
"""Layers that all nodes share."""


def _never_committed(scene: StaleRead) -> Classified | None:
    """Return ``dirty-fill`` if an entry stays whose value a transaction has rolled back."""
    history = scene.execution.history
    for place, name in scene.wrong:
        store = _left_behind(scene.acts, place, name)
        value = None if store is None else held(store)
        if store is None or value is None:
            continue
        drafts = [one for one in history.uncommitted if is_name_of(name, one.key)]
        is_draft = any(
            same(one.value, value) for one in drafts if one.ended_at and not one.committed
        )
        values = [*history.given.values(), *(one.value for one in history.commits)]
        if is_draft and not any(same(one, value) for one in values):
            return Classified.of("dirty-fill", place, store)
    return None


def _left_behind(acts: list[Act], place: str, name: str) -> Act | None:
    """Return the step that last stored an entry in a place, unless a later one removed it."""
    for act in reversed(acts):
        if not is_entry(act, place, name):
            continue
        if act.role in {Role.STORE, Role.PROMOTE}:
            return act
        if act.role in {Role.DROP, Role.DELIVER}:
            return None
    return None


def _stale_store(scene: StaleRead, store: Act) -> Classified | None:
    """Return the class of the step that left an older value."""
    if store.role is Role.PROMOTE:
        return _promoted(scene, store)
    if counts(store):
        return None
    repeated = _repeated(scene, store)
    if repeated is not None:
        return repeated
    own = [act for act in scene.acts if same_operation(act, store)]
    if store.step.kind == "message" or any(act.role is Role.COMMIT for act in own):
        return _older_over_newer(scene, own, store)
    load = next((act for act in own if act.role is Role.LOAD and act.at < store.at), None)
    source = load or _source(own, store)
    if source is None:
        return None
    theirs = [act for act in scene.of_role(Role.COMMIT) if not same_operation(act, store)]
    return (
        _dropped_too_early(scene, source, theirs, store)
        or _late_fill(scene, source, theirs, store)
        or _from_behind(scene, source, theirs, store)
    )


def same_operation(act: Act, other: Act) -> bool:
    """Say whether two steps belong to one operation of one actor."""
    if act.step.actor != other.step.actor:
        return False
    return act.step.operation == other.step.operation


def same_work(act: Act, other: Act) -> bool:
    """Say whether two steps belong to one operation, or to what it has begun."""
    mine, theirs = (one.step.actor.partition("/")[0] for one in (act, other))
    return (mine, act.step.operation) == (theirs, other.step.operation)


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


def _promoted(scene: StaleRead, promotion: Act) -> Classified | None:
    """Return ``failover-missed-delete`` if a replica took over that had missed the removal."""
    removed = [a for a in scene.of_role(Role.DROP, before=promotion.at) if a.place != "origin"]
    if not removed:
        return None
    commits = scene.of_role(Role.COMMIT, before=promotion.at)[-1:]
    return Classified.of(
        "failover-missed-delete", promotion.place, *commits, removed[-1], promotion
    )


def _repeated(scene: StaleRead, store: Act) -> Classified | None:
    """Return ``late-duplicate`` if a request without an answer was repeated over a newer value."""
    for first in scene.of_role(Role.STORE, before=store.at):
        if not scene.struck.at_step(first.step, "error_before", "error_after"):
            continue
        if not is_entry(first, store.place or "", store.name) or not _begot(first, store):
            continue
        newer = [
            act
            for act in scene.of_role(Role.STORE, after=first.at, before=store.at)
            if is_entry(act, store.place or "", store.name) and not same_operation(act, store)
        ]
        if newer:
            return Classified.of("late-duplicate", store.place, first, newer[-1], store)
    return None


def _begot(act: Act, other: Act) -> bool:
    """Say whether the second step is of the same actor, or of one that it has started."""
    return f"{other.step.actor}/".startswith(f"{act.step.actor}/")


# -- the older over the newer ---------------------------------------------------------------------


def _older_over_newer(scene: StaleRead, own: list[Act], store: Act) -> Classified | None:
    """Return the class of a store that brings an older value than the one that was there."""
    before = [
        act
        for act in scene.of_role(Role.STORE, before=store.at)
        if is_entry(act, store.place or "", store.name) and act.step is not store.step
    ]
    by_fault = why_older(scene.struck, store)
    if by_fault is not None and before:
        return Classified.of(by_fault, store.place, *scene.of_role(Role.COMMIT), before[-1], store)
    mine = next((act for act in own if act.role is Role.COMMIT), None)
    if mine is None or changes_in_place(store):
        return None
    for commit in scene.of_role(Role.COMMIT, after=mine.at):
        theirs = next((act for act in before if same_operation(act, commit)), None)
        if theirs is not None and not same_operation(commit, store):
            return Classified.of("dual-write", store.place, mine, commit, theirs, store)
    return None


def _flushed_over(scene: StaleRead) -> Classified | None:
    """Return ``write-behind-overwrite`` if a flush committed over a newer change in the origin."""
    commits = scene.of_role(Role.COMMIT)
    origin = scene.execution.settled.layers.get("origin", {})
    if len(commits) < 2 or not same(scene.seen, origin.get(scene.key, _NOTHING)):
        return None
    newer, flush = commits[-2:]
    kept_in = [
        act
        for act in scene.of_role(Role.LOOK_UP, before=flush.at)
        if act.step.actor == flush.step.actor
    ]
    if not kept_in or same_operation(newer, flush):
        return None
    kept = [
        act
        for act in scene.of_role(Role.STORE, before=newer.at)
        if act.place == kept_in[-1].place and same_work(flush, act)
    ]
    if not kept:
        return None
    return Classified.of("write-behind-overwrite", "origin", kept[-1], newer, flush)


_NOTHING = object()
"""The value of a key that the origin does not have: no other value is the same."""


# -- fills that come too late ---------------------------------------------------------------------


def _dropped_too_early(
    scene: StaleRead, source: Act, commits: list[Act], store: Act
) -> Classified | None:
    """Return the class of a writer that removes before it commits, if a fill comes between."""
    commit = next((act for act in commits if act.at > source.at), None)
    if commit is None:
        return None
    drops = [
        act
        for act in scene.of_role(Role.DROP, Role.PUBLISH)
        if same_operation(act, commit)
        if act.role is Role.PUBLISH or is_entry(act, store.place or "", store.name)
    ]
    early = [act for act in drops if act.at < source.at]
    again = [act for act in drops if act.at > commit.at]
    if not early or (again and again[-1].at > store.at):
        return None
    slug = "double-delete" if again else "invalidate-before-write"
    return Classified.of(slug, store.place, early[-1], source, commit, *again[-1:], store)


def _late_fill(scene: StaleRead, source: Act, commits: list[Act], store: Act) -> Classified | None:
    """Return the class of a value read before the commit, but stored after the removal."""
    commit = next((act for act in commits if source.at < act.at < store.at), None)
    if (
        commit is None and source.role is not Role.LOAD
    ):  # from a cache that the writer had not reached yet
        commit = next((act for act in reversed(commits) if act.at < source.at), None)
    if commit is None:
        return None
    stored = _on_entry(scene, store, Role.STORE, after=max(commit.at, source.at))
    newer = [act for act in stored if not same_operation(act, store)]
    removed = _on_entry(scene, store, Role.DROP, Role.DELIVER, after=source.at)
    if removed and (removed[-1].at > commit.at or not newer):
        slug = _late_fill_slug(scene, source, commit, removed[-1], store)
        return Classified.of(slug, store.place, source, commit, removed[-1], store)
    if newer:
        return Classified.of("refresh-overwrite", store.place, source, commit, newer[-1], store)
    told_of = scene.of_role(Role.DROP, Role.PUBLISH, after=commit.at)
    if any(same_operation(act, commit) for act in told_of):
        return None  # what should have removed the entry is known, and has not reached it
    return _missed_by_script(scene, source, commit, store) or _stamped_after_read(
        scene, source, commit, store
    )


def _missed_by_script(scene: StaleRead, source: Act, commit: Act, store: Act) -> Classified | None:
    """Return the class of a fill after a script of the writer that names what it stores, or a tag.

    Such a script removes what it finds under a name that the fill declares as well, and has found
    nothing: where this is the entry, it is a removal of the entry, and otherwise a purge.
    """
    place = store.place or ""
    shared = {r for r in store.step.footprint.writes if r.startswith(f"{place}:")}
    for at, step in reversed(_steps_between(scene, commit, store)):
        is_theirs = (step.actor, step.operation) == (commit.step.actor, commit.step.operation)
        if is_theirs and is_script(step) and shared & step.footprint.writes:
            script = Act(at, step, Role.OTHER, place, store.name)
            is_named = f"{place}:{store.name}" in step.footprint.writes
            slug = "purge-misses-fill"
            if is_named:
                slug = _late_fill_slug(scene, source, commit, script, store)
            return Classified.of(slug, place, source, commit, script, store)
    return None


def _stamped_after_read(
    scene: StaleRead, source: Act, commit: Act, store: Act
) -> Classified | None:
    """Return ``stamped-after-read`` if a fill asks after its load what marks it as current.

    That is a clock, or an entry beside it, such as the generation of a tag; the writer has read
    this clock, or changed this entry, after the commit.
    """
    marks: dict[str, tuple[int, Step]] = {}
    for at, step in _steps_between(scene, commit, store):
        operation = step.actor, step.operation
        if operation == (commit.step.actor, commit.step.operation):
            marks.update(dict.fromkeys(_marks_in(step, scene.key, is_change=True), (at, step)))
        elif operation == (store.step.actor, store.step.operation) and at > source.at:
            known = [mark for mark in _marks_in(step, scene.key, is_change=False) if mark in marks]
            for mark in known:
                place, _, name = mark.partition(":")
                marked = Act(*marks[mark], Role.MARK, place, name)
                asked = Act(at, step, Role.STAMP, place, name)
                return Classified.of(
                    "stamped-after-read", store.place, source, commit, marked, asked, store
                )
    return None


def _marks_in(step: Step, key: str, *, is_change: bool) -> list[str]:
    """Return what marks entries as current that a step changes, or else asks for."""
    if reads_clock(step):
        return ["clock:now"]
    if step.kind not in {"command", "watched", "super_cache"}:
        return []
    wanted = Role.STORE if is_change else Role.LOOK_UP
    touched = step.footprint.writes if is_change else step.footprint.reads
    found = []
    for resource in sorted(touched):
        place, _, name = resource.partition(":")
        if is_of_cache(resource) and not is_name_of(name, key):
            found += [resource] if role_of(step, place) is wanted else []
    return found


def _steps_between(scene: StaleRead, first: Act, last: Act) -> list[tuple[int, Step]]:
    race = scene.execution.race
    return [(at, race[at]) for at in range(first.at + 1, last.at)]


def _on_entry(scene: StaleRead, store: Act, *roles: Role, after: int) -> list[Act]:
    """Return the steps with these roles on the entry that a step stores, before that step."""
    found = scene.of_role(*roles, after=after, before=store.at)
    return [act for act in found if is_entry(act, store.place or "", store.name)]


def _late_fill_slug(scene: StaleRead, source: Act, commit: Act, by: Act, store: Act) -> str:
    loaded = source.role is Role.LOAD
    if source.place != ORIGIN and _is_told(scene, commit, by):
        return "in-flight-fill"
    if _deletes(scene, commit):
        return "resurrection"
    if loaded and _found_nothing(scene, source, commit, store):
        return "negative-poisoning"
    if is_purge(by):
        return "purge-misses-fill"
    return "stale-set"


def _is_told(scene: StaleRead, commit: Act, by: Act) -> bool:
    """Say whether a message has brought a removal, to a layer of ours or to code that listens."""
    return by.role is Role.DELIVER or (
        by.step.actor != commit.step.actor
        and any(
            step.actor == by.step.actor and step.label.startswith(_RECEIVES)
            for _, step in _steps_between(scene, commit, by)
        )
    )


_RECEIVES = "receive a message"
"""The label of a step that takes a message off a channel of Redis."""


def _deletes(scene: StaleRead, commit: Act) -> bool:
    """Say whether a commit removes the key from the origin."""
    if commit.place != ORIGIN:
        return removes(commit)
    if is_database(commit):
        return any(one.step.label.startswith("DELETE") for one in _changes(scene, commit))
    values = [c.value for c in scene.execution.history.commits if c.key in commit.step.label]
    return bool(values) and values[-1] is None


def _changes(scene: StaleRead, commit: Act) -> list[Act]:
    """Return the changes that a commit makes visible, which may be the commit itself."""
    own = [
        act for act in scene.of_role(Role.CHANGE, before=commit.at) if same_operation(act, commit)
    ]
    return [*own, commit]


def _found_nothing(scene: StaleRead, source: Act, commit: Act, store: Act) -> bool:
    """Say whether a load found no value.

    The values of a database are not known: what was stored tells it, or what the writer did.
    """
    if source.place != ORIGIN:
        return source.step.content is not None and held(source) is None
    if not is_database(source):
        key = commit.step.label.rpartition(" ")[2]
        return _origin_at(scene.execution, key, source) is None
    stored = held(store)
    if stored is not None:
        return canonical(stored) is None
    return any(one.step.label.startswith("INSERT") for one in _changes(scene, commit))


def _origin_at(execution: Execution, key: str, act: Act) -> Any:
    """Return the value of a key in the origin when a step was taken."""
    at = next(n for n, step in enumerate(execution.steps) if step is act.step)
    value = execution.history.given.get(key)
    for commit in execution.history.commits:
        if commit.key == key and commit.at <= at:
            value = commit.value
    return value


def _from_behind(
    scene: StaleRead, source: Act, commits: list[Act], store: Act
) -> Classified | None:
    """Return ``stale-replica-refill`` if the value came, after the commit, from a copy behind.

    A copy that is wrong in the end is another cache, and what made it wrong names the class.
    """
    before = [act for act in commits if act.at < source.at]
    if not before or source.role is not Role.LOOK_UP:
        return None
    if any(place == source.place for place, _ in scene.wrong):
        return None
    later = [
        act
        for act in scene.of_role(Role.STORE, after=source.at)
        if is_entry(act, source.place or "", source.name)
    ]
    return Classified.of("stale-replica-refill", store.place, before[-1], source, store, *later[:1])


# -- nothing removed it ---------------------------------------------------------------------------


def _never_removed(
    scene: StaleRead, place: str, name: str, commits: list[Act]
) -> Classified | None:
    """Return the class if nothing removed the old entry after the commit."""
    commit = commits[-1]
    published = scene.of_role(Role.PUBLISH, after=commit.at)
    dropped = scene.of_role(Role.DROP, after=commit.at)
    late = _subscription(scene, place, after=published[0].at) if published else None
    if late is not None:
        fill = _left_behind(scene.acts, place, name)
        filled = [] if fill is None else [fill]
        return Classified.of("subscribe-gap", place, *filled, commit, published[0], late)
    by_fault = why_missing(scene.struck, place, published=bool(published))
    if by_fault is not None:
        return Classified.of(by_fault, place, commit, *dropped[:1], *published[:1])
    if any(operation.error is not None for operation in scene.execution.history):
        done = _done_after(scene, commit)
        slug = "layer-divergence" if done else "partial-write"
        return Classified.of(slug, place, commit, *done[:1])
    before = [
        act
        for act in scene.of_role(Role.DROP, before=commit.at)
        if is_entry(act, place, name) and same_operation(act, commit)
    ]
    if before and not dropped and not published and not _is_written_through(scene, place, name):
        return Classified.of("invalidate-before-write", place, before[-1], commit)
    return None


def _is_written_through(scene: StaleRead, place: str, name: str) -> bool:
    """Say whether what is left of an entry is no fill, but of an operation that also commits."""
    store = _left_behind(scene.acts, place, name)
    commits = scene.of_role(Role.COMMIT)
    return store is not None and any(same_operation(store, commit) for commit in commits)


def _done_after(scene: StaleRead, commit: Act) -> list[Act]:
    """Return the writer's steps on caches after the commit, without failed attempts."""
    return [
        act
        for act in scene.of_role(Role.DROP, Role.PUBLISH, Role.STORE, after=commit.at)
        if same_operation(act, commit) and not scene.struck.at_step(act.step, *NO_EFFECT)
    ]


def _subscription(scene: StaleRead, place: str, *, after: int) -> Act | None:
    """Return the step by which a node subscribed, after position ``after`` of the race."""
    node = place.partition("@")[2]
    for at, step in enumerate(scene.execution.race):
        if at > after and step.label == "subscribe" and step.node == node:
            return Act(at, step, Role.OTHER, place)
    return None
