"""Tells what happened, step by step, with the numbers of the picture.

It tells the steps that made the class; where the class follows from the guarantee alone, every
step that touches the keys in question. What a fault did is told with the step that it struck, and
at the end where the wrong value was left.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault import POINTS
from pytest_supercache.core.footprint import EVERYTHING
from pytest_supercache.core.messages import in_words, never_told, published_to
from pytest_supercache.core.operation import RACE
from pytest_supercache.core.orders import StepName
from pytest_supercache.core.places import LAYERS, place_in_words
from pytest_supercache.core.result import StoryPart
from pytest_supercache.core.trace import Step
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.fault_effects import StruckFaults
from pytest_supercache.oracle.roles import (
    ORIGIN,
    Act,
    Role,
    acts_in_race,
    asks_presence,
    held,
    is_database,
    is_name_of,
    is_purge,
    is_script,
    is_shown,
    layer_of,
    reads_clock,
    removes,
    tables_of,
)
from pytest_supercache.oracle.rows import Rows, RowUse, rows_of
from pytest_supercache.oracle.stale import Classified
from pytest_supercache.oracle.versions import same

VALUE_MAX = 60
ACTS_MAX = 14
"""The largest number of steps that are told; of more, those that only look go first."""

_NOTHING = "nothing"
_UNTOLD = {Role.LOCK, Role.OTHER}
_LOOKING = {Role.LOOK_UP, Role.LOAD}
_PLACELESS = {Role.LOCK, Role.JOIN}
_ANY = "{who}: {label}"

_EFFECT = re.compile(
    r", (?:no effect, (?P<fails>\w+)|took effect, then (?P<late>\w+)|(?P<aside>(?:lost|late|"
    r"overtaking others) on the way to .*|sent twice to .*|after a pause of .*))$"
)
"""The text that a fault adds to the label of the step that it strikes."""

_DEEDS = {
    Role.LOAD: "{who} reads {value} from {place}",
    Role.LOOK_UP: "{who} finds {value} in {place}",
    Role.STORE: "{who} stores {value} in {place}",
    Role.DROP: "{who} removes {it} from {place}",
    Role.DELIVER: "a message brings the invalidation to {place}",
    Role.PROMOTE: "a replica of {place} takes over, which has missed that",
    Role.LOCK: "{who} takes the lock",
    Role.MARK: "{who} changes {it} in {place}",
    Role.STAMP: "{who} finds {value} for {it} in {place}",
    Role.JOIN: "{who} joins the load that is under way",
}

_MOVES = {
    "evict": "{place} evicts {it}",
    "expire": "{it} expires in {place}",
    "restart": "{place} restarts and forgets everything",
}


def story(
    execution: Execution, violation: Violation, classified: Classified
) -> tuple[StoryPart, ...]:
    """Return what the steps did, one sentence for each; empty if none of them can be named."""
    keys = _keys(execution, violation)
    acts = list(classified.acts)
    if len(acts) < 2:  # the class says what is missing
        acts = _all_of(execution, keys) or acts
    struck = StruckFaults.of(execution)
    acts = sorted([*acts, *_struck(execution, struck, keys, acts)], key=lambda act: act.at)
    if not acts:
        return ()
    teller = _Teller(execution, struck, keys, acts)
    race = execution.race
    positions = [at for at, step in enumerate(execution.steps) if step.phase == RACE]
    parts = []
    for at, same_step in groupby(acts, key=lambda act: act.at):
        deeds = ", ".join([teller.deed(act) for act in same_step])
        number, actor = number_of(race, at), race[at].actor
        parts.append(StoryPart(deeds, number=number, position=positions[at], actor=actor))
    left = _left(execution, violation, classified, keys)
    place = classified.place if left is None else left.place
    if acts[-1].role is Role.STORE and acts[-1].place == place and not teller.is_struck(acts[-1]):
        parts[-1] = replace(parts[-1], text=f"{parts[-1].text}, where it stays")
    elif left is not None:
        parts.append(StoryPart(teller.end(left)))
    return tuple(parts)


def story_sentence(parts: Sequence[StoryPart]) -> str:
    """Return the whole story in one line."""
    told = [part.text if part.number is None else f"{part.number}. {part.text}" for part in parts]
    return f"what happened: {'; '.join(told)}"


def number_of(race: Sequence[Step], at: int) -> int:
    """Return the number of a step of the race in the picture."""
    choice = race[at].choice
    return (at if choice is None else choice) + 1


def step_numbers(race: Iterable[Step]) -> dict[StepName, int]:
    """Return the number in the picture of every step, by the name that causes use."""
    found: dict[StepName, int] = {}
    counts: dict[str, int] = {}
    for step in race:
        if step.choice is not None:
            index = counts.get(step.actor, 0)
            counts[step.actor] = index + 1
            found[step.actor, index, step.label] = step.choice + 1
    return found


def without_fault(label: str) -> str:
    """Return a label without the text that a fault has added to it."""
    return _EFFECT.sub("", label)


def shown(value: Any) -> str:
    """Write a value as JSON, shortened."""
    text = value_text(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."


# -- which steps ----------------------------------------------------------------------------------


def _keys(execution: Execution, violation: Violation) -> list[str]:
    """Return the keys that a violation is about."""
    evidence = violation.evidence
    named = [violation.key, *(evidence.get(word) for word in ("source", "new", "old"))]
    keys = list(dict.fromkeys(key for key in named if isinstance(key, str)))
    if keys:
        return keys
    at = evidence.get("step")
    return [op.key for op in execution.history if op.step == at and op.key is not None][:1]


def _all_of(execution: Execution, keys: Iterable[str]) -> list[Act]:
    found = {
        (act.at, act.name): act
        for key in keys
        for act in acts_in_race(execution, key)
        if act.role not in _UNTOLD
    }
    named = {(act.at, act.place) for act in found.values() if act.name != EVERYTHING}
    acts = [
        found[at]
        for at in sorted(found)
        if at[1] != EVERYTHING or (found[at].at, found[at].place) not in named
    ]
    if all(act.role is Role.TICK for act in acts):
        return []
    if len(acts) > ACTS_MAX:
        acts = [act for act in acts if act.role not in _LOOKING]
    return acts[:ACTS_MAX]


def _struck(
    execution: Execution, struck: StruckFaults, keys: Iterable[str], told: Iterable[Act]
) -> list[Act]:
    """Return the steps that faults struck, and that are not told yet."""
    known = {act.at for act in told}
    acts = {act.at: act for key in keys for act in acts_in_race(execution, key)}
    return [
        acts.get(at, Act(at, step, Role.OTHER, None))
        for at, step in enumerate(execution.race)
        if at not in known and (struck.at_step(step, *POINTS) or step.kind == "fault")
    ]


# -- in words -------------------------------------------------------------------------------------


class _Teller:
    """Turns steps into sentences; says only once which actor began another."""

    def __init__(
        self, execution: Execution, struck: StruckFaults, keys: Sequence[str], acts: Iterable[Act]
    ) -> None:
        self._execution = execution
        self._struck = struck
        self._keys = keys
        self._names_keys = len(keys) > 1 or any(map(is_database, acts))
        contents = [step.content for step in execution.steps if step.content]
        self._seen = {place for content in contents for place in content}
        self._entries = {
            (place, name)
            for content in contents
            for place, entries in content.items()
            for name in entries
        }
        self._stored = {
            (act.place, act.name)
            for act in acts
            if act.role in {Role.STORE, Role.COMMIT} and not removes(act)
        }
        self._known: set[str] = set()

    def is_struck(self, act: Act) -> bool:
        """Say whether a fault struck this very step."""
        return self._struck.at_step(act.step, *POINTS)

    def end(self, left: "_WrongEntry") -> str:
        """Return the sentence on where the wrong value is in the end."""
        value = shown(left.value)
        if self._is_named(left.name):
            value = f"{left.name} = {value}"
        still = "" if left.place == "origin" else "still "
        return f"in the end {place_in_words(left.place)} {still}holds {value}"

    def deed(self, act: Act) -> str:
        """Return the sentence on one step, with what a fault did to it."""
        label = act.step.label
        effect = _EFFECT.search(label) if self.is_struck(act) else None
        if effect is None:
            return f"{self._plain(act, label)}{self._unheard(act.step)}"
        plain = without_fault(label)
        if effect["fails"]:
            who = self._who(act.step.actor)
            return f"{who}'s {plain} fails with {effect['fails']} and has no effect"
        told = self._plain(act, plain)
        if effect["late"]:
            return f"{told}, but is told {effect['late']}"
        return f"{told} ({effect['aside']})"

    def _unheard(self, step: Step) -> str:
        return in_words(never_told(self._execution, step), of=published_to(step))

    def _plain(self, act: Act, label: str) -> str:
        it, place = self._it(act), place_in_words(act.place)
        if act.step.kind == "fault" and act.role is not Role.PROMOTE:
            move = _MOVES.get(act.step.actor.removeprefix("@").partition("(")[0], label)
            return move.format(place=place, it=it)
        if act.role is Role.TICK:
            return f"the clock moves on to {act.step.time:g} s"
        if is_database(act):
            return f"{self._who(act.step.actor)} {_asked_of_database(act)}"
        value = _value_after(act)
        template = self._template(act, label, value)
        if len(self._keys) > 1 and act.name not in {"", EVERYTHING}:
            value = f"{act.name} = {value}"
        who = self._who(act.step.actor)
        return template.format(who=who, it=it, value=value, place=place, label=label)

    def _template(self, act: Act, label: str, value: str) -> str:
        beside = _beside_layers(act)
        if beside is not None:
            return beside
        if act.role is Role.COMMIT:
            if value == _NOTHING:
                return "{who} deletes {it} from {place}"
            several = len(self._keys) > 1
            return "{who} commits {value}" if several else "{who} writes {value} to {place}"
        if act.role is Role.PUBLISH:
            sends = label.startswith("send ")
            return "{who} sends the new value" if sends else "{who} publishes the invalidation"
        if act.role is Role.STORE and act.step.kind == "message":
            return "a message brings {value} to {place}"
        if act.role in _LOOKING and self._is_hidden(act):
            return "{who} looks into {place}"
        is_known = act.place in self._seen or layer_of(act.place or "") in LAYERS
        return _DEEDS.get(act.role, _ANY) if is_known or act.role in _PLACELESS else _ANY

    def _is_hidden(self, act: Act) -> bool:
        """Say whether nothing shows what a step finds: no content has ever had the key.

        A declared call may keep it elsewhere; a command finds it where another one has stored it,
        as in a server that is no layer of ours.
        """
        if held(act) is not None or (act.place or "", act.name) in self._entries:
            return False
        return act.step.kind == "watched" or (act.place, act.name) in self._stored

    def _is_named(self, name: str) -> bool:
        return self._names_keys or name not in self._keys

    def _it(self, act: Act) -> str:
        name = act.name
        if name == EVERYTHING:
            return "everything" if is_purge(act) else "it"
        return name if name and self._is_named(name) else "it"

    def _who(self, actor: str) -> str:
        begun_by, slash, _ = actor.rpartition("/")
        if not slash or actor in self._known:
            return actor
        self._known.add(actor)
        return f"{actor} (begun by {begun_by})"


def _beside_layers(act: Act) -> str | None:
    """Return the sentence on a step that neither finds nor changes an entry."""
    if act.step.label == "subscribe":
        return "{who} begins to listen"
    if reads_clock(act.step):
        return "{who} reads the clock"
    if act.role is Role.LOOK_UP and asks_presence(act.step) and is_shown(act):
        return (
            "{who} finds it in {place}" if held(act) is not None else "{who} misses it in {place}"
        )
    is_unknown = act.role is Role.OTHER and is_script(act.step)
    return "{who} runs a script on {place}" if is_unknown else None


def _asked_of_database(act: Act) -> str:
    """Return what a step asks of a database, with its tables, or its text if these are unknown."""
    label, tables = act.step.label, tables_of(act.step)
    told = f" ({label})" if tables is None and not label.endswith("*") else ""
    statement = act.step.statement
    rows = () if statement is None else rows_of(statement)
    if len(rows) == 1:
        told, tables = _rows_in_words(rows[0]), tables or [rows[0].table]
    names = "the database"
    if tables is not None:
        names = f"the table{'s' * (len(tables) > 1)} {' and '.join(tables)}"
    if act.role is Role.LOAD:
        return f"reads {names}{told}"
    if label == "COMMIT":
        return f"commits a change to {names}"
    verb = "deletes from" if label.startswith("DELETE") else "changes"
    return f"{verb} {names}{told}"


def _rows_in_words(rows: Rows) -> str:
    """Return which rows a statement uses, in brackets after its table; nothing if it is any row."""
    where = " and ".join(
        f"{column} = {_cut(value)}" for column, value in sorted(rows.fixed)[:_COLUMNS_MAX]
    )
    if rows.use is RowUse.INSERT:
        return f" (adds a row{where and f' with {where}'})"
    told = f"{where and 'where '}{where}"
    if rows.use is RowUse.UPDATE:
        told = f"sets {', '.join(sorted(rows.columns)[:_COLUMNS_MAX])} {told}".strip()
    return told and f" ({told})"


def _cut(value: str) -> str:
    return value if len(value) <= _VALUE_OF_COLUMN_MAX else f"{value[:_VALUE_OF_COLUMN_MAX]}..."


_COLUMNS_MAX = 3
_VALUE_OF_COLUMN_MAX = 20


def _value_after(act: Act) -> str:
    if not is_shown(act):
        unknown = act.role in {Role.STORE, Role.COMMIT} or act.step.content is None
        return "a value" if unknown else _NOTHING
    value = held(act)
    is_stored = act.role is Role.STORE or (
        act.role is Role.COMMIT and act.place != ORIGIN and not removes(act)
    )
    return "a value" if value is None and is_stored else shown(value)


# -- how it ends ----------------------------------------------------------------------------------


class _WrongEntry(NamedTuple):
    """An entry that has the wrong value in the end."""

    place: str
    name: str
    value: Any


def _left(
    execution: Execution, violation: Violation, classified: Classified, keys: Sequence[str]
) -> _WrongEntry | None:
    """Return the entry where the wrong value was left; None if no layer shows it."""
    evidence = violation.evidence
    value = evidence.get("value", evidence.get("answer"))
    if violation.guarantee == "no_dirty_reads":
        value = evidence.get("seen")
    if value is None:
        return None
    found = [
        _WrongEntry(place, name, kept)
        for place, content in execution.settled.layers.items()
        for name, kept in content.items()
        if same(kept, value) and any(is_name_of(name, key) for key in keys)
    ]
    mine = f"@{violation.node}"
    found.sort(
        key=lambda each: (
            each.place != classified.place,
            not each.place.endswith(mine),
            "@" not in each.place,
            each.place,
        )
    )
    return found[0] if found else None
