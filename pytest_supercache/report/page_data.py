"""Makes the data of the page from verdict.json alone: short, printable texts by scenario.

The page can be made again from the file, and has no facts of its own. Names, keys and values belong
to the code under test: here they lose what a screen cannot show and what is too long to read; the
page itself shows them as text, never as markup.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_supercache.core.verdict import SEVERITIES
from pytest_supercache.report.complaints import short_lines
from pytest_supercache.report.conflict_markdown import conflict_markdown
from pytest_supercache.report.decision import decision
from pytest_supercache.report.last_run import since_last_run
from pytest_supercache.report.plain import Plain
from pytest_supercache.report.player_data import WITHOUT_STEPS, players
from pytest_supercache.report.values import TEXT_MAX, pasted, short
from pytest_supercache.report.words import (
    count,
    expected,
    headline,
    label_in_words,
    minute,
    preempted,
)

Json = Mapping[str, Any]

PLAYERS_MAX = 1_250_000  # characters of all steps; a page over 2 MB is no page
COMMIT_SHOWN = 12
LINES_MAX = 10  # of what pytest says of an assertion
COMMAND_MAX = 20_000
_NAMED = re.compile(r"([a-z ]{3,20}): (.+)")
_VERDICTS = ("violated", "unknown", "holds")
_ADVICE = ("users notice", "usual workaround", "permanent fix")


def page_data(document: Json) -> dict[str, Plain]:
    """Return the data of the page, in the order of its sections."""
    rows = document["scenarios"]
    since = since_last_run(document)
    changed = since.rows if since else {}
    groups = [_group(name, members, changed) for name, members in _grouped(rows).items()]
    groups.sort(key=_urgency)
    _fit([variant for group in groups for variant in group["variants"]])
    return {
        "title": _title(document),
        "headline": headline(document),
        "kind": _kind(document),
        "gate": decision(document.get("gate")),
        "since": since.sentence if since else None,
        "about": _about(document),
        "groups": list[Plain](groups),
    }


def _title(document: Json) -> str:
    verdict = (document.get("gate") or {}).get("verdict")
    return short(f"{verdict or headline(document)} - supercache")


def _urgency(group: dict[str, Any]) -> tuple[bool, bool, int]:
    """Return the sort key of a scenario: what is not as expected first, then the severe ones."""
    variants = group["variants"]
    severe = min(SEVERITIES.index(str(one["severity"] or "normal")) for one in variants)
    return all(one["as_stated"] for one in variants), not _has_conflict(variants), severe


def _has_conflict(variants: list[dict[str, Any]]) -> bool:
    return any(one["conflict"] for one in variants)


def _kind(document: Json) -> str:
    """Return how the page looks at first sight: ``good``, ``bad``, or ``open`` where neither is."""
    gate, rows = document.get("gate"), document["scenarios"]
    if gate:
        is_good = gate["exit_status"] == 0
        return "bad" if not is_good else "open" if gate["verdict"] != "GO" else "good"
    if any(not row["as_stated"] for row in rows):
        return "bad"
    return "good" if rows and all(row["verdict"] == "holds" for row in rows) else "open"


def _fit(variants: list[dict[str, Any]]) -> None:
    """Drop the steps of the last conflicts if there are too many for one page."""
    left = PLAYERS_MAX
    for variant in sorted(variants, key=lambda one: bool(one["as_stated"])):
        conflict = variant["conflict"]
        if conflict is None:
            continue
        size = len(json.dumps([conflict[part] for part in WITHOUT_STEPS]))
        if size > left:
            conflict.update(WITHOUT_STEPS)
        else:
            left -= size


def _about(document: Json) -> list[Plain]:
    commit = document.get("commit")
    changed = " with changes" if document.get("dirty") else ""
    versions = document.get("versions") or {}
    said = [
        ("when", minute(document.get("when"))),
        ("build", document.get("build")),
        ("commit", f"{str(commit)[:COMMIT_SHOWN]}{changed}" if commit else None),
        ("seed", document.get("seed")),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions.items()) or None),
    ]
    return [[name, short(value)] for name, value in said if value is not None]


def _grouped(rows: list[Json]) -> dict[str, list[Json]]:
    """Group the variants of one scenario, which differ in the part in brackets."""
    groups: dict[str, list[Json]] = {}
    for row in rows:
        groups.setdefault(str(row["id"]).partition("[")[0], []).append(row)
    return groups


def _group(name: str, rows: list[Json], changed: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": short(name),
        "anchor": short(name),
        "title": short(rows[0]["title"]),
        "story": short(rows[0].get("story") or "", 4 * TEXT_MAX),
        "variants": [
            _variant(row) | {"since": short(changed.get(str(row["id"]), ""))}
            for row in sorted(rows, key=_rank)
        ],
    }


def _rank(row: Json) -> tuple[int, float]:
    """Return the sort key that puts failures first, and those of most schedules before others."""
    return _VERDICTS.index(row["verdict"]), -(_percent(row) or 0.0)


def _variant(row: Json) -> dict[str, Plain]:
    found = row["counterexample"]
    base = str(row["id"]).partition("[")[0]
    facts = [
        ("system", row["system"]),
        ("severity", row.get("severity")),
        ("owner", row.get("owner")),
        ("tags", ", ".join(map(str, row.get("tags") or ()))),
        ("file", f"{row['path']}:{row['line']}" if row.get("path") and row.get("line") else None),
        ("executions", f"{row['executions']:,}"),
    ]
    label = label_in_words(row["label"]) if row["label"] else ""
    said = f"{expected(row)}. {label[:1].upper()}{label[1:]}." if label else expected(row)
    return {
        "id": short(row["id"]),
        "group": short(base),
        "anchor": short(anchor_of(str(row["id"]))),
        "name": short(_difference(row)),
        "verdict": row["verdict"],
        "as_stated": row["as_stated"],
        "severity": row.get("severity"),
        "guarantee": row["guarantee"],
        "expected": short(said),
        "percent": _percent(row),
        "share": short(_share(row)),
        "counts": [[name, short(value)] for name, value in _counts(row) if value],
        "coverage": short(row["coverage"]),
        "why": [short(text) for text in (*row["reasons"], *row["notes"])],
        "facts": [[name, short(value)] for name, value in facts if value],
        "links": [[short(kind), short(where)] for kind, where in (row.get("links") or {}).items()],
        "conflict": _conflict(row, found) if found else None,
    }


def anchor_of(item: str) -> str:
    """Return the address of an item in the page: ``PRICE-07/reference.naive``."""
    base, bracket, variant = item.partition("[")
    return f"{base}/{variant.removesuffix(']')}" if bracket else base


def _difference(row: Json) -> str:
    """Return the part of a variant's name in brackets, or its whole name."""
    inside = str(row["id"]).partition("[")[2].removesuffix("]")
    return inside or str(row["id"])


def _percent(row: Json) -> float | None:
    """Return the percentage of all schedules that fail, if it is known exactly."""
    share = row.get("share")
    if share and share["schedules"]:
        return float(round(100 * share["failing_schedules"] / share["schedules"], 3))
    return 0.0 if row["verdict"] == "holds" and row["exhausted"] else None


def _share(row: Json) -> str:
    """Return how much fails, in one line."""
    share = row.get("share")
    if share:
        failing = f"{share['failing']:,} of {share['interleavings']:,} interleavings fail"
        percent = _percent(row)
        return failing if percent is None else f"{failing}, {percent:.3g} % of all schedules"
    if row["verdict"] == "holds" and row["exhausted"]:
        return f"none of {row['interleavings'] or row['executions']:,} interleavings fails"
    if row["verdict"] == "violated":
        return "a failing interleaving was found; not all of them were executed"
    return f"{row['executions']:,} executions, not all interleavings"


def _counts(row: Json) -> list[tuple[str, str | None]]:
    """Return the numbers beside the coverage: how likely it is, and on what condition."""
    share, found, odds = row.get("share"), row["counterexample"], row.get("odds")
    total = share["schedules"] if share else row["schedules"] if row["exhausted"] else None
    failing = share["failing_schedules"] if share else 0
    return [
        ("schedules", None if total is None else f"{failing:,} of {total:,} fail"),
        ("odds", f"{odds['share']}, {odds['condition']}" if odds else None),
        ("it takes", count(found["preemptions"], "preemption") if found else None),
        ("while", (row.get("scope") or {}).get("assumption")),
    ]


def _conflict(row: Json, found: Json) -> dict[str, Plain]:
    told, other = _told(found.get("explanation") or ())
    needs = preempted(found["preemptions"], found["minimal"])
    if found.get("faults"):
        told.insert(0, ("fault", "; ".join(map(str, found["faults"]))))
    return {
        "summary": "\n".join(map(short, short_lines(found["violation"]["summary"], LINES_MAX))),
        "slug": short(found["conflict_class"]) if found.get("conflict_class") else None,
        "replays": f"replays {found['replays']} in one process; {needs}",
        "advice": [[name, short(text)] for name, text in told if name in _ADVICE],
        "told": [[name, short(text)] for name, text in told if name not in _ADVICE],
        "other": [] if found.get("forced_by") else [short(line) for line in other],
        "token": _copied(found["token"]),
        "command": _copied(row.get("replay")),
        "markdown": conflict_markdown(row, found),
        **players(found, short),
    }


def _told(lines: Iterable[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Split an explanation into labelled lines (``class: ...``) and the other sentences."""
    told, other = [], []
    for line in lines:
        match = _NAMED.fullmatch(line)
        if match:
            told.append((match[1], match[2]))
        else:
            other.append(line)
    return told, other


def _copied(text: str | None) -> Plain:
    """Return the text to show and the text to copy, which must be exact."""
    shown = pasted(text, COMMAND_MAX)
    return None if shown is None else [shown, text]
