"""A verdict document with one row of every kind, and the same with hostile texts everywhere."""

from dataclasses import replace
from typing import Any

from pytest_supercache.core.trace import SourceLine
from pytest_supercache.report.verdict_json import finding_row, verdict_document
from tests.unit.report.report_stories import holds, stale_set, unknown, violated

SCOPE: dict[str, Any] = {
    "build": "4711",
    "commit": "0123abc",
    "dirty": False,
    "when": "2026-11-25T12:00:00+00:00",
    "seed": 0,
    "versions": {"python": "3.13.0", "pytest-supercache": "0.1.0"},
    "run": {"finished": True, "exit_status": 1},
}

WAIVER = {
    "id": "KI-1", "match": "feedfeedfeed", "workaround": "set cache.l1=off",
    "workaround_checked_by": "PRICE-W", "owner": "karim", "approved_by": "betty",
    "opened": "2026-11-20", "expires": "2026-12-01", "permanent_fix": "CACHE-401",
}  # fmt: skip
GATE = {
    "verdict": "NO-GO", "exit_status": 1, "reasons": ["PRICE-07[reference.naive]: VIOLATED"],
    "notes": [], "until": None, "assumptions": [], "waivers": [WAIVER], "scope": [],
    "counting": ["reference.naive"], "today": "2026-11-25",
}  # fmt: skip

HOSTILE = (
    "</script><script>alert(1)</script> \"'&<>` ``` | # [a](http://b) ::error::x %0A "
    "\x1b[31mred\x1b[0m \u202eevil\u202c ]]> \n## x\r\n\x00 \ud800 \u2028 ''' \"\"\" \\"
)


def document(rows: list[Any] | None = None, gate: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a run leaves, with one row of every kind if nothing else is said."""
    if rows is None:
        rows = all_kinds()
    return verdict_document(map(finding_row, rows), {**SCOPE, "gate": gate})


def all_kinds() -> list[Any]:
    words = "PRICE-07: a *price* change\n\nGiven\n\n- the origin holds product:42 = 100\n"
    placed = stale_set()
    placed.steps[1].sources = (SourceLine("/gone/prices.py", 12, "Prices.get"),)
    new = violated(placed, line=3, severity="critical", words=words)
    new = classified(new, "0badc0ffee00")
    known = classified(
        violated(
            item="PRICE-08",
            node_id="p::known",
            system="shop",
            line=9,
            flow={"scenario": "scenario: x\nid: PRICE-08\n", "conftests": ["deep/conftest.py"]},
        ),
        "feedfeedfeed",
    )
    documented = violated(
        item="PRICE-09", node_id="p::documented", system="other", as_stated=True, stated="violated"
    )
    fixed = holds(
        item="PRICE-10", node_id="p::gone", as_stated=False, stated="violated", path="p", line=2
    )
    return [new, known, documented, fixed, holds(), unknown()]


def classified(finding: Any, fingerprint: str) -> Any:
    """Return a finding with everything that a search adds to it."""
    found = replace(
        finding.result.counterexample,
        conflict_class="stale-set",
        fingerprint=fingerprint,
        explanation="class: stale-set (01)\nfails exactly when bob's DEL comes before alice's SET",
    )
    return replace(finding, result=replace(finding.result, counterexample=found))


def hostile(text: str = HOSTILE) -> dict[str, Any]:
    """Return the document of a run in which every name, key and value is ``text``."""
    return document([hostile_finding(text)], {**GATE, "reasons": [text]})


def hostile_finding(text: str) -> Any:
    """Return a finding in which every name, key and value is ``text``."""
    execution = stale_set(old=text, new=text + "2", users=(text, text + "b"), key=text)
    execution.steps[0].sources = (SourceLine(f"/{text}", 1, text),)
    finding = violated(
        execution, item=text, title=text, story=text, path=text, line=1, owner=text, tags=(text,),
        links={text: text}, system=text, replay_command=f"pytest '{text}'",
        flow={"scenario": text + "\n", "conftests": [text]},
    )  # fmt: skip
    found = replace(
        finding.result.counterexample,
        conflict_class=text,
        fingerprint=text,
        explanation=text,
        token=f"sc1:{text}",
        violation=replace(finding.result.counterexample.violation, summary=text, key=text),
    )
    result = replace(
        finding.result, counterexample=found, coverage=text, notes=(text,), reasons=(text,)
    )
    return replace(finding, result=result, words=f"S: {text}\n\n- holds {text}\n1. reads {text}\n")
