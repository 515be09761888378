"""What the page shows, from verdict.json alone: short, printable texts, grouped by scenario.

Whoever has the file can make the page again, and nothing on it is known to the page only. Names,
keys and values belong to the code under test: here they lose what a screen cannot show and what is
too long to read; the page itself sets them as text, never as markup.
"""

from collections.abc import Mapping
from typing import Any

from pytest_supercache.report.plain import Plain
from pytest_supercache.report.player_data import player
from pytest_supercache.report.values import clean

Json = Mapping[str, Any]

TEXT_MAX = 1_000
COMMAND_MAX = 20_000  # longer ones are not cut but left out: half a token is none
_VERDICTS = ("violated", "unknown", "holds")


def page_data(document: Json) -> dict[str, Plain]:
    """Return everything that the page says, in the order in which it says it."""
    rows = document["scenarios"]
    return {
        "headline": headline(document),
        "as_stated": not any(not row["as_stated"] for row in rows),
        "about": _about(document),
        "groups": [_group(name, members) for name, members in _grouped(rows).items()],
    }


def headline(document: Json) -> str:
    """Say in one sentence what the run found: first what is not as stated."""
    rows = document["scenarios"]
    total = _count(len(rows), "scenario")
    wrong = sum(not row["as_stated"] for row in rows)
    counts = [(sum(row["verdict"] == verdict for row in rows), verdict) for verdict in _VERDICTS]
    found = ", ".join(f"{count} {verdict.upper()}" for count, verdict in counts if count)
    if not rows:
        return "No scenario was run"
    stated = f"{wrong} of {total} not as stated" if wrong else f"{total}, all as stated"
    return f"{stated}: {found}"


def short(value: object, limit: int = TEXT_MAX) -> str:
    """Return text for one line of the page, and say what was left out."""
    text = value if isinstance(value, str) else str(value)
    if len(text) <= limit:
        return clean(text)
    return f"{clean(text[:limit])} ... ({len(text) - limit:,} more characters in verdict.json)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _about(document: Json) -> list[Plain]:
    commit = document.get("commit")
    changed = " with changes" if document.get("dirty") else ""
    versions = document.get("versions") or {}
    said = [
        ("when", document.get("when")),
        ("build", document.get("build")),
        ("commit", f"{commit}{changed}" if commit else None),
        ("seed", document.get("seed")),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items()) or None),
    ]
    return [[name, short(value)] for name, value in said if value is not None]


def _grouped(rows: list[Json]) -> dict[str, list[Json]]:
    """Bring the variants of one scenario together: what differs stands in the brackets."""
    groups: dict[str, list[Json]] = {}
    for row in rows:
        groups.setdefault(str(row["id"]).partition("[")[0], []).append(row)
    return groups


def _group(name: str, rows: list[Json]) -> dict[str, Plain]:
    return {
        "id": short(name),
        "title": short(rows[0]["title"]),
        "story": short(rows[0].get("story") or "", 4 * TEXT_MAX),
        "variants": [_variant(row) for row in rows],
    }


def _variant(row: Json) -> dict[str, Plain]:
    found = row["counterexample"]
    facts = [
        ("system", row["system"]),
        ("severity", row.get("severity")),
        ("owner", row.get("owner")),
        ("tags", ", ".join(map(str, row.get("tags") or ()))),
        ("odds", _odds(row)),
        ("file", f"{row['path']}:{row['line']}" if row.get("path") and row.get("line") else None),
    ]
    return {
        "id": short(row["id"]),
        "verdict": row["verdict"],
        "as_stated": row["as_stated"],
        "stated": row["stated"],
        "label": row["label"],
        "guarantee": row["guarantee"],
        "coverage": short(row["coverage"]),
        "why": [short(text) for text in (*row["reasons"], *row["notes"])],
        "facts": [[name, short(value)] for name, value in facts if value],
        "links": [[short(kind), short(where)] for kind, where in (row.get("links") or {}).items()],
        "conflict": _conflict(row, found) if found else None,
    }


def _odds(row: Json) -> str | None:
    odds = row.get("odds")
    return f"{odds['share']}, {odds['condition']}" if odds else None


def _conflict(row: Json, found: Json) -> dict[str, Plain]:
    count = found["preemptions"]
    fewest = ", and no schedule with fewer fails" if found["minimal"] else ""
    return {
        "summary": short(found["violation"]["summary"]),
        "replays": f"replays {found['replays']}; {_count(count, 'preemption')}{fewest}",
        "explanation": [short(line) for line in found.get("explanation") or ()],
        "token": _copied(found["token"]),
        "command": _copied(row.get("replay")),
        "player": player(found, short),
    }


def _copied(text: str | None) -> Plain:
    """Return what is shown and what a button copies: the latter must be exact."""
    if text is None or len(text) > COMMAND_MAX:
        return None
    return [short(text, COMMAND_MAX), text]
