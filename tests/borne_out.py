"""Each class's definition a second time: who read which value where, stored it, deleted it when.

It knows labels and the content after each step, as pictures show them. Of the classifier it knows
neither roles nor footprints. It judges the executions of :mod:`tests.mutated`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_supercache import Counterexample
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.trace import Step

SOURCE = "source"
_ENTRY = re.compile(r"(?:read|write|delete) (?P<place>[\w.]+)\['(?P<name>.+)'\]")
_OF_MEMORY = {"read": "look", "write": "store", "delete": "remove"}
_OF_ORIGIN = {"read": "load", "write": "commit", "delete": "commit", "commit": "commit"}
_OF_REDIS = {"GET": "look", "SET": "store", "DEL": "remove", "FLUSHDB": "clear"}
_OF_GENERATION = {"INCRBY": "raise", "GET": "ask"}
_OF_SOURCE = {"look": "load", "store": "commit", "remove": "commit"}


@dataclass(frozen=True)
class Event:
    """One step: what is done, by which operation, to which entry, and the value there then."""

    at: int
    who: tuple[str, int | None]
    deed: str
    place: str = ""
    name: str = ""
    value: Any = None

    def is_on(self, other: "Event") -> bool:
        """Say whether both are on one entry, of which all are cleared."""
        is_all = "clear" in {self.deed, other.deed}
        return self.place == other.place and (is_all or self.name == other.name)


def plain(held: Any) -> Any:
    """Return the value of an entry, without its stamp."""
    text = str(held).partition("/")[0]
    return None if held is None or text == "none" else int(text)


def _event(at: int, step: Step) -> Event | None:
    """Return what a step does; None: it does nothing to an entry."""
    who, content = (step.actor, step.operation), step.content or {}
    verb, _, name = step.label.partition(" ")
    if step.actor.startswith("@"):
        return Event(at, who, "tick")
    if step.kind == "origin":
        verb, name = name.split()
        return Event(at, who, _OF_ORIGIN[verb], SOURCE, "k", content.get("origin", {}).get("k"))
    if step.kind == "memory":
        return _of_memory(at, step)
    if step.kind != "command":
        return None
    held = content.get("existing_cache", {}).get(name)
    if name in {"generation", "lock"}:
        deeds = _OF_GENERATION if name == "generation" else _OF_REDIS
        return Event(at, who, deeds[verb], "existing_cache", name, held)
    deed = _OF_REDIS[verb]
    if name.startswith("source:"):
        return Event(at, who, _OF_SOURCE[deed], SOURCE, "k", plain(held))
    return Event(at, who, deed, "existing_cache", name, plain(held))


def _of_memory(at: int, step: Step) -> Event | None:
    who, entry = (step.actor, step.operation), _ENTRY.fullmatch(step.label)
    verb, _, name = step.label.partition(" ")
    if entry is None:
        return Event(at, who, "clear", name) if verb in {"clear", "delete"} else None
    held = (step.content or {}).get(entry["place"], {}).get(entry["name"])
    return Event(at, who, _OF_MEMORY[verb], entry["place"], entry["name"], plain(held))


@dataclass
class Record:
    """The events of an execution, and what is wrong in the end."""

    execution: Execution

    @cached_property
    def events(self) -> list[Event]:
        """What each step does that does something to an entry, in their order."""
        found = (_event(at, step) for at, step in enumerate(self.execution.race))
        return [event for event in found if event is not None]

    def of(self, *deeds: str, after: int = -1, before: int | None = None) -> list[Event]:
        """Return the events of a kind between two positions."""
        end = len(self.execution.race) if before is None else before
        return [one for one in self.events if one.deed in deeds and after < one.at < end]

    def source(self, at: int | None = None) -> Any:
        """Return the value of the source when a step was taken; of the last one, if None."""
        taken = self.execution.race[: None if at is None else at + 1]
        content = (taken[-1].content or {}) if taken else {}
        if "k" in content.get("origin", {}):
            return content["origin"]["k"]
        return plain(content.get("existing_cache", {}).get("source:k"))

    def removals(self, entry: Event) -> list[Event]:
        """Return what removes an entry, or all of them."""
        return [one for one in self.of("remove", "clear") if one.is_on(entry)]

    def stores(self, entry: Event) -> list[Event]:
        """Return what stores an entry."""
        return [one for one in self.of("store") if one.is_on(entry)]

    def fills(self) -> Iterator[tuple[Event, Event]]:
        """Yield what reads a value, and what stores it, where it stays and is outdated."""
        for store in self.of("store"):
            if store.name == "lock" or store.value == self.source():
                continue
            changes = [*self.stores(store), *self.removals(store)]
            if any(one.at > store.at for one in changes):
                continue
            read = [
                one
                for one in self.of("load", "look", before=store.at)
                if one.who == store.who and one.value == store.value and not one.is_on(store)
            ]
            if read:
                yield read[-1], store


# -- what each class says --------------------------------------------------------------------------


def _late(record: Record, says: Callable[[Any, Any, Event], bool]) -> bool:
    """Say whether an entry is removed between the load and the store of an outdated value."""
    return any(
        record.source(store.at) != store.value
        and any(
            says(record.source(store.at), store.value, removal)
            for removal in record.removals(store)
            if load.at < removal.at < store.at
        )
        for load, store in record.fills()
    )


def _stale_set(record: Record) -> bool:
    return _late(record, lambda now, old, by: None not in {now, old} and by.deed == "remove")


def _purge_misses_fill(record: Record) -> bool:
    return _late(record, lambda now, old, by: None not in {now, old} and by.deed == "clear")


def _resurrection(record: Record) -> bool:
    return _late(record, lambda now, old, _: now is None and old is not None)


def _negative_poisoning(record: Record) -> bool:
    return _late(record, lambda now, old, _: now is not None and old is None)


def _too_early(record: Record, *, again: bool) -> bool:
    """Say whether a writer removes, another one loads, the writer commits: and removes again."""
    for load, store in record.fills():
        for commit in record.of("commit", after=load.at):
            own = [one for one in record.removals(store) if one.who == commit.who]
            early = any(one.at < load.at for one in own)
            late = [one for one in own if one.at > commit.at]
            is_outlasted = bool(late) and late[-1].at < store.at
            if early and commit.who != load.who and (is_outlasted if again else not late):
                return True
    return False


def _invalidate_before_write(record: Record) -> bool:
    return _too_early(record, again=False)


def _double_delete(record: Record) -> bool:
    return _too_early(record, again=True)


def _committed(record: Record, value: Any) -> int:
    """Return when a value was committed for the first time; -1: it was there before."""
    return next((one.at for one in record.of("commit") if one.value == value), -1)


def _refresh_overwrite(record: Record) -> bool:
    return any(
        load.at < newer.at < store.at
        and newer.who != store.who
        and _committed(record, newer.value) > _committed(record, store.value)
        and not any(newer.at < one.at < store.at for one in record.removals(store))
        for load, store in record.fills()
        for newer in record.stores(store)
    )


def _dual_write(record: Record) -> bool:
    """Say whether two have committed in one order and stored in the other one."""
    for last in record.of("store"):
        if any(one.at > last.at for one in [*record.stores(last), *record.removals(last)]):
            continue
        for first in record.stores(last):
            mine, theirs = (
                [one for one in record.of("commit") if one.who == by.who] for by in (last, first)
            )
            is_wrong = last.who != first.who and last.value != record.source()
            if is_wrong and mine and theirs and first.at < last.at and mine[0].at < theirs[-1].at:
                return mine[0].value == last.value and theirs[-1].value == first.value
    return False


def _stamped_after_read(record: Record) -> bool:
    return any(
        load.who != commit.who == mark.who
        and load.at < commit.at < mark.at < asked.at < store.at
        and asked.who == store.who
        and not any(commit.at < one.at < store.at for one in record.removals(store))
        for load, store in record.fills()
        for commit in record.of("commit")
        for mark in record.of("raise")
        for asked in record.of("ask")
    )


def _cached_rmw(record: Record) -> bool:
    """Say whether two read one value of an entry, and each stores one more."""
    return any(
        look.is_on(other) and look.value == other.value and look.who != other.who
        for first, last in _pairs(record.of("store", "commit"))
        for look in record.of("look", "load", before=first.at)
        for other in record.of("look", "load", before=first.at)
        if first.who == look.who and last.who == other.who and look.is_on(first)
        if first.is_on(last) and first.value == last.value == (look.value or 0) + 1
    )


def _pairs(events: Sequence[Event]) -> Iterator[tuple[Event, Event]]:
    for at, first in enumerate(events):
        for last in events[at + 1 :]:
            yield first, last


# -- leases ----------------------------------------------------------------------------------------


def _takes(record: Record) -> list[Event]:
    """Return what takes the lock of Redis: what stores a value of its own over none."""
    found = []
    for event in record.of("store"):
        before = record.execution.race[event.at - 1].content if event.at else {}
        if event.name == "lock" and "lock" not in (before or {}).get("existing_cache", {}):
            found.append(event)
    return found


def _overruns(record: Record) -> Iterator[tuple[Event, Event]]:
    """Yield two takers of the lock, of which the first one has not given it back."""
    for first, second in _pairs(_takes(record)):
        given = [
            one
            for one in record.of("remove", after=first.at, before=second.at)
            if one.name == "lock" and one.who == first.who
        ]
        has_run_out = record.of("tick", after=first.at, before=second.at)
        if first.who != second.who and not given and has_run_out:
            yield first, second


def _lease_expired(record: Record) -> bool:
    return any(
        one.who == first.who and one.name != "lock"
        for first, second in _overruns(record)
        for one in record.of("store", "commit", after=second.at)
    )


def _late_unlock(record: Record) -> bool:
    for first, second in _overruns(record):
        given = [one for one in record.of("remove", after=second.at) if one.name == "lock"]
        late = next((one for one in given if one.who == first.who), None)
        own = next((one for one in given if one.who == second.who), None)
        if late is not None:
            end = None if own is None else own.at
            thirds = [one for one in _takes(record) if late.at < one.at]
            if any(one.who != second.who and (end is None or one.at < end) for one in thirds):
                return True
    return False


# -- what users are told ---------------------------------------------------------------------------


def _answers(record: Record) -> Iterator[tuple[Any, Any]]:
    """Yield an operation of a user, and a later read of the same user."""
    for first, last in _pairs(record.execution.history.operations):
        if first.user == last.user and last.kind == "read":
            yield first, last


def _read_your_writes(record: Record) -> bool:
    return any(
        first.kind in {"write", "delete"}
        and _committed(record, last.answer) < max(one.at for one in _commits_of(record, first))
        for first, last in _answers(record)
        if _commits_of(record, first)
    )


def _commits_of(record: Record, operation: Any) -> list[Event]:
    at = record.execution.history.operations.index(operation)
    return [one for one in record.of("commit") if one.who == (operation.user, at)]


def _non_monotonic_reads(record: Record) -> bool:
    return any(
        first.kind == "read" and _committed(record, last.answer) < _committed(record, first.answer)
        for first, last in _answers(record)
    )


def _uncommitted_visible(record: Record) -> bool:
    """Say whether a user was shown a value before it was committed, or one that never was."""
    drafts = record.execution.history.uncommitted
    return any(
        operation.kind == "read" and operation.answer == draft.value != record.source()
        for operation in record.execution.history
        for draft in drafts
    )


def _dirty_fill(record: Record) -> bool:
    values = {None, *(one.value for one in record.of("commit", "load"))}
    return any(one.value not in values for one in record.of("store") if one.name != "lock")


DEFINITIONS: dict[str, Callable[[Record], bool]] = {
    "stale-set": _stale_set,
    "purge-misses-fill": _purge_misses_fill,
    "resurrection": _resurrection,
    "negative-poisoning": _negative_poisoning,
    "invalidate-before-write": _invalidate_before_write,
    "double-delete": _double_delete,
    "refresh-overwrite": _refresh_overwrite,
    "dual-write": _dual_write,
    "stamped-after-read": _stamped_after_read,
    "cached-rmw": _cached_rmw,
    "lease-expired": _lease_expired,
    "late-unlock": _late_unlock,
    "read-your-writes": _read_your_writes,
    "non-monotonic-reads": _non_monotonic_reads,
    "uncommitted-visible": _uncommitted_visible,
    "dirty-fill": _dirty_fill,
}


def borne_out(execution: Execution) -> list[str]:
    """Return the classes whose definition the steps of an execution meet."""
    record = Record(execution)
    return [slug for slug, is_met in DEFINITIONS.items() if is_met(record)]


def verdict_on(found: Counterexample) -> tuple[str, str]:
    """Return a class, and whether the steps of its execution bear it out."""
    slug, known = found.conflict_class or "", borne_out(found.execution)
    if slug == "unclassified":
        return slug, f"fit {', '.join(known)}" if known else "fit no class"
    return slug, "bear it out" if slug in known else "contradict it"
