"""Says results in words for people who do not know the tool: expected, proven, known conflict."""

import re
from collections.abc import Mapping
from typing import Any

from pytest_supercache.report.document_digest import shard_part

Json = Mapping[str, Any]

_BROKEN = {
    "answers": "an error that nobody expects, or a wait that nobody ends",
    "expect": "an answer is not what the scenario expects",
    "test body": "the test fails",
    "coherent_when_settled": "caches stay inconsistent after settling",
    "read_your_writes": "a user does not see the own change",
    "monotonic_reads": "a user sees an older value after a newer one",
    "monotonic_writes": "writes take effect out of order",
    "linearizable": "no single order explains the answers",
    "sequentially_consistent": "no order of all operations explains the answers",
    "bounded_staleness": "an answer is outdated for too long",
    "no_lost_invalidation": "a layer never drops an outdated value",
    "max_loads": "the origin is loaded too often",
    "isolated_users": "a user is shown what belongs to another",
    "no_resurrection": "a deleted value comes back",
    "ttl_respected": "a value is shown past its time to live",
    "read_atomic": "an answer mixes the states before and after one transaction",
    "durable_writes": "an acknowledged write is lost",
    "no_dirty_reads": "an answer shows what was never committed",
    "revocation_holds": "what was revoked is still accepted",
    "cap_holds": "more are admitted than allowed",
    "no_lost_field": "a write of one field undoes the write of another",
}
EXPECTED = {"holds": "expected to hold", "violated": "expected to be violated"}
"""What a scenario states, in words."""

_LABELS = {
    "conflict": "conflict: it passes in every one-at-a-time order, fails only when users overlap",
    "order bug": "order bug: it fails in some one-at-a-time orders, so no overlap is needed",
    "plain bug": "plain bug: it fails in every one-at-a-time order, so no overlap is needed",
    "fault bug": "fault bug: with this fault it fails even when users take turns",
}
SLOW = "conflict: one slow user is enough, and no overlap is needed"
"""The label of a conflict of a single flow."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 scenario``, ``2 scenarios``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def minute(when: str | None) -> str | None:
    """Return a time as a person reads it; a text in another format than ours as it is."""
    ours = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:[.]\d+)?[+]00:00", when or "")
    return f"{ours[1]} {ours[2]} UTC" if ours else when


def broken(guarantee: str | None) -> str:
    """Return what the violation of a guarantee means for users."""
    return _BROKEN.get(guarantee or "", f"{guarantee} does not hold")


def label_in_words(label: str) -> str:
    """Return what a label means: whether the failure needs users who overlap."""
    return _LABELS[label]


def expected(row: Json) -> str:
    """Return the verdict of a row beside what its scenario expects."""
    verdict, stated = row["verdict"], row["stated"]
    if verdict == "unknown":
        return "Not decided"
    if row["as_stated"]:
        known = f"Known conflict, reproduced: {broken(row['guarantee'])}"
        return known if verdict == "violated" else "Proven to hold, as expected"
    if verdict == "holds":
        return "A conflict was expected, but it holds"
    if stated == "violated":
        return f"Another conflict than expected: {broken(row['guarantee'])}"
    return f"Expected to hold, but violated: {broken(row['guarantee'])}"


def preempted(preemptions: int, is_fewest: object) -> str:
    """Return how many context switches away from a user that could go on the conflict needs.

    ``is_fewest``: every schedule with fewer was executed, and held.
    """
    if not preemptions:
        return "needs no preemption"
    return f"needs {count(preemptions, 'preemption')}{', the minimum' if is_fewest else ''}"


def headline(document: Json) -> str:
    """Return the result of a run in one sentence, with what is not as expected first."""
    part, said = shard_part(document), _headline(document)
    if part is None:
        return said
    return f"Shard {part['index']} of {part['count']}: {said[0].lower()}{said[1:]}"


def _headline(document: Json) -> str:
    rows = document["scenarios"]
    if not rows:
        return "No scenario was run"
    waived = {str(one["match"]) for one in (document.get("gate") or {}).get("waivers") or ()}
    wrong = [row for row in rows if not row["as_stated"]]
    fine = _listed(
        (
            sum(_is_known(row) for row in rows),
            "known conflict reproduced",
            "known conflicts reproduced",
        ),
        (sum(_holds(row) for row in rows), "proven to hold", "proven to hold"),
    )
    if not wrong:
        return f"As expected: {fine}"
    violated = [row for row in wrong if row["verdict"] == "violated"]
    covered = sum(str(row["counterexample"]["fingerprint"]) in waived for row in violated)
    bad = _listed(
        (len(violated) - covered, "conflict", "conflicts"),
        (covered, "conflict with a workaround in force", "conflicts with a workaround in force"),
        (sum(row["verdict"] == "unknown" for row in wrong), "not decided", "not decided"),
        (
            sum(row["verdict"] == "holds" for row in wrong),
            "known conflict gone",
            "known conflicts gone",
        ),
    )
    rest = f"; as expected: {fine}" if fine else ""
    return f"{len(wrong)} of {count(len(rows), 'scenario')} not as expected: {bad}{rest}"


def _is_known(row: Json) -> bool:
    return bool(row["as_stated"]) and row["verdict"] == "violated"


def _holds(row: Json) -> bool:
    return bool(row["as_stated"]) and row["verdict"] == "holds"


def _listed(*counts: tuple[int, str, str]) -> str:
    return ", ".join(_counted(*one) for one in counts if one[0])


def _counted(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
