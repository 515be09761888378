"""Runs as the gate sees them, in a few words: rows, how the run ended, waivers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from pytest_supercache.gate.known import KnownIssue
from pytest_supercache.gate.policy import Decision, decide
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.shards import dealt
from pytest_supercache.report.document_digest import with_digest

TODAY = date(2026, 3, 10)
ODDS = {
    "runs": 200,
    "failing": 13,
    "share": "13 of 200 simulated runs fail (6.5 %; 95 % interval 3.8 % to 11 %)",
    "condition": "given that all users start within 50 ms",
}
CONFLICT, OTHER = "c0ffee000001", "c0ffee000002"
_KNOWN = """
[[known]]
id = "KI-1"
match = "c0ffee000001"
systems = ["shop"]
workaround = "set cache.l1=off"
workaround_checked_by = "H-1"
owner = "karim"
approved_by = "betty"
opened = {opened}
expires = {expires}
permanent_fix = "CACHE-401"
"""


def row(name: str, verdict: str = "holds", **more: Any) -> dict[str, Any]:
    """One row of verdict.json; `system` is what stands in the brackets of its name."""
    stated = more.pop("stated", None)
    fingerprint = more.pop("fingerprint", CONFLICT)
    assumption = more.pop("assumption", None)
    found = {
        "fingerprint": fingerprint,
        "conflict_class": "stale-set",
        "token": f"sc1:{name}:alice,bob*2,alice",
        "preemptions": 1,
        "minimal": True,
        "explanation": ["alice read 100 before bob's write and stored it after his delete."],
        "history": [
            {"user": "alice", "node": "a", "kind": "read", "key": "product:42", "phase": "race"},
            {"user": "bob", "node": "a", "kind": "write", "key": "product:42", "phase": "race"},
        ],
        "steps": [
            {"actor": "alice", "title": "alice @a", "label": "GET product:42", "phase": "race"},
            {"actor": "bob", "title": "bob @a", "label": "DEL product:42", "phase": "race"},
            {"actor": "alice", "title": "alice @a", "label": "SET product:42", "phase": "race"},
        ],
        "violation": {"summary": "the cache keeps 100 where the origin has 120", "user": None,
                      "key": "product:42", "guarantee": "coherent_when_settled", "node": None},
    }  # fmt: skip
    return {
        "id": name,
        "title": "After a price change nobody is shown the old price",
        "node_id": f"s.supercache.yaml::{name}",
        "path": "s.supercache.yaml",
        "system": name.partition("[")[2].rstrip("]") or "shop",
        "stated": stated,
        "as_stated": verdict == (stated or "holds"),
        "verdict": verdict,
        "label": "conflict" if verdict == "violated" else None,
        "guarantee": "coherent_when_settled" if verdict == "violated" else None,
        "exhausted": verdict == "holds",
        "executions": 10,
        "violating": 3 if verdict == "violated" else 0,
        "interleavings": None,
        "schedules": None,
        "reasons": ["the budget ran out"] if verdict == "unknown" else [],
        "scope": {"users": 2, **({"assumption": assumption} if assumption else {})},
        "odds": ODDS if verdict == "violated" else None,
        "counterexample": found if verdict == "violated" else None,
        "flow": {"digest": f"flow of {name}"},
        "replay": f"pytest s.supercache.yaml --supercache-replay='sc1:{name}:alice'",
        **more,
    }


def document(*rows: dict[str, Any], **run: Any) -> dict[str, Any]:
    """A verdict document; `run` says how the run ended, by default as pytest would say it."""
    failed = any(not one["as_stated"] for one in rows)
    ended = {"finished": True, "exit_status": int(failed), "failed": [], "broken": []}
    return {"version": 2, "commit": "abc1234", "dirty": False, "when": "2026-03-10T10:00:00+00:00",
            "scenarios": list(rows), "run": {**ended, **run}}  # fmt: skip


def shard_of(whole: dict[str, Any], index: int, count: int) -> dict[str, Any]:
    """Return the document of one shard of a run whose document is given."""
    names = {one["node_id"]: one["id"] for one in whole["scenarios"]}
    of_shards = dealt(names, count)
    part = {
        "index": index,
        "count": count,
        "collected": [{"id": names[name], "node_id": name} for name in sorted(names)],
        "ordinary": 0,
        "ordinary_digest": "",
        "called": [],
        "settings": {"seed": None},
        "folder": ".",
    }
    run = {"id": f"number {index}", "owner": f"number {index}", "rules": {}, "others": []}
    rows = [one for one in whole["scenarios"] if of_shards[one["node_id"]] == index]
    return with_digest({**whole, "run": {**whole["run"], **run, "shard": part}, "scenarios": rows})


def waiver(**more: Any) -> KnownIssue:
    """A waiver for CONFLICT, in force on TODAY."""
    return KnownIssue(
        **{
            "id": "KI-1",
            "match": CONFLICT,
            "systems": ("shop",),
            "workaround": "set cache.l1=off",
            "workaround_checked_by": "W[off]",
            "owner": "karim",
            "approved_by": "betty",
            "opened": date(2026, 3, 1),
            "expires": date(2026, 3, 20),
            "permanent_fix": "CACHE-401",
            "flows": ("flow of S[shop]",),
            **more,
        }
    )


def judge(*rows: dict[str, Any], issues: tuple[KnownIssue, ...] = (), **more: Any) -> Decision:
    """Decide about rows; what is not a rule says how the run ended."""
    names = {"release", "minimum_severity", "lock", "today"}
    rules = {"today": TODAY, **{name: more.pop(name) for name in names & set(more)}}
    return decide(document(*rows, **more), Rules(issues=issues, **rules))


def known_issues(opened_days_ago: int = 0) -> str:
    """The text of a waiver for CONFLICT that is in force in real time."""
    today = datetime.now(UTC).date()
    return _KNOWN.format(
        opened=today - timedelta(days=opened_days_ago), expires=today + timedelta(days=9)
    )
