"""Sentences about a finding, made last and from data: what happened, what forces it, what helps."""

import json
from typing import Any

from pytest_supercache.core.orders import Pair, StepName
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.oracle.catalogue import CATALOGUE
from pytest_supercache.oracle.cause import Causes
from pytest_supercache.oracle.roles import Act, Role
from pytest_supercache.oracle.stale import Classified
from pytest_supercache.oracle.versions import canonical

VALUE_MAX = 60
_NOTHING = "nothing"


def class_sentence(slug: str) -> str:
    """Name a class with its number and what it is."""
    known = CATALOGUE.get(slug)
    if known is None:
        return "class: unclassified: it fits none of the known conflicts"
    number = f" ({known.number})" if known.number else ""
    return f"class: {slug}{number}: {known.title}"


def advice(slug: str) -> list[str]:
    """Say how users notice a class, what is usually done for now, and what mends it."""
    known = CATALOGUE.get(slug)
    if known is None:
        return []
    effect = "it removes the conflict" if known.removes else "it only lowers the odds"
    return [
        f"users notice: {known.symptom}",
        f"usual workaround: {known.workaround} ({effect})",
        f"permanent fix: {known.fix}",
    ]


def story(classified: Classified) -> str | None:
    """Tell in one line which steps made it so, by their numbers in the picture."""
    if not classified.acts:
        return None
    last = classified.acts[-1]
    stays = last if last.place == classified.place else None
    parts = [f"{act.at + 1}. {_deed(act, stays=act is stays)}" for act in classified.acts]
    return f"what happened: {'; '.join(parts)}"


def cause_sentences(causes: Causes, *, executed: int, exhausted: bool) -> list[str]:
    """Say which orders force the failure, and which change would have avoided it."""
    lines = []
    for number, cause in enumerate(causes.sets):
        if not cause.pairs:
            lines.append("fails in every order of the steps")
            continue
        orders = ", and ".join(_order(pair, cause.never) for pair in cause.pairs)
        exactly = "exactly " if causes.is_complete and exhausted else ""
        begin = f"fails {exactly}when" if not number else "  or when"
        lines.append(f"{begin} {orders}{'' if cause.is_fewest else ' (sufficient, not fewest)'}")
    if lines and not exhausted:
        lines.append(f"  (so in all {executed:,} runs that were seen)")
    if causes.passing:
        orders = ", and ".join(_order(pair) for pair in causes.passing[:2])
        lines.append(f"holds, with the fewest changes, when {orders}")
    return lines


def _order(pair: Pair, never: frozenset[StepName] = frozenset()) -> str:
    told = f"{named(pair[0])} comes before {named(pair[1])}"
    return f"{told}, which then never comes" if pair[1] in never else told


def named(name: StepName) -> str:
    """Write which step is meant."""
    actor, _, label = name
    if actor == CLOCK:
        return "a tick of the clock"
    if actor.startswith("messages@"):
        return f"the delivery of {label.removeprefix('deliver ')} to node {actor.partition('@')[2]}"
    return f"{actor}'s {label}"


_DEEDS = {
    Role.LOAD: "{who} finds {value} in the origin",
    Role.COMMIT: "{who} makes it {value} in the origin",
    Role.LOOK_UP: "{who} finds {value} in {place}",
    Role.STORE: "{who} stores {value} in {place}",
    Role.DROP: "{who} removes it from {place}",
    Role.PUBLISH: "{who} publishes the invalidation",
    Role.DELIVER: "a message brings the invalidation to {place}",
    Role.PROMOTE: "a replica of {place} takes over, which has missed that",
    Role.LOCK: "{who} takes the lock",
}


def _deed(act: Act, *, stays: bool) -> str:
    value, told = _value_after(act), _DEEDS.get(act.role, "{who}: {label}")
    if act.role is Role.COMMIT and value == _NOTHING:
        told = "{who} deletes it from the origin"
    if act.role is Role.STORE and act.step.kind == "message":
        told = "a message brings {value} to {place}"
    told = told.format(who=act.step.actor, label=act.step.label, place=_place(act), value=value)
    return f"{told}, where it stays" if stays and act.role is Role.STORE else told


def _place(act: Act) -> str:
    layer, at, node = (act.place or "a layer").partition("@")
    words = layer.replace("_", " ")
    return f"the {words} of node {node}" if at and node else f"the {words}"


def _value_after(act: Act) -> str:
    layers = act.step.layers
    if layers is None:
        return "a value"
    held: Any = layers.get(act.place or "", {}).get(act.name)
    text = (
        _NOTHING if held is None else json.dumps(canonical(held), ensure_ascii=False, default=str)
    )
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."
