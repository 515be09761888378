"""Classifies what a step does to a cache: a load, a commit, a fill, an invalidation.

The footprint and the label of the step decide, so that the role is the same in every execution;
only of a script, which may do anything, the content tells what it did. What an operation reads in
the origin before it stores a key in a cache is the source of that key, also under another name: the
table of a database.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import takewhile
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Layers, Step


class Role(Enum):
    """The effect of a step on a key."""

    LOAD = "load"  # reads the origin
    CHANGE = "change"  # changes the origin in a transaction, which ends in a later step
    COMMIT = "commit"  # changes the origin
    LOOK_UP = "look up"  # reads a cache
    STORE = "store"  # puts a value into a cache
    DROP = "drop"  # takes a value out of a cache
    PUBLISH = "publish"  # sends an invalidation
    DELIVER = "deliver"  # an invalidation arrives
    PROMOTE = "promote"  # a replica takes over, with what it has missed
    LOCK = "lock"
    MARK = "mark"  # changes what says which entries are current: a clock, a generation
    STAMP = "stamp"  # asks for it
    JOIN = "join"  # finds a load that is under way
    TICK = "tick"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Act:
    """A step with its role for one key; ``place`` is the layer that it touches."""

    at: int
    """Position in the race, from 0."""
    step: Step
    role: Role
    place: str | None
    name: str = ""
    """The name of the key in this layer."""


ORIGIN = "origin"

_ASKING = frozenset({"origin", "watched"})
"""The kinds of steps that read an origin."""

_WRITE_LOCK = "database:lock"
"""SQLite's: a statement outside of a transaction holds it in its step alone."""

_ENDS = frozenset({"COMMIT", "END", "ROLLBACK"})
"""Statements that end a transaction."""

_NO_LAYERS = frozenset(
    {
        "lock", "memory", "clock", "ended", "started", "done", "event", "semaphore", "queue",
        "barrier", "pool", "wire", "database",
    }
)  # fmt: skip

_READING = "read the clock"
"""The label of a reading of the clock inside of a declared call, whose footprint it has."""

_ASKING_REDIS = frozenset({"get", "mget", "hget", "hgetall", "hmget", "exists", "ttl", "pttl"})
"""Commands that change nothing, also where the call that they are part of may."""

_KEEPING = frozenset({"expire", "pexpire", "expireat", "pexpireat", "persist", "touch"})
"""Commands that leave the value of an entry as it is."""

_SCRIPTS = frozenset({"eval", "evalsha", "fcall"})
"""Commands that may do anything: where they name no key, they may remove as well as store."""

_COUNTING = ("incr", "decr", "hincr", "zincr")
"""Commands and methods that count: what they store is nothing that anybody has loaded."""

_IN_PLACE = (
    *_COUNTING, "append", "setrange", "setbit", "sadd", "srem", "zrem", "lpush", "rpush", "lrem",
)  # fmt: skip
"""Commands and methods that make the new value of the one that is there then."""

_ASKING_PRESENCE = frozenset(
    {"exists", "has", "has_key", "contains", "hexists", "sismember", "smismember"}
)
"""Commands and methods that ask whether something is there."""

_DROPPING_ONE = ("del", "unlink", "getdel", "hdel", "delete", "pop", "remove", "discard")
_DROPPING = (
    *_DROPPING_ONE, "invalidate", "evict", "clear", "purge", "flush", "flushdb", "flushall", "drop",
    "expire",
)  # fmt: skip


def acts_in_race(execution: Execution, key: str) -> list[Act]:
    """Return the steps of the race that touch ``key`` or its source, with their roles."""
    found = acts_on(execution.race, key, sources_of(execution.steps, key))
    done = [_done_by_script(execution, act) if _is_run(act.step) else act for act in found]
    return sorted([*done, *_told_by_content(execution, key)], key=lambda act: act.at)


def _done_by_script(execution: Execution, act: Act) -> Act:
    """Return the act of a script with the role that the content of its entry shows.

    It may have stored the entry or removed it; or neither, as one that the server did not know.
    """
    before = execution.race[act.at - 1].content if act.at else execution.start
    after = act.step.content
    if act.role is not Role.STORE or before is None or not is_shown(act):
        return act
    had, has = (_kept(content, act) for content in (before, after))
    if has is None:
        return replace(act, role=Role.OTHER if had is None else Role.DROP)
    return replace(act, role=Role.OTHER) if had == has else act


def _told_by_content(execution: Execution, key: str) -> list[Act]:
    """Return what steps change in found memory that names no entry, and the content shows.

    Those are changes by a coroutine after an await, which are no steps, as nobody can come in
    between; and a container that is emptied, or loses an entry that the step does not name.
    """
    found = []
    before = execution.memory_at_start
    for at, step in enumerate(execution.race):
        after = before if step.memory is None else step.memory
        for place, content in after.items():
            held = before.get(place, {})
            is_whole = f"memory:{place}:{EVERYTHING}" in step.footprint.writes
            if not step.footprint.reads | step.footprint.writes:
                names = _changed(held, content)
            elif is_whole and step.label.startswith("delete ") and not content:
                names = [EVERYTHING]
            else:
                names = _changed(held, content) if is_whole else []
            for name in names:
                if name == EVERYTHING or is_name_of(name, key):
                    role = Role.STORE if name in content else Role.DROP
                    found.append(Act(at, step, role, place, name))
        before = after
    return found


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the entries that are there no more, are new, or have another value."""
    return [
        name
        for name in sorted({*before, *after})
        if (name in before, before.get(name)) != (name in after, after.get(name))
    ]


def acts_on(steps: Sequence[Step], key: str, sources: frozenset[str] = frozenset()) -> list[Act]:
    """Return the steps that touch ``key`` or one of its sources, with their roles."""
    found = []
    for at, step in enumerate(steps):
        if step.actor == CLOCK:
            found.append(Act(at, step, Role.TICK, None))
            continue
        place, name = _place(step, key, sources)
        if place is None:
            continue
        role = _role_on(step, place, name)
        if place == ORIGIN and role is Role.COMMIT:
            role = _role_in_transaction(steps, at) if _changes(step, name) else Role.LOAD
        found.append(Act(at, step, role, place, name))
    return found


def removes(act: Act) -> bool:
    """Say whether a step takes a value out of a cache."""
    if act.place is None or act.place == ORIGIN:
        return False
    if _is_run(act.step) and is_shown(act):
        return held(act) is None
    return _role_on(act.step, act.place, act.name) is Role.DROP


def entries_written(step: Step) -> set[str]:
    """Return the names of the entries that a step writes, also those of memory that was found."""
    named = (_place_and_name(one)[1] for one in step.footprint.writes if ":" in one)
    return {*named} - {EVERYTHING}


def is_of_cache(resource: str) -> bool:
    """Say whether a resource is an entry of one of the caches, rather than all of it."""
    place, _, name = resource.partition(":")
    return layer_of(place) in {"existing_cache", "super_cache"} and name != EVERYTHING


def gives_back(step: Step, place: str) -> bool:
    """Say whether a step deletes an entry, rather than everything or its end."""
    is_drop = place != ORIGIN and role_of(step, place) is Role.DROP
    return is_drop and _verb(step).startswith(_DROPPING_ONE)


def is_script(step: Step) -> bool:
    """Say whether a step is a script that may do anything."""
    return _verb(step) in _SCRIPTS


def counts(act: Act) -> bool:
    """Say whether a step counts an entry up or down, rather than storing a value."""
    return _verb_on(act.step, act.name).startswith(_COUNTING)


def _is_run(step: Step) -> bool:
    """Say whether a step runs a script in the server, whose content then shows what it did."""
    return step.kind == "command" and is_script(step)


def asks_presence(step: Step) -> bool:
    """Say whether a step asks whether there is an entry, rather than for what it holds."""
    return _verb(step) in _ASKING_PRESENCE


def changes_in_place(act: Act) -> bool:
    """Say whether a step makes the new value of the one that it finds, in one piece."""
    return _verb_on(act.step, act.name).startswith(_IN_PLACE)


def reads_clock(step: Step) -> bool:
    """Say whether a step reads the clock."""
    return step.label.startswith(_READING)


def sources_of(steps: Sequence[Step], key: str) -> frozenset[str]:
    """Return what operations read or changed in the origin before they stored ``key`` in a cache.

    Where one of these is the key's own name, there are no others.
    """
    read: dict[tuple[str, int | None], set[str]] = {}
    found = set[str]()
    for step in steps:
        operation = step.actor.partition("/")[0], step.operation
        place, name = _place(step, key)
        if place is not None and place != ORIGIN and _role_on(step, place, name) is Role.STORE:
            found |= read.get(operation, set())
        if step.kind in _ASKING:
            read.setdefault(operation, set()).update(_used_in_origin(step))
    return frozenset() if any(is_name_of(name, key) for name in found) else frozenset(found)


def _role_on(step: Step, place: str, name: str) -> Role:
    """Return the effect of a step on an entry of the layer at ``place``.

    A script that names other keys says nothing of this one, although its text may not be known.
    Of a transaction it is that of its last command that names the entry.
    """
    role = role_of(step, place)
    if role is not Role.STORE:
        return role
    if name == EVERYTHING and is_script(step):
        return Role.OTHER
    return Role.DROP if _verb_on(step, name).startswith(_DROPPING_ONE) else role


def role_of(step: Step, place: str) -> Role:
    """Return the effect of a step on the layer at ``place``."""
    if step.kind == "message":
        return Role.DELIVER if step.label.startswith("deliver ") else Role.STORE
    if step.kind == "fault":
        return Role.PROMOTE if step.label.startswith("failover") else Role.DROP
    if step.kind == "lock":
        return Role.LOCK
    if reads_clock(step) or (step.kind == "command" and _verb(step) == "watch"):
        return Role.OTHER
    if place.startswith("messages@"):
        return Role.PUBLISH
    writes = _is_in_any(step.footprint.writes, place)
    if place == ORIGIN:
        return Role.COMMIT if writes or step.label in _ENDS else Role.LOAD
    asks = layer_of(place) == "existing_cache" and _verb(step) in _ASKING_REDIS
    if not writes or (asks and step.kind == "command"):
        return Role.LOOK_UP
    return _role_in_cache(step)


def _role_in_cache(step: Step) -> Role:
    """Return the effect of a step that writes a cache."""
    verb = _verb(step)
    # "look up or lease" takes a lease on a miss, which nobody sees; an item that is looked at moves
    # to the front of what is kept, or goes if it has expired.
    if verb in {"look", "getitem"} or (step.kind == "watched" and verb in {"get", "has_key"}):
        return Role.LOOK_UP
    if verb in _SCRIPTS and step.label.split()[1:] == []:
        return Role.OTHER
    return Role.DROP if verb.startswith(_DROPPING) else Role.STORE


def _role_in_transaction(steps: Sequence[Step], at: int) -> Role:
    """Return the role of a step that changes the origin, or ends a transaction."""
    step = steps[at]
    own = [one for one in steps if one.actor == step.actor and _is_at_origin(one)]
    number = next(number for number, one in enumerate(own) if one is step)
    if step.label not in _ENDS:
        is_alone = _WRITE_LOCK in step.footprint.reads - step.footprint.writes
        is_ended = any(one.label in _ENDS for one in own[number:])
        return Role.CHANGE if is_ended and not is_alone else Role.COMMIT
    since = takewhile(lambda one: one.label not in _ENDS, reversed(own[:number]))
    has_changed = any(_is_in_any(one.footprint.writes, ORIGIN) for one in since)
    return Role.COMMIT if has_changed and step.label != "ROLLBACK" else Role.OTHER


def end_of_change(steps: Sequence[Step], at: int) -> tuple[int, bool]:
    """Return the position of the step that ends a change of the origin, and whether it is kept."""
    if _role_in_transaction(steps, at) is Role.COMMIT:
        return at, True
    actor = steps[at].actor
    ends = (
        (later, step.label != "ROLLBACK")
        for later, step in enumerate(steps[at:], at)
        if step.actor == actor and ends_transaction(step)
    )
    return next(ends, (len(steps), False))


def ends_transaction(step: Step) -> bool:
    """Say whether a step is the end of a transaction."""
    return step.label in _ENDS


def is_in_sqlite_transaction(step: Step) -> bool:
    """Say whether a statement of SQLite that reads is part of a transaction."""
    return _WRITE_LOCK in step.footprint.reads


def _changes(step: Step, name: str) -> bool:
    """Say whether a step changes this entry of the origin, rather than another one, or ends."""
    return step.label in _ENDS or f"{ORIGIN}:{name}" in step.footprint.writes


def _is_at_origin(step: Step) -> bool:
    return _is_in_any(step.footprint.reads | step.footprint.writes, ORIGIN)


def tables_of(step: Step) -> list[str] | None:
    """Return the tables that a step changes, or else reads; None: they are not known."""
    names = _used_in_origin(step)
    return None if EVERYTHING in names else sorted(names)


def _used_in_origin(step: Step) -> set[str]:
    """Return the names that a step changes in the origin, or else reads.

    What a statement that changes a table looks into, it does not return.
    """
    touched = (map(_place_and_name, one) for one in (step.footprint.writes, step.footprint.reads))
    found = ({name for place, name in one if place == ORIGIN} for one in touched)
    return next(filter(None, found), set())


def is_purge(act: Act) -> bool:
    """Say whether a step removes all entries, not one that may have any name."""
    writes_all = any(resource.endswith(f":{EVERYTHING}") for resource in act.step.footprint.writes)
    if act.step.kind == "memory" or is_script(act.step):
        return writes_all and act.name == EVERYTHING
    return writes_all and not _verb(act.step).startswith(_DROPPING_ONE)


def _verb(step: Step) -> str:
    verb = step.label.split()[0].lower().strip("_") if step.label else ""
    return verb.removeprefix("cache_")


def _verb_on(step: Step, name: str) -> str:
    """Return the verb of a step; of several commands, that of the last which changes an entry."""
    commands = step.label.removeprefix("MULTI ").split("; ")
    if step.kind != "command" or (len(commands) == 1 and commands[0] == step.label):
        return _verb(step)
    named = re.compile(rf"(?<!\S){re.escape(name)}(?!\S)")
    verbs = [command.partition(" ")[0].lower() for command in commands if named.search(command)]
    changing = [verb for verb in verbs if verb not in _ASKING_REDIS | _KEEPING]
    return changing[-1] if changing else _verb(step)


def is_database(act: Act) -> bool:
    """Say whether a step asks a database, whose values are not known, rather than our origin."""
    return act.place == ORIGIN and not act.step.label.startswith("origin ")


def layer_of(place: str) -> str:
    """Return the layer of a place, without the node."""
    return place.partition("@")[0]


def _place(step: Step, key: str, sources: frozenset[str] = frozenset()) -> tuple[str | None, str]:
    """Return the layer in which a step touches ``key``, and its name there; writes come first."""
    if step.kind == "super_cache" and step.label.startswith(("invalidate ", "send ")):
        is_it = key in step.label.partition(" ")[2].split(", ")
        return ("messages@", key) if is_it else (None, "")
    for resources in _own(step):
        found = []
        for resource in sorted(resources):
            place, name = _place_and_name(resource)
            is_source = place == ORIGIN and name in sources
            if is_source or (
                place not in _NO_LAYERS and (name == EVERYTHING or is_name_of(name, key))
            ):
                found.append((place, name))
        if found:  # the entry itself rather than what lies beside it, such as its lock
            return min(found, key=lambda each: (each[1] != key, len(each[1])))
    return None, ""


_LAYER_OF_KIND = {"origin": ORIGIN, "command": "existing_cache", "memory": "memory"}
"""The layer that steps of a kind touch; what else they declare is of the calls around them."""


def _own(step: Step) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a step itself writes and reads, without the watched calls that it is part of.

    A command in a call that may touch anything is told as what that call does: its reply may not
    have been read.
    """
    writes, reads = step.footprint.writes, step.footprint.reads
    layer = f"{_LAYER_OF_KIND.get(step.kind)}:"
    own = frozenset(one for one in reads | writes if one.startswith(layer))
    others = {one.partition(":") for one in writes - own}
    is_opaque = any(name == EVERYTHING and place not in _NO_LAYERS for place, _, name in others)
    if not own or (is_opaque and step.kind == "command"):
        return writes, reads
    return writes & own, reads & own


def is_entry(act: Act, place: str, name: str) -> bool:
    """Say whether a step touches the entry that a layer knows by ``name``; ``*`` is any."""
    return act.place == place and (act.name == name or EVERYTHING in {act.name, name})


def is_shown(act: Act) -> bool:
    """Say whether the content of a layer is known when a step was taken."""
    return act.step.content is not None and (act.place or "") in act.step.content


def held(act: Act) -> Any:
    """Return what an entry holds after a step; None: it is not there, or not known."""
    return _kept(act.step.content, act)


def _kept(content: Layers | None, act: Act) -> Any:
    """Return what an entry holds in a content; None: it is not there, or not known.

    Steps name a key without its database of Redis, and contents with it, as in ``db2:KEY``.
    """
    kept = (content or {}).get(act.place or "", {})
    if act.name in kept:
        return kept[act.name]
    others = [name for name in kept if re.fullmatch(rf"db\d+:{re.escape(act.name)}", name)]
    return kept[others[0]] if len(others) == 1 else None


def is_name_of(name: str, key: str) -> bool:
    """Say whether a layer's name stands for a key: it is the same, perhaps with a prefix."""
    if name == key:
        return True
    return bool(key) and name.endswith(key) and not name[-len(key) - 1].isalnum()


def _is_in_any(resources: frozenset[str], place: str) -> bool:
    return any(_is_in(resource, place) for resource in resources)


def _is_in(resource: str, place: str) -> bool:
    return resource == EVERYTHING or _place_and_name(resource)[0] == place


def _place_and_name(resource: str) -> tuple[str, str]:
    """Split a resource into its place, and the name of the entry there.

    An entry of a container that was found in the memory of the code under test is one of a cache:
    ``memory:Shop.near:['k']`` is ``k`` in ``Shop.near``.
    """
    place, _, name = resource.partition(":")
    if place == "memory":
        entry = _ENTRY.fullmatch(name)
        if entry is not None:
            key = ast.literal_eval(entry["key"])
            text = key.decode(errors="backslashreplace") if isinstance(key, bytes) else key
            return entry["holder"], text
    return place, name


_ENTRY = re.compile(r"""(?P<holder>.+?):\[(?P<key>b?(?:'.*'|".*"))\]""", re.DOTALL)
