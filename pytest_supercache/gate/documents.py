"""Drafts that a person finishes: the message to the team, and the post-mortem.

Only what the run knows is told; the rest is a question to somebody, ``TODO(owner): ...``. Nothing
is ever sent.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.gate.evidence import blocks, counting_systems, rows_of
from pytest_supercache.gate.overview import extent, how_often_missed, variants
from pytest_supercache.gate.policy import Decision, GateVerdict, Rules
from pytest_supercache.report.values import harmless

WORDS_MAX = 120
NAMES = ("message.md", "postmortem.md")
"""The files that the drafts are written to."""

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_DRAFT = "DRAFT, not sent"

_DELAY = {
    GateVerdict.GO: "The release can go.",
    GateVerdict.GO_WITH_WORKAROUND: "The release can go with a workaround.",
    GateVerdict.NO_GO: "The release has to wait.",
    GateVerdict.NO_VERDICT: "Nobody can say yet whether the release may go.",
}


def texts(document: Mapping[str, Any], decision: Decision, rules: Rules) -> dict[str, str]:
    """Return the drafts by the names of their files."""
    drafts = (message(document, decision, rules), postmortem(document, decision, rules))
    return dict(zip(NAMES, drafts, strict=True))


def message(document: Mapping[str, Any], decision: Decision, rules: Rules) -> str:
    """Return a message to the team, of at most 120 words."""
    parts = [
        (_as_text(part), may_be_cut)
        for part, may_be_cut in _message_parts(harmless(document), decision, rules)
    ]
    while True:
        text = "\n\n".join(part for part, _ in parts) + "\n"
        if len(text.split()) <= WORDS_MAX:
            return text
        longest = max(parts, key=lambda part: (part[1], len(part[0].split())))
        at = parts.index(longest)
        words = longest[0].split()
        keep = max(5, len(words) - 1 - (len(text.split()) - WORDS_MAX))
        parts[at] = (f"{' '.join(words[:keep])} ...", False)


def _message_parts(
    document: Mapping[str, Any], decision: Decision, rules: Rules
) -> Iterator[tuple[str, bool]]:
    """Yield paragraphs, and whether one may be cut when the message gets too long."""
    yield f"{_DRAFT}. {_DELAY[decision.verdict]}", False
    rows = _standing_in_the_way(document, rules)
    if rows:
        yield f"What breaks: {_promise(rows[0])}.", True
        names = sorted({str(row["id"]).partition("[")[0] for row in rows})
        met = " when they meet in one particular order" if _needs_two(rows) else ""
        yield f"For whom: users who do what {', '.join(names)} describes{met}.", True
    if decision.waivers:
        for waiver in decision.waivers:
            yield f"Workaround until {waiver.issue.expires}: {waiver.issue.workaround}.", True
        if decision.assumptions:
            yield f"It holds while {' and '.join(decision.assumptions)}.", True
        owners = sorted({waiver.issue.owner for waiver in decision.waivers})
        yield f"Next update: TODO({', '.join(owners)}): when?", False
        return
    if decision.verdict is not GateVerdict.GO:
        if rows:
            yield "Workaround: none that is in force.", False
        else:
            yield f"Why: {decision.reasons[0]}.", True
        owners = sorted({str(row["owner"]) for row in rows if row.get("owner")})
        yield f"Next update: TODO({', '.join(owners) or 'owner'}): when?", False


def postmortem(document: Mapping[str, Any], decision: Decision, rules: Rules) -> str:
    """Return a blameless post-mortem with what the run knows filled in."""
    document = harmless(document)
    rows = _standing_in_the_way(document, rules) or [
        row for row in document.get("scenarios") or () if row.get("verdict") == "violated"
    ]
    if not rows:
        return (
            f"# Post-mortem\n\nStatus: {_DRAFT}.\n\nThis run found no conflict "
            f"({decision.verdict.value}): there is nothing to tell from it. Run it on the commit "
            "that had the conflict.\n"
        )
    row = rows[0]
    sections = {
        "Summary": _summary(row, decision),
        "Impact": _impact(document),
        "What happened": _timeline(row),
        "Trigger": _trigger(row),
        "Contributing factors": _factors(row),
        "Detection": _detection(row),
        "Response": _response(decision),
        "How to replay": [f"`{row.get('replay')}`" if row.get("replay") else "No token."],
        "What went well, what went wrong, where we got lucky": [
            "TODO(team): what went well?",
            "TODO(team): what went wrong?",
            "TODO(team): where were we lucky, and will we be again?",
        ],
        "Action items": _actions(decision),
        "Supporting data": _data(document),
    }
    head = [
        f"# Post-mortem: {row.get('title') or row.get('id')}",
        f"Status: {_DRAFT}. Found in the run of {document.get('when') or 'an unknown time'}, "
        f"commit {document.get('commit') or 'unknown'}. Severity: "
        f"{row.get('severity') or 'TODO(owner)'}. Authors: TODO(owner): who?",
    ]
    told = [f"## {name}\n\n{_paragraphs(lines)}" for name, lines in sections.items()]
    return _as_text("\n\n".join([*head, *told]) + "\n")


def _as_text(markdown: str) -> str:
    """Let nothing begin a tag: what the code under test holds is no markup."""
    return _TAG.sub("&lt;", markdown)


def _standing_in_the_way(document: Mapping[str, Any], rules: Rules) -> list[Mapping[str, Any]]:
    """Return the violated rows that need a waiver, whether they have one or not."""
    rows = rows_of(document)
    counting = counting_systems(rows, rules.release)
    pairs = zip(document.get("scenarios") or (), rows, strict=True)
    return [
        raw for raw, row in pairs if row.violated and blocks(row, counting, rules.minimum_severity)
    ]


def _needs_two(rows: list[Mapping[str, Any]]) -> bool:
    return all(row.get("label") == "conflict" for row in rows)


def _promise(row: Mapping[str, Any]) -> str:
    title = str(row.get("title") or row.get("id")).rstrip(".")
    return f'"{title}" is not always true'


def _summary(row: Mapping[str, Any], decision: Decision) -> list[str]:
    violation = (row.get("counterexample") or {}).get("violation") or {}
    summary = violation.get("summary")
    told = [f"{_promise(row)}."]
    return [*told, *([f"Seen: {summary}."] if summary else []), f"Gate: {decision.verdict.value}."]


def _impact(document: Mapping[str, Any]) -> list[str]:
    return [
        *(f"- {line}" for line in extent(document)),
        "TODO(owner): how many users met it, since when, and what did it cost them?",
    ]


def _timeline(row: Mapping[str, Any]) -> list[str]:
    steps = (row.get("counterexample") or {}).get("steps") or ()
    race = [step for step in steps if step.get("phase", "race") == "race"]
    lines = [
        f"{number}. {step.get('title') or step.get('actor')}: {step.get('label')}"
        for number, step in enumerate(race, 1)
    ]
    return ["The smallest interleaving that shows it:", *lines] if lines else ["Not recorded."]


def _trigger(row: Mapping[str, Any]) -> list[str]:
    explanation = (row.get("counterexample") or {}).get("explanation") or ()
    named = (row.get("counterexample") or {}).get("conflict_class")
    told = [f"- {line}" for line in explanation if not str(line).startswith("odds: ")]
    class_ = [f"Class of the conflict: {named}."] if named else []
    return [*class_, *told, "TODO(owner): what made it happen in production at that time?"]


def _factors(row: Mapping[str, Any]) -> list[str]:
    kinds = {
        "conflict": "Each user's flow is right alone; it takes two at once.",
        "order bug": "No concurrency is needed: some orders of taking turns show it.",
        "plain bug": "No concurrency is needed: users who take turns show it.",
    }
    told = [kinds[row["label"]]] if row.get("label") in kinds else []
    return [
        *told,
        "TODO(owner): which assumption of which layer did the change no longer keep?",
        "TODO(owner): what else made it possible: settings, load, time-outs, missing alarms?",
    ]


def _detection(row: Mapping[str, Any]) -> list[str]:
    found = row.get("counterexample") or {}
    again = f"; it replayed {found['replays']}" if found.get("replays") else ""
    told = [f"Scenario {row.get('id')} found it after {row.get('executions')} executions{again}."]
    needed = found.get("preemptions")
    if row.get("label") == "conflict" and needed:
        times = "once" if needed == 1 else f"{needed} times"
        told.append(
            f"A test would have missed it unless somebody was interrupted {times}, at exactly "
            "these steps; tests whose users take turns miss it always."
        )
    missed = how_often_missed(row)
    told += [f"{missed}."] if missed else []
    return [*told, "TODO(owner): which test or alarm could have shown it earlier?"]


def _response(decision: Decision) -> list[str]:
    lines = []
    for waiver in decision.waivers:
        issue = waiver.issue
        condition = f", while {' and '.join(waiver.assumptions)}" if waiver.assumptions else ""
        lines += [
            f"- Workaround ({issue.id}), until {issue.expires}{condition}: {issue.workaround}",
            *([f"- The waiver was {waiver.committed}"] if waiver.committed else []),
            f"- Checked by {issue.workaround_checked_by}: HOLDS in this run",
            f"- Permanent fix: {issue.permanent_fix}",
        ]
    return lines or ["No workaround is in force.", "TODO(owner): what was done, and when?"]


def _actions(decision: Decision) -> list[str]:
    table = ["| action | kind | owner | ticket | due |", "|---|---|---|---|---|"]
    for waiver in decision.waivers:
        issue = waiver.issue
        table.append(
            f"| permanent fix | prevent | {issue.owner} | {issue.permanent_fix} | {issue.expires} |"
        )
    if not decision.waivers:
        table.append("| permanent fix | prevent | TODO(owner): who? | TODO(owner) | TODO(owner) |")
    return [*table, "| TODO(owner): how is it noticed earlier? | detect | | | |"]


def _data(document: Mapping[str, Any]) -> list[str]:
    lines = [f"- {line}" for line in variants(document)]
    return ["`verdict.json` has every step, value and version.", *lines]


def _paragraphs(lines: list[str]) -> str:
    """Join lines; a list or a table stands apart from what is around it, as Markdown wants."""
    text = ""
    for before, line in zip(["", *lines], lines, strict=False):
        text += _gap(before, line) + line
    return text


def _gap(before: str, line: str) -> str:
    if not before:
        return ""
    return "\n" if _is_listed(before) and _is_listed(line) else "\n\n"


def _is_listed(line: str) -> bool:
    return line.startswith(("- ", "|")) or line.partition(".")[0].isdecimal()
