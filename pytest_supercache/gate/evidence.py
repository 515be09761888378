"""Rates the rows of ``verdict.json`` as evidence: which count, and which prove something.

Only HOLDS after an exhausted search is evidence. Every unrecognised value counts as unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.verdict import SEVERITIES
from pytest_supercache.report.document_digest import DIGEST, shard_part

MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions that reading a malformed document raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finished item, with the fields that the gate needs."""

    id: str
    system: str
    verdict: str  # holds, violated; anything else is unknown
    stated: str | None = None
    as_stated: bool = False
    severity: str | None = None
    fingerprint: str | None = None
    former_fingerprints: tuple[str, ...] = ()
    guarantee: str | None = None
    conflict_class: str | None = None
    assumption: str | None = None
    reasons: tuple[str, ...] = ()
    node_id: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    flow: str | None = None  # the digest of what was searched

    @property
    def holds(self) -> bool:
        """Whether the guarantees were proved within the bounds."""
        return self.verdict == "holds"

    @property
    def is_stated_otherwise(self) -> bool:
        """Whether a conflict that the scenario states does not occur: pytest reports a failure.

        The code may be better than its file says, or the scenario no longer triggers the conflict.
        """
        return self.holds and self.stated == "violated"

    @property
    def proves(self) -> bool:
        """Whether this is evidence for a release."""
        return self.holds and not self.is_stated_otherwise

    @property
    def violated(self) -> bool:
        """Whether a violation of a guarantee was seen."""
        return self.verdict == "violated"

    @property
    def what_broke(self) -> str:
        """The guarantee and, if known, the class of the conflict."""
        named = f" ({self.conflict_class})" if self.conflict_class else ""
        return f"{self.guarantee or 'a guarantee'}{named}"


def rows_of(document: Mapping[str, Any]) -> list[Row]:
    """Read the rows of a verdict document."""
    return [_row(row) for row in document.get("scenarios") or ()]


def _row(row: Mapping[str, Any]) -> Row:
    found = row.get("counterexample") or {}
    scope = row.get("scope") or {}
    verdict = str(row.get("verdict"))
    reasons = tuple(str(reason) for reason in row.get("reasons") or ())
    if verdict == "holds" and row.get("exhausted") is not True:
        verdict, reasons = "unknown", ("HOLDS without an exhausted search is no proof",)
    elif verdict == "holds" and (found or row.get("violating")):
        verdict, reasons = "unknown", ("HOLDS with a counterexample contradicts itself",)
    elif verdict == "holds" and (nothing := _nothing_tried(row, scope)):
        verdict, reasons = "unknown", (nothing,)
    return Row(
        id=str(row.get("id")),
        node_id=str(row.get("node_id", "")),
        system=str(row.get("system") or ""),
        verdict=verdict,
        stated=row.get("stated"),
        as_stated=row.get("as_stated") is True,
        severity=row.get("severity"),
        fingerprint=str(found["fingerprint"]) if found.get("fingerprint") else None,
        former_fingerprints=tuple(map(str, found.get("former_fingerprints") or ())),
        guarantee=row.get("guarantee"),
        conflict_class=found.get("conflict_class"),
        assumption=scope.get("assumption"),
        reasons=reasons,
        scope=scope,
        flow=(row.get("flow") or {}).get("digest"),
    )


def _nothing_tried(row: Mapping[str, Any], scope: Mapping[str, Any]) -> str | None:
    """Say why HOLDS is no evidence although everything was executed.

    A test in Python needs no operations: its code may access nothing but memory.
    """
    reaches = scope.get("reaches")
    if not row.get("system"):
        if reaches == "nothing" or scope.get("idle"):
            return "its actors touched no layer, no lock and no memory, so nothing was tried"
        return None
    if scope.get("operations") == 0:
        return "no operation reached the system, so nothing was tried"
    if reaches not in {None, "memory"}:
        return (
            "its operations came to no layer and wrote nothing, so nothing was tried: see whether "
            "they reach the system (a wrong route, a name that is not there, an error that is "
            "swallowed)"
        )
    if reaches == "memory" and scope.get("given"):
        return (
            "its operations came to no layer, although the file says what the layers hold: see "
            "whether they reach the system; if its memory is all they use, leave `given` out"
        )
    if in_vain := scope.get("given in vain"):
        return (
            f"its file says what the layers hold, and nothing touched any of it ({in_vain}): see "
            "whether the keys are those that the users and the system use"
        )
    return None


LEFT_OUT = "left out"
"""The verdict of an item that was collected and not run."""


def left_out_of(run: Mapping[str, Any] | None) -> list[Row]:
    """Return the items that were collected and not run, as rows that prove nothing."""
    return [
        Row(id=str(one["id"]), node_id=str(one["node_id"]), system="", verdict=LEFT_OUT)
        for one in (run or {}).get("left_out") or ()
    ]


def contradictions(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield each contradiction inside a document: it was edited, or is truncated."""
    rows = document.get("scenarios") or ()
    verdicts = [row.get("verdict") for row in rows]
    for verdict in ("holds", "violated", "unknown"):
        told = (document.get("counts") or {}).get(verdict, verdicts.count(verdict))
        if told != verdicts.count(verdict):
            yield (
                f"verdict.json contradicts itself: it counts {told} {verdict.upper()} and has "
                f"{verdicts.count(verdict)}"
            )
    if document.get(DIGEST) is not None and shard_part(document) is None:
        yield "verdict.json contradicts itself: it has the digest of a shard and is of none"
    run = document["run"] if isinstance(document.get("run"), Mapping) else {}
    failures = ("failed", "broken", "crashed", "unexplained")
    explained = any(run.get(name) for name in failures)
    if run.get("exit_status") == 1 and not explained and all(row.get("as_stated") for row in rows):
        yield "verdict.json contradicts itself: pytest ended with 1 and nothing in it failed"


def counting_systems(rows: Iterable[Row], release: Sequence[str]) -> set[str]:
    """Return the systems whose scenarios are evidence for the release."""
    if release:
        return set(release)
    rows = list(rows)
    documented = {row.system for row in rows if row.stated == "violated"}
    return {row.system for row in rows} - documented


def blocks(row: Row, counting: set[str], minimum: str | None) -> bool:
    """Say whether a row that does not hold blocks the release.

    A documented conflict of a system that does not ship does not block; a failed item always does.
    A row without a severity, or with an unknown one, is never below the minimum.
    """
    if row.holds or is_below(row, minimum):
        return False
    documented = row.violated and row.stated == "violated" and row.as_stated
    return not documented or row.system in counting


def is_below(row: Row, minimum: str | None) -> bool:
    """Say whether a row's severity is below the minimum of the gate."""
    if minimum is None or row.severity not in SEVERITIES:
        return False
    return SEVERITIES.index(row.severity) > SEVERITIES.index(minimum)


def named(rows: Iterable[Row], name: str) -> list[Row]:
    """Return the rows that a waiver names: the run of that name, or all runs of that scenario."""
    rows = list(rows)
    exact = [row for row in rows if name in {row.id, row.node_id}]
    return exact or [row for row in rows if row.id.startswith(f"{name}[")]


def base_id(name: str) -> str:
    """Return the scenario's id, without system and case, from the name of a run."""
    return name.partition("[")[0]
