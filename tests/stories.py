"""Reads the sentences of "what happened" and compares each with the steps of the execution.

It knows the sentences, and takes every name in them from the execution: who, where, which entry,
which value. What cannot be read so names something that the execution does not have.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.messages import in_words, never_told, published_to
from pytest_supercache.core.places import place_in_words
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.story import shown

HEAD = "what happened: "
_STORED = r"(?P<value>.+)"
_AT = r"(?P<place>.+?)"
_NAME = r"(?P<name>.+?)"
_SENTENCES = {
    "read": [
        rf"finds it in {_AT}",
        rf"misses it in {_AT}",
        rf"finds (?P<value>.+) for {_NAME} in {_AT}",
        rf"finds {_STORED} in {_AT}",
        rf"reads {_STORED} from {_AT}",
        rf"looks into {_AT}",
        r"joins the load that is under way",
        r"reads the clock",
    ],
    "write": [
        rf"stores {_STORED} in {_AT}",
        rf"writes {_STORED} to {_AT}",
        rf"removes {_NAME} from {_AT}",
        rf"deletes {_NAME} from {_AT}",
        rf"changes {_NAME} in {_AT}",
        rf"commits {_STORED}",
        rf"runs a script on {_AT}",
        r"takes the lock",
        r"publishes the invalidation(?P<unheard>, which .+)?",
        r"sends the new value(?P<unheard>, which .+)?",
        r"begins to listen",
    ],
    "database": [
        r"(?:reads|changes|deletes from|commits a change to) "
        r"(?P<tables>the database|the tables? .+?)(?: \(.+\))?"
    ],
}
_OF_NOBODY = [
    rf"a message brings the invalidation to {_AT}",
    rf"a message brings {_STORED} to {_AT}",
    rf"a replica of {_AT} takes over, which has missed that",
    r"the clock moves on to (?P<seconds>[\d.e+-]+) s",
    rf"{_AT} evicts {_NAME}",
    rf"{_NAME} expires in {_AT}",
    rf"{_AT} restarts and forgets everything",
]
_FAULT = re.compile(
    r"(?:, but is told \w+| \((?:(?:lost|late|overtaking others) on the way to .*|sent twice to .*|"
    r"after a pause of .*)\))$"
)
_WORDS_FOR_ALL = {"it", "everything"}


def mistakes(execution: Execution, line: str) -> list[str]:
    """Return the sentences of a story that the execution does not bear out."""
    assert line.startswith(HEAD)
    text = line.removeprefix(HEAD)
    parts = re.split(r"; (?=\d+\. |in the end )", text)
    known = _Known(execution)
    return [part for part in parts if not known.has(part)]


@dataclass
class _Known:
    """What an execution has: its steps by number, its places, its entries."""

    execution: Execution
    places: dict[str, str] = field(default_factory=dict)
    """What the story calls a place, and the place."""

    def __post_init__(self) -> None:
        steps = self.execution.steps
        found = {place for step in steps for place, _ in _touched(step)}
        found |= {place for step in steps for place in step.content or ()}
        found |= {*self.execution.settled.layers, *self.execution.places}
        self.places = {place_in_words(place): place for place in found}

    def has(self, part: str) -> bool:
        """Say whether a sentence is about a step of the execution, or about its end."""
        if part.startswith("in the end "):
            return self._has_end(part.removeprefix("in the end "))
        number, _, text = part.partition(". ")
        steps = [step for at, step in enumerate(self.execution.race) if _number(step, at) == number]
        text = text.removesuffix(", where it stays")
        return bool(steps) and self._is_told(text, steps)

    def _is_told(self, text: str, steps: list[Step]) -> bool:
        """Say whether a text is one sentence about the steps, or several with commas between."""
        if any(self._is_of(step, _FAULT.sub("", text)) for step in steps):
            return True
        cuts = [cut.start() for cut in re.finditer(", ", text)]
        return any(
            self._is_told(text[:cut], steps) and self._is_told(text[cut + 2 :], steps)
            for cut in cuts
        )

    def _is_of(self, step: Step, text: str) -> bool:
        for pattern in _OF_NOBODY:
            match = re.fullmatch(pattern, text)
            if match is not None and self._agrees(step, match.groupdict(), writes=True):
                return "/" in step.actor or "@" in step.actor or step.kind in {"message", "fault"}
        actor = step.actor
        begun = rf"(?: \(begun by {re.escape(actor.rpartition('/')[0])}\))?"
        if text == f"{actor}: {step.label}" or text == step.label:
            return True
        if re.fullmatch(rf"{re.escape(actor)}'s .+ fails with \w+ and has no effect", text):
            return True
        who = re.match(rf"{re.escape(actor)}{begun} ", text)
        if who is None:
            return False
        rest = text[who.end() :]
        return any(
            self._agrees(step, match.groupdict(), writes=kind == "write")
            for kind, patterns in _SENTENCES.items()
            for pattern in patterns
            if (match := re.fullmatch(pattern, rest)) is not None
        )

    def _agrees(self, step: Step, said: dict[str, Any], *, writes: bool) -> bool:
        """Say whether a step touches the place, the entry and the value that are named."""
        if "seconds" in said:
            return said["seconds"] == f"{step.time:g}"
        if said.get("unheard"):
            unheard = never_told(self.execution, step)
            return said["unheard"] == in_words(unheard, of=published_to(step)) != ""
        if "tables" in said:
            return _are_tables(step, said["tables"])
        touched = [*_touched(step, writes=writes)]
        if "place" in said:
            if said["place"] not in self.places:
                return False
            place = self.places[said["place"]]
            touched = [one for one in touched if one[0] == place or one[0] == "*"]
            if not touched and step.kind not in {"message", "fault", "super_cache"}:
                return False
        name = said.get("name")
        if name not in {None, *_WORDS_FOR_ALL} and name not in {one for _, one in touched}:
            return False
        return "value" not in said or self._is_value(step, said, touched)

    def _is_value(self, step: Step, said: dict[str, Any], touched: list[tuple[str, str]]) -> bool:
        value = said["value"]
        if step.content is None or value == "a value":
            return True
        held = [
            (name, one)
            for place, entries in step.content.items()
            if "place" not in said or place == self.places[said["place"]]
            for name, one in entries.items()
        ]
        texts = {shown(one) for _, one in held} | {f"{n} = {shown(one)}" for n, one in held}
        if value == "nothing" or value.endswith(" = nothing"):
            return {name for _, name in touched} - {
                name for name, one in held if one is not None
            } != set()
        return value in texts

    def _has_end(self, text: str) -> bool:
        match = re.fullmatch(r"(?P<place>.+?)(?: still)? holds (?P<value>.+)", text)
        if match is None or match["place"] not in self.places:
            return False
        held = self.execution.settled.layers.get(self.places[match["place"]], {})
        texts = {shown(one) for one in held.values()}
        return match["value"] in texts | {f"{n} = {shown(one)}" for n, one in held.items()}


def _number(step: Step, at: int) -> str:
    return str((at if step.choice is None else step.choice) + 1)


def _touched(step: Step, *, writes: bool = False) -> Iterator[tuple[str, str]]:
    """Yield what a step touches, as place and name."""
    for resource in (
        step.footprint.writes if writes else step.footprint.reads | step.footprint.writes
    ):
        place, _, name = resource.partition(":")
        entry = re.fullmatch(r"(.+?):\[b?(['\"])(.*)\2\]", name) if place == "memory" else None
        whole = name.removesuffix(":*") if place == "memory" and name.endswith(":*") else None
        yield (entry[1], entry[3]) if entry else (whole, "*") if whole else (place, name)


def _are_tables(step: Step, text: str) -> bool:
    names = {name for place, name in _touched(step) if place == "origin"}
    if text == "the database":
        return bool(names) or "database" in {place for place, _ in _touched(step)}
    return set(re.split(r", | and ", re.sub("the tables? ", "", text))) <= names
