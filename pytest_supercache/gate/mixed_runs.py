"""Detects files mixed from two runs: the recorded decision is worse than the contents give."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

from pytest_supercache.gate.policy import GateVerdict, decide
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.same_id import GOOD


def worse_than_contents(document: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    """Yield each recorded decision that is no GO although the contents were one on its day.

    A waiver may have been opened later, a run without the gate does not know the waivers, and
    another run that was in the way may have said GO since: none of these is a contradiction.
    """
    run, gate = (_part(document, name) for name in ("run", "gate"))
    decision = decide(
        {**document, "run": {**run, "others": []}},
        replace(rules, today=_day(gate.get("today")) or rules.today),
    )
    if decision.exit_status or (decision.waivers and run.get("is_gate") is False):
        return
    own, joint, status = run.get("own_verdict"), gate.get("verdict"), gate.get("exit_status")
    had_others = own in GOOD and joint == GateVerdict.NO_VERDICT.value
    told = {"run.own_verdict": own}
    told |= {} if had_others else {"gate.verdict": joint, "gate.exit_status": status or None}
    for name, said in told.items():
        if said is not None and said not in GOOD:
            yield (
                f"verdict.json contradicts itself: {name} is {said}, and its contents are "
                f"{decision.verdict.value}"
            )


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, Mapping) else {}


def _day(said: object) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(str(said))
    return None
