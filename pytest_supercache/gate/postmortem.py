"""Writes the draft of a blameless post-mortem, with open questions for what only people know.

It describes systems and steps, never a person at fault; several factors and no single cause.
Where the run has no answer, the draft has a question and the role that answers it.
"""

from collections.abc import Mapping
from typing import Any

from pytest_supercache.gate.draft_facts import (
    DRAFT,
    Raw,
    as_text,
    conflicts,
    promise,
    seen,
    waivers_of,
    without_force,
)
from pytest_supercache.gate.overview import (
    extent,
    how_often_missed,
    in_words,
    variants,
    what_was_tested,
)
from pytest_supercache.gate.policy import Decision, GateVerdict
from pytest_supercache.gate.rules import Rules
from pytest_supercache.report.values import clean, harmless

_CLASS, _CAUSE, _FIX = "class", "what happened", "permanent fix"


def postmortem(document: Mapping[str, Any], decision: Decision, rules: Rules) -> str:
    """Return a blameless post-mortem of the conflict that blocks the release, or of one seen."""
    document = harmless(document)
    needing = [row for group in conflicts(document, decision, rules) for row in group[:1]]
    violated = [row for row in document.get("scenarios") or () if row.get("verdict") == "violated"]
    if not violated:
        return (
            f"# Post-mortem\n\nStatus: {DRAFT}.\n\nThis run found no conflict "
            f"({decision.verdict.value}): there is nothing to tell from it. Run it on the commit "
            "that had the conflict.\n"
        )
    row = (needing or violated)[0]
    sections = {
        "Summary": _summary(row, decision, needing[1:]),
        "Impact": _impact(document),
        "What happened": _timeline(row),
        "Trigger": _trigger(row),
        "Contributing factors": _factors(row),
        "Detection": _detection(row),
        "Response": _response(decision, row),
        "How to replay": _replay(row, document),
        "What went well, what went wrong, where we got lucky": [
            "TODO(team): what went well?",
            "TODO(team): what went wrong?",
            "TODO(team): where were we lucky, and will we be again?",
        ],
        "Action items": _actions(decision, row),
        "Supporting data": _data(document),
    }
    head = [
        f"# Post-mortem: {row.get('title') or row.get('id')}",
        f"Status: {DRAFT}. Found in the run of {document.get('when') or 'an unknown time'}, "
        f"{what_was_tested(document)}. Severity: {row.get('severity') or 'TODO(owner)'}. "
        "Authors: TODO(owner): who?",
    ]
    told = [
        f"## {name}\n\n{_paragraphs([clean(line) for line in lines])}"
        for name, lines in sections.items()
    ]
    return as_text("\n\n".join([*head, *told]) + "\n")


def _summary(row: Raw, decision: Decision, others: list[Raw]) -> list[str]:
    told = seen(row)
    system = f" in {row['system']}" if row.get("system") else ""
    lines = [f"{promise(row)}{system}{f': {told}' if told else ''}."]
    is_elsewhere = decision.verdict is GateVerdict.NO_GO and waivers_of(row, decision)
    why = ", but not because of this conflict, which is waived" if is_elsewhere else ""
    lines.append(f"The gate said {decision.verdict.value}{why}.")
    if others:
        names = in_words([str(other.get("id")) for other in others])
        lines.append(f"Other conflicts of this run want a post-mortem of their own: {names}.")
    return lines


def _impact(document: Raw) -> list[str]:
    return [
        "In this run, each conflict once:",
        *(f"- {line}" for line in extent(document)),
        "TODO(owner): how many users met it, since when, and what did it cost them?",
    ]


def _timeline(row: Raw) -> list[str]:
    found = row.get("counterexample") or {}
    steps = found.get("steps") or ()
    race = [step for step in steps if step.get("phase", "race") == "race"]
    lines = [
        f"{number}. {step.get('title') or step.get('actor')}: {step.get('label')}"
        for number, step in enumerate(race, 1)
    ]
    if not lines:
        return ["Not recorded."]
    causes = _explained(row).get(_CAUSE)
    told = [f"In words: {causes}."] if causes else []
    fewest = "; none with fewer interruptions does" if found.get("minimal") is True else ""
    return [f"An order of steps that shows it{fewest}:", *lines, *told]


def _trigger(row: Raw) -> list[str]:
    """Describe what forces the conflict; other sections have its class and its usual fixes."""
    explanation = (row.get("counterexample") or {}).get("explanation") or ()
    elsewhere = (_CLASS, _CAUSE, _FIX, "odds", "usual workaround", "users notice")
    told: list[str] = []
    for line in map(str, explanation):
        if told and line.startswith("  "):  # it goes on with the line before
            told[-1] += f", {line.strip()}"
        elif line.partition(": ")[0] not in elsewhere:
            told.append(f"- {line}")
    return [*told, "TODO(owner): what made it happen in production at that time?"]


def _factors(row: Raw) -> list[str]:
    kinds = {
        "conflict": "Each user's flow is right alone; it takes two at once.",
        "order bug": "No concurrency is needed: some orders of taking turns show it.",
        "plain bug": "No concurrency is needed: users who take turns show it.",
    }
    found = row.get("counterexample") or {}
    named = _explained(row).get(_CLASS) or found.get("conflict_class")
    flows = {s["actor"] for s in found.get("steps") or () if "@" not in s["actor"]}
    if len(flows) == 1:
        kinds["conflict"] = "The conflict needs no concurrency: one slow user is enough."
    told = [f"- {kinds[row['label']]}"] if row.get("label") in kinds else []
    told += [f"- A known class of conflict: {named}."] if named else []
    return [
        *told,
        "TODO(owner): which assumption of which layer did the change no longer keep?",
        "TODO(owner): what else made it possible: settings, load, time-outs, missing alarms?",
    ]


def _detection(row: Raw) -> list[str]:
    found = row.get("counterexample") or {}
    again = (
        f"; replayed in one process, it failed {found['replays']} times"
        if found.get("replays")
        else ""
    )
    needed = row.get("executions")
    after = f" after {needed} execution{'' if needed == 1 else 's'}" if needed else ""
    told = [f"Scenario {row.get('id')} found it{after}{again}."]
    needed = found.get("preemptions")
    if row.get("label") == "conflict" and needed:
        times = "once" if needed == 1 else f"{needed} times"
        told.append(
            f"Tests whose users take turns always miss it: somebody has to be interrupted, {times} "
            f"{'at least' if found.get('minimal') is True else 'in the order above'}."
        )
    missed = how_often_missed(row)
    told += [f"{missed}."] if missed else []
    return [*told, "TODO(owner): which test or alarm could have shown it earlier?"]


def _response(decision: Decision, row: Raw) -> list[str]:
    lines = []
    for waiver in waivers_of(row, decision):
        issue = waiver.issue
        condition = f", while {' and '.join(waiver.assumptions)}" if waiver.assumptions else ""
        lines += [
            f"- Workaround ({issue.id}), until {issue.expires}{condition}: {issue.workaround}",
            *([f"- The waiver was {waiver.committed}"] if waiver.committed else []),
            f"- Checked by {issue.workaround_checked_by}: HOLDS in this run",
            f"- Permanent fix: {issue.permanent_fix}",
        ]
    lines = lines or ["No workaround is in force for it."]
    lines += [f"- {why}" for why in without_force(row, decision)]
    return [*lines, "TODO(owner): what was done, by which team, and when?"]


def _replay(row: Raw, document: Raw) -> list[str]:
    command = row.get("replay")
    if not command:
        return ["No token was recorded."]
    return [f"On {what_was_tested(document)}:", f"`{command}`"]


def _actions(decision: Decision, row: Raw) -> list[str]:
    table = ["| action | kind | owner | ticket | due |", "|---|---|---|---|---|"]
    fixes = [
        f"| permanent fix | prevent | {_cell(issue.owner)} | {_cell(issue.permanent_fix)} "
        f"| {issue.expires} |"
        for issue in (waiver.issue for waiver in waivers_of(row, decision))
    ]
    table += fixes or [
        "| permanent fix | prevent | TODO(owner): who? | TODO(owner) | TODO(owner) |"
    ]
    table.append("| TODO(owner): how is it noticed earlier? | detect | | | |")
    usual = _explained(row).get(_FIX)
    known = [f"What usually fixes this class for good: {usual}."] if usual else []
    return [*table, *known]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _data(document: Raw) -> list[str]:
    lines = [f"- {line}" for line in variants(document)]
    return ["`verdict.json` has every step, value and version.", *lines]


def _explained(row: Raw) -> dict[str, str]:
    """Return the labelled lines of an explanation, by label."""
    explanation = (row.get("counterexample") or {}).get("explanation") or ()
    pairs = [str(line).partition(": ") for line in explanation]
    return {name: told.rstrip(".") for name, colon, told in pairs if colon}


def _paragraphs(lines: list[str]) -> str:
    """Join lines, with blank lines around lists and tables, as Markdown requires."""
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
