"""Writes the message to the team: what breaks, for whom, the workaround, whether the release waits.

It has at most 120 words and is a draft that a person finishes; nothing is ever sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.gate.draft_facts import (
    DRAFT,
    Raw,
    as_text,
    conflicts,
    promise,
    seen,
    waivers_of,
    whom,
    without_force,
)
from pytest_supercache.gate.evidence import rows_of
from pytest_supercache.gate.overview import in_words, what_was_tested
from pytest_supercache.gate.policy import Decision, GateVerdict, Waiver
from pytest_supercache.gate.rules import Rules
from pytest_supercache.report.page import place_in_page
from pytest_supercache.report.values import clean, harmless, pasted

WORDS_MAX = 120
_FIX = "permanent fix: "
_NAMED_MAX = 3

_DELAY = {
    GateVerdict.GO: "The release can go.",
    GateVerdict.GO_WITH_WORKAROUND: "The release may ship, but only with a workaround.",
    GateVerdict.NO_GO: "The release has to wait.",
    GateVerdict.NO_VERDICT: "Nobody can say yet whether the release may go.",
}

Part = tuple[str, bool]
"""A paragraph, and whether it may be cut if the message gets too long."""


def message(document: Mapping[str, Any], decision: Decision, rules: Rules) -> str:
    """Return a message to the team, of at most 120 words."""
    parts = [
        (as_text(clean(part)), may_be_cut)
        for part, may_be_cut in _parts(harmless(document), decision, rules)
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


def _parts(document: Raw, decision: Decision, rules: Rules) -> Iterator[Part]:
    yield f"{DRAFT}. {_delay(document, decision)}", False
    found = conflicts(document, decision, rules)
    if decision.verdict is GateVerdict.NO_GO:  # what is waived is not what the release waits for
        found = [group for group in found if not waivers_of(group[0], decision)]
    is_decided = decision.verdict is not GateVerdict.NO_VERDICT
    if not is_decided or (decision.verdict is GateVerdict.NO_GO and not found):
        yield f"Why: {decision.reasons[0].partition(';')[0].rstrip('.')}.", True
    if found:
        yield from _conflict(found, document)
        yield from _workarounds(found[0][0], decision)
        yield from _again(found[0][0])
        yield from _limits(decision)
    elif decision.verdict is GateVerdict.GO:
        yield f"{decision.reasons[0]} ({what_was_tested(document)}).", True
        yield from _limits(decision)
        yield from ((f"{told}?", True) for told in _left_over(decision, rules))
        return
    elif not is_decided and document.get("scenarios"):
        yield "No conflict was seen so far; that is no proof that there is none.", False
    if decision.verdict is GateVerdict.NO_GO and decision.waivers:
        known = [f"{waiver.issue.id} until {waiver.issue.expires}" for waiver in decision.waivers]
        yield f"Not in the way, for a workaround is in force: {in_words(known)}.", True
    yield f"Next update: TODO({_asked(found, decision)}): when?", False


def _delay(document: Raw, decision: Decision) -> str:
    """Say whether the release waits; beside a GO, name the failures that do not count."""
    broken = list(dict.fromkeys(row.id for row in rows_of(document) if row.violated))
    if decision.verdict is not GateVerdict.GO or not broken:
        return _DELAY[decision.verdict]
    more = [f"{len(broken) - _NAMED_MAX} more"] if len(broken) > _NAMED_MAX else []
    return (
        "The gate says GO. What fails, and does not count for this release: "
        f"{in_words([*broken[:_NAMED_MAX], *more])}."
    )


def _conflict(found: list[list[Raw]], document: Raw) -> Iterator[Part]:
    first, others = found[0], len(found) - 1
    told = seen(first[0])
    evidence = f" Seen in a test of {what_was_tested(document)}: {told}." if told else ""
    yield f"What breaks: {promise(first[0])}.{evidence}", True
    yield f"Who is affected: {whom(first)}.", True
    if others:
        plural = "conflict" if others == 1 else "conflicts"
        yield f"There {'is' if others == 1 else 'are'} {others} more {plural} in the report.", False


def _again(row: Raw) -> Iterator[Part]:
    """Tell developers how to see it, and how it is usually fixed for good."""
    lines = map(str, (row.get("counterexample") or {}).get("explanation") or ())
    fixes = [line.removeprefix(_FIX) for line in lines if line.startswith(_FIX)]
    if fixes:
        yield f"Usual permanent fix: {fixes[0]}.", True
    command = pasted(row.get("replay"))
    if command:
        yield f"For developers: `{command}`", False
    page = pasted(place_in_page(str(row.get("id"))))
    if page:
        yield f"Step by step, in the reports of the run: {page}", False


def _workarounds(found: Raw, decision: Decision) -> Iterator[Part]:
    if decision.verdict is GateVerdict.NO_GO:
        why = without_force(found, decision)
        told = f" ({in_words(why)})" if why else ""
        yield f"No active workaround{told}.", True
        return
    for waiver in decision.waivers:
        yield from _workaround(waiver)
    of_waivers = {one for waiver in decision.waivers for one in waiver.assumptions}
    rest = [one for one in decision.assumptions if one not in of_waivers]
    if rest:
        yield f"The rest holds while {in_words(rest)}.", True


def _workaround(waiver: Waiver) -> Iterator[Part]:
    issue = waiver.issue
    yield f"Workaround until {issue.expires}: {issue.workaround.rstrip('.')}.", True
    condition = f" while {in_words(waiver.assumptions)}" if waiver.assumptions else ""
    checked = f"It was tested in {issue.workaround_checked_by}, and holds{condition}."
    yield f"{checked} The permanent fix comes with {issue.permanent_fix.rstrip('.')}.", True


def _limits(decision: Decision) -> Iterator[Part]:
    """Yield the limits of a GO."""
    if decision.limits:
        yield f"It says less of some runs: {'; '.join(decision.limits)}.", True


def _left_over(decision: Decision, rules: Rules) -> Iterator[str]:
    """Yield questions about known issues that are fixed."""
    for issue in rules.issues:
        if issue.id in decision.fixed:
            yield (
                f"{issue.id} no longer occurs and can be closed. TODO({issue.owner}): is its "
                f"workaround ({issue.workaround.rstrip('.')}) still on"
            )


def _asked(found: list[list[Raw]], decision: Decision) -> str:
    """Return the owners who have to answer the questions."""
    owners = {waiver.issue.owner for waiver in decision.waivers}
    if decision.verdict is not GateVerdict.GO_WITH_WORKAROUND:
        owners = {str(row["owner"]) for group in found for row in group if row.get("owner")}
    return ", ".join(sorted(owners)) or "owner"
