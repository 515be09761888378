"""Finds the substitute for an origin that a system does not show: a layer, or a copied entry."""

import re
from dataclasses import replace

from pytest_supercache.core.execution import Execution
from pytest_supercache.oracle.roles import (
    ORIGIN,
    Act,
    Role,
    acts_in_race,
    changes_in_place,
    entries_written,
    held,
)
from pytest_supercache.oracle.versions import canonical


def with_source(execution: Execution, key: str) -> list[Act]:
    """Return the steps on ``key``, with loads and commits of what stands for a missing origin.

    That is a layer, else the entry whose value operations store under the key, as a whole or as a
    part. Who changes it changes the source.
    """
    acts = acts_in_race(execution, key)
    if any(act.place == ORIGIN for act in acts):
        return acts
    return with_layer(acts) or _with_entry(execution, acts) or acts


def with_layer(acts: list[Act]) -> list[Act] | None:
    """Return the steps with loads and commits of the layer that stands for the origin.

    Operations look into it before they store the key in another one, and none fills it in turn.
    """
    fills = {
        (before.place, store.place)
        for store, before in _read_before_a_store(acts, acts)
        if before.place != store.place
    }
    farthest = {source for source, _ in fills} - {sink for _, sink in fills}
    if len(farthest) != 1 or any(act.place == ORIGIN for act in acts):
        return None
    return [_of_source(act) if act.place in farthest else act for act in acts]


def _of_source(act: Act) -> Act:
    return replace(act, role=_OF_SOURCE.get(act.role, act.role))


def _with_entry(execution: Execution, acts: list[Act]) -> list[Act] | None:
    """Return the steps, and those on the one entry that their values are taken from.

    That is one whose own values are not taken from others; a count beside it, such as a generation,
    is a stamp on these values.
    """
    others = _on_all_entries(execution)
    found = _made_of(acts, others)
    found = {one for one in found if not _made_of([a for a in others if _entry(a) == one], others)}
    if len(found) > 1:
        found -= {_entry(act) for act in others if changes_in_place(act)}
    if len(found) != 1:
        return None
    mine = [act for act in acts if _entry(act) not in found]
    theirs = {act.at: _of_source(act) for act in others if _entry(act) in found}
    return sorted([*mine, *theirs.values()], key=lambda act: act.at)


def is_made_of_another(execution: Execution, look: Act, store: Act) -> bool:
    """Say whether an operation had a value that it stores from elsewhere than from its look-up.

    It has read it in another entry, or has stored it in one before it looked, or after it has found
    nothing, and left it there, as it does not with a lock.
    """
    known_by = store.at if held(look) is None else look.at
    others = _on_all_entries(execution)
    own = [a for a in others if _is_of_one(a, store) and _entry(a) != _entry(store)]
    given_back = {_entry(act) for act in own if act.role is Role.DROP}
    return bool(_made_of([store], others)) or any(
        act.role is Role.STORE and act.at < known_by and _is_made_of(store, act)
        for act in own
        if _entry(act) not in given_back
    )


def _on_all_entries(execution: Execution) -> list[Act]:
    names = {name for step in execution.race for name in entries_written(step)}
    return [act for name in sorted(names) for act in acts_in_race(execution, name)]


def _made_of(stores: list[Act], reads: list[Act]) -> set[tuple[str | None, str]]:
    return {
        _entry(before)
        for store, before in _read_before_a_store(stores, reads)
        if _entry(before) != _entry(store) and _is_made_of(store, before)
    }


def _entry(act: Act) -> tuple[str | None, str]:
    return act.place, act.name


def _read_before_a_store(stores: list[Act], reads: list[Act]) -> list[tuple[Act, Act]]:
    """Return each step that stores, with each look-up of its operation before it."""
    return [
        (store, before)
        for store in stores
        if store.role is Role.STORE
        for before in reads
        if before.role is Role.LOOK_UP and before.at < store.at and _is_of_one(before, store)
    ]


def _is_of_one(act: Act, other: Act) -> bool:
    return (act.step.actor, act.step.operation) == (other.step.actor, other.step.operation)


def _is_made_of(store: Act, read: Act) -> bool:
    """Say whether what was stored is the value that was read, or has it as a word in it."""
    values = (held(act) for act in (store, read))
    stored, value = (None if one is None else str(canonical(one)) for one in values)
    if stored is None or not value:
        return False
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", stored) is not None


_OF_SOURCE = {Role.LOOK_UP: Role.LOAD, Role.STORE: Role.COMMIT, Role.DROP: Role.COMMIT}
