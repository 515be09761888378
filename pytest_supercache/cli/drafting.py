"""Drafts a scenario from a recording: from calls that are not linearizable, or the busiest ones.

The recording is one interleaving of calls; the users of the draft make the same calls, and the
search tries all other interleavings. Values are made unique, because a version is identified by its
value.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.linear.call import READS, Call, Json, Model
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.oracle.linear.recording import read_calls
from pytest_supercache.oracle.linear.smallest import smallest_core
from pytest_supercache.scenario.layout import formatted
from pytest_supercache.scenario.scenario import (
    GuaranteeSpec,
    Location,
    Scenario,
    StepSpec,
    SystemSpec,
    UserSpec,
)
from pytest_supercache.scenario.variables import parse_reference
from pytest_supercache.scenario.writing import written

CALLS_MAX = 12
"""The most calls of a draft, unless more are needed: as many as the search can still exhaust."""

_TEXT_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """The calls of one key for a draft, and the reason for the choice."""

    calls: tuple[Call, ...]
    why: str


def draft(
    recording: Path, model: Model, format_: str, *, scenario_id: str, system: str, schema: Path
) -> str:
    """Return the text of a scenario whose users make the calls of a recording.

    Raises:
        RecordingError: the recording cannot be read.
        SupercacheError: no draft can be made of it.
    """
    calls = read_calls(recording, model, FORMATS[format_])
    extract = extracted(calls, model)
    where = Location(path=recording.name, line=1, column=1)
    key = extract.calls[0].key or "key"
    drafting = _Drafting(where, key, _Values(extract.calls))
    users = drafting.users(extract.calls)
    scenario = Scenario(
        path=str(recording),
        title=f"What {_listed([user.name for user in users])} did to {_shown(key)}",
        id=scenario_id,
        systems=(SystemSpec(name=system, where=where),),
        given=drafting.given(),
        users=users,
        guarantees=(GuaranteeSpec(name="linearizable", where=where),),
        where=where,
    )
    story = [
        f"yaml-language-server: $schema={schema.as_posix()}",
        f"Drafted from the recording {recording.name}: {extract.why}",
        "Here every order of these calls is tried, not only the one that was recorded.",
        "Say who the users are and on which nodes; a guess: who only reads is on a, others on b.",
        "`why:` tells what was recorded; a cas or an append has become a read and a write.",
    ]
    return formatted(recording.name, written(scenario, story))


def extracted(calls: Sequence[Call], model: Model) -> Extract:
    """Choose the calls to draft: a violation with all that may matter, else the busiest ones."""
    answer = check_calls(calls, (model.initial,))
    if answer.clash is not None:
        own = [call for call in calls if call.key == answer.key]
        core = smallest_core(own, answer.clash, (model.initial,))
        room = max(CALLS_MAX - len(core.calls), 0)
        chosen = [*core.calls, *core.others[:room]]
        if len({call.process for call in chosen}) == 1:
            chosen = _neighbours(own, core.calls[0])  # alone it would show nothing
        why = f"{answer.clash.reason.value}."
    else:
        chosen = _busiest(calls)
        found = "has an order" if answer.verdict is Verdict.HOLDS else "was not decided"
        why = f"it {found}; these calls of one key overlap most."
    if not chosen:
        raise SupercacheError("the recording has no call whose outcome is known: nothing to draft")
    return Extract(calls=tuple(sorted(chosen, key=lambda call: call.called_at)), why=why)


def _busiest(calls: Sequence[Call]) -> list[Call]:
    """Return the neighbouring calls of one key with the most overlaps."""
    keys: dict[str, list[Call]] = {}
    for call in sorted(calls, key=lambda call: call.called_at):
        keys.setdefault(call.key, []).append(call)
    windows = [
        own[start : start + CALLS_MAX]
        for own in keys.values()
        for start in sorted({*range(0, len(own), CALLS_MAX // 2), max(len(own) - CALLS_MAX, 0)})
    ]
    return max(windows, key=_overlaps, default=[])


def _neighbours(own: Sequence[Call], call: Call) -> list[Call]:
    """Return a call with those that began shortly before and after it."""
    in_order = sorted(own, key=lambda other: other.called_at)
    at = next(at for at, other in enumerate(in_order) if other is call)
    start = max(min(at - CALLS_MAX // 2, len(own) - CALLS_MAX), 0)
    return in_order[start : start + CALLS_MAX]


def _overlaps(window: Sequence[Call]) -> int:
    return sum(
        one.called_at < other.returned_at and other.called_at < one.returned_at
        for at, one in enumerate(window)
        for other in window[at + 1 :]
    )


@dataclass(slots=True)
class _Values:
    """Makes written values unique, so that a read value identifies its write."""

    calls: Sequence[Call]
    used: set[str] = field(default_factory=set)

    def first(self) -> Any:
        """Return the initial value of the key: an answer that no call here has written."""
        written_here = {call.value[1] if call.kind == "cas" else call.value for call in self.calls}
        compared = [call.value[0] for call in self.calls if call.kind == "cas"]
        read = [call.answer for call in self.calls if call.kind in READS and call.returned]
        unknown = [value for value in [*read, *compared] if value not in written_here]
        known = [value for value in unknown if value not in (None, "")]
        return self.fresh(known[0], 0) if known else None

    def fresh(self, value: Any, line: int) -> Any:
        """Return the value, or one that names its line if the value is used already."""
        plain = json.loads(value.text) if isinstance(value, Json) else value
        if isinstance(plain, str):
            plain = plain[:_TEXT_MAX]
        odd = plain is None or parse_reference(plain) is not None
        if odd or json.dumps(plain, default=str) in self.used:
            plain = f"{_shown(plain)} (line {line})"
        self.used.add(json.dumps(plain, default=str))
        return plain


@dataclass(slots=True)
class _Drafting:
    where: Location
    key: str
    values: _Values
    _given: Any = None

    def given(self) -> dict[str, dict[str, Any]]:
        return {} if self._given is None else {"origin": {self.key: self._given}}

    def users(self, calls: Sequence[Call]) -> tuple[UserSpec, ...]:
        """Make a user of each process; add the values that must be there at first to `given`."""
        self._given = self.values.first()
        names = _names([call.process for call in calls])
        steps: dict[str, list[StepSpec]] = {}
        for call in calls:
            steps.setdefault(names[call.process], []).extend(self._steps(call))
        return tuple(
            UserSpec(
                name=name,
                node="a" if all(step.verb == "read" for step in own) else "b",
                steps=tuple(own),
                where=self.where,
            )
            for name, own in steps.items()
        )

    def _steps(self, call: Call) -> list[StepSpec]:
        read = self._step("read", {"key": self.key}, _recorded(call))
        if call.kind in READS:
            return [read]
        new = call.value[1] if call.kind == "cas" else call.value
        value = self.values.fresh(new, call.called_at)
        first = [] if call.kind in {"write", "put"} else [read]
        why = None if first else _recorded(call)
        return [*first, self._step("write", {"key": self.key, "value": value}, why)]

    def _step(self, verb: str, arguments: dict[str, Any], why: str | None) -> StepSpec:
        return StepSpec(verb=verb, arguments=arguments, why=why, name=verb, where=self.where)


def _recorded(call: Call) -> str:
    """Describe the recorded call and its lines."""
    lines = f"lines {call.called_at}-{call.returned_at}" if call.returned else "no answer"
    if call.kind == "cas":
        outcome = {True: "done", False: "failed"}.get(call.answer, "nobody knows")
        return f"{lines}: cas {_shown(call.value[0])} to {_shown(call.value[1])}, {outcome}"
    told = f"answered {_shown(call.answer)}" if call.kind in READS else _shown(call.value)
    return f"{lines}: {call.kind} {told}"


def _names(processes: Sequence[str]) -> dict[str, str]:
    """Return user names for processes: a number gets a letter, and all names differ."""
    found: dict[str, str] = {}
    for process in dict.fromkeys(processes):
        word = re.sub(r"[^A-Za-z0-9_]+", "_", process)[:40].strip("_")
        word = word if re.match(r"[A-Za-z]", word) else f"user{word}"
        name, number = word, 1
        while name in found.values():
            number += 1
            name = f"{word}_{number}"
        found[process] = name
    return found


def _shown(value: Any) -> str:
    text = value.text if isinstance(value, Json) else value
    text = text if isinstance(text, str) else json.dumps(text, default=str)
    text = re.sub(r"[^\x20-\x7e]+", "?", text)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:3], *([f"{len(names) - 3} others"] if len(names) > 3 else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
