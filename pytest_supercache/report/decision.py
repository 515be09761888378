"""Shows the decision of the gate: the verdict, why, until when, and what it does not cover."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pytest_supercache.report.plain import Plain
from pytest_supercache.report.values import short
from pytest_supercache.report.words import count

Json = Mapping[str, Any]


def decision(gate: Json | None) -> dict[str, Plain] | None:
    """Return the decision of a document for the page; None if the gate was not asked."""
    if not gate:
        return None
    until = f" until {gate['until']}" if gate.get("until") else ""
    said = [
        ("What must be true in production", gate.get("assumptions")),
        ("What it does not cover", gate.get("limits")),
        ("What was run", gate.get("scope")),
        ("Notes", gate.get("notes")),
    ]
    return {
        "verdict": f"{gate['verdict']}{until}",
        "reasons": [short(text) for text in gate["reasons"]],
        "waivers": [_waiver(one, gate.get("today")) for one in gate.get("waivers") or ()],
        "said": [[title, [short(line) for line in lines]] for title, lines in said if lines],
    }


def _waiver(waiver: Json, today: str | None) -> dict[str, Plain]:
    facts = [
        ("approved by", waiver.get("approved_by")),
        ("owner", waiver.get("owner")),
        ("checked by", waiver.get("workaround_checked_by")),
        ("opened", waiver.get("opened")),
        ("renewed", _times(waiver.get("renewals"))),
        ("permanent fix", waiver.get("permanent_fix")),
        ("covers", ", ".join(map(str, waiver.get("scenarios") or ()))),
    ]
    return {
        "id": short(waiver.get("id", "")),
        "workaround": short(waiver["workaround"]),
        "left": short(f"until {waiver['expires']}{_left(waiver['expires'], today)}"),
        "facts": [[name, short(value)] for name, value in facts if value],
    }


def _times(number: int | None) -> str | None:
    return count(number, "time") if number else None


def _left(expires: object, today: object) -> str:
    """Return how many days are left, if both dates are dates."""
    try:
        days = (date.fromisoformat(str(expires)) - date.fromisoformat(str(today))).days
    except ValueError:
        return ""
    return f": {count(days, 'day')} left" if days >= 0 else ""
