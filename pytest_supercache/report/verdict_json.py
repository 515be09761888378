"""Writes ``verdict.json``, which the gate, dashboards and other tools read by a published schema.

A finding is converted where it was found, because under xdist it goes from the worker to the
controller as text; the document only collects such rows.
"""

import errno
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.inputs import DOCUMENT_BYTES_MAX, size_text
from pytest_supercache.core.masking import masked_data
from pytest_supercache.core.messages import never_told
from pytest_supercache.core.odds import Odds
from pytest_supercache.core.operation import Operation
from pytest_supercache.core.orders import Pair, Tried
from pytest_supercache.core.result import Counterexample
from pytest_supercache.core.trace import Layers, Pending, Step
from pytest_supercache.core.verdict import Violation
from pytest_supercache.core.waits import LockState
from pytest_supercache.oracle.explain import Numbers, ambiguous, named
from pytest_supercache.oracle.odds import condition, interval, share
from pytest_supercache.oracle.story import without_fault
from pytest_supercache.report.actors import actor_title
from pytest_supercache.report.agreement import apart, compared_places, first_disagreement
from pytest_supercache.report.breaking import breaking_event
from pytest_supercache.report.document_digest import with_digest
from pytest_supercache.report.finding import Finding
from pytest_supercache.report.machine_paths import data_without_folders
from pytest_supercache.report.plain import Plain, plain
from pytest_supercache.report.sources import Sources
from pytest_supercache.report.values import held, short
from pytest_supercache.report.verdict_schema import VERSION

_SCOPE = ("build", "commit", "dirty", "changes", "when", "seed")
_IF_ANY = ("looks_again", "last_run")
_VALUE_MAX = 40
"""How many characters of a value follow the label of an access to shared memory."""

Row = dict[str, Plain]


def verdict_document(rows: Iterable[Row], scope: Mapping[str, object]) -> dict[str, Plain]:
    """Collect the rows of all items, ordered by item and not by worker.

    ``scope`` is what the caller knows of the run: ``build``, ``commit``, ``dirty``, ``changes``,
    ``when``, ``seed``, ``versions``, how the ``run`` ended and the decision of the ``gate``; an
    unknown field becomes null. ``last_run`` and ``looks_again`` are there only if they are true,
    and a digest only if the run is a shard.
    """
    scenarios = sorted(rows, key=lambda row: (str(row["node_id"]), str(row["id"])))
    counts: dict[str, Plain] = {"holds": 0, "unknown": 0, "violated": 0, "not_as_stated": 0}
    for verdict in counts:
        counts[verdict] = sum(row["verdict"] == verdict for row in scenarios)
    counts["not_as_stated"] = sum(not row["as_stated"] for row in scenarios)
    return with_digest(
        {
            "version": VERSION,
            **{name: masked_data(plain(scope.get(name))) for name in _SCOPE},
            "versions": plain(scope.get("versions", {})),
            "counts": counts,
            "run": masked_data(plain(scope.get("run"))),
            **{name: masked_data(plain(scope[name])) for name in _IF_ANY if scope.get(name)},
            "gate": masked_data(plain(scope.get("gate"))),
            "scenarios": list(scenarios),
        }
    )


def write_verdict(path: Path, rows: Iterable[Row], scope: Mapping[str, object]) -> str:
    """Write the document atomically, since a gate must never read half of it; return its text.

    Raises:
        OSError: the file cannot be written, or is too large to be read.
    """
    text = json.dumps(verdict_document(rows, scope), indent=2, ensure_ascii=False, allow_nan=False)
    if len(text.encode(errors="backslashreplace")) >= DOCUMENT_BYTES_MAX:
        most = size_text(DOCUMENT_BYTES_MAX)
        raise OSError(errno.EFBIG, f"it would be larger than {most}; run fewer scenarios at once")
    whole = f"{text}\n"
    write_whole(path, whole)
    return whole


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically, also while another run writes the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the process's number: containers that share a folder have the same ones.
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        # Half of a surrogate pair becomes \\udXXX, which JSON reads as the same half.
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def finding_row(finding: Finding) -> Row:
    """Return one item as JSON-safe data."""
    result = finding.result
    found = result.counterexample
    row: Row = masked_data(
        {
            "id": finding.item,
            "title": finding.title,
            "story": finding.story,
            "node_id": finding.node_id,
            "path": finding.path,
            "line": finding.line,
            "system": finding.system,
            "stated": finding.stated,
            "stated_class": finding.stated_class,
            "stated_label": finding.stated_label,
            "as_stated": finding.as_stated,
            "verdict": result.verdict.value,
            "label": result.label.value if result.label else None,
            "guarantee": found.violation.guarantee if found else None,
            "coverage": result.coverage,
            "scope": plain(result.scope),
            "executions": result.executions,
            "violating": result.violating,
            "blocked": result.blocked,
            "interleavings": result.interleavings,
            "schedules": result.schedules,
            "share": plain(result.share),
            "exhausted": result.exhausted,
            "reasons": list(result.reasons),
            "notes": list(result.notes),
            **({"memory": plain([asdict(use) for use in result.memory])} if result.memory else {}),
            "seconds": round(result.seconds, 3),
            "severity": finding.severity,
            "owner": finding.owner,
            "tags": list(finding.tags),
            "links": plain(finding.links),
            "replay": finding.replay_command or None,
            "odds": _odds(result.odds) if result.odds else None,
            "flow": plain(finding.flow),
            "counterexample": counterexample_to_json(found, finding.root) if found else None,
        }
    )
    return row


def _odds(odds: Odds) -> Row:
    low, high = interval(odds.failing, odds.runs)
    return {
        "runs": odds.runs,
        "failing": odds.failing,
        "at_least": low,
        "at_most": high,
        "share": share(odds),
        "condition": condition(odds),
        "faults": list(odds.faults),
        "within_seconds": odds.within,
        "latencies": plain(asdict(odds.latencies)),
    }


def operation_to_json(operation: Operation) -> Row:
    """Return one operation of the history as JSON-safe data."""
    return {
        "user": operation.user,
        "node": operation.node,
        "kind": operation.kind,
        "key": plain(operation.key),
        "value": plain(operation.value),
        "answer": plain(operation.answer),
        "error": plain(operation.error),
        "called_at": operation.called_at,
        "returned_at": operation.returned_at,
        "phase": operation.phase,
        "step": operation.step,
        "sightings": plain(operation.sightings),
        "writes": plain(operation.writes),
    }


def counterexample_to_json(found: Counterexample, root: Path | None = None) -> Row:
    """Return a counterexample as JSON-safe data; files of the project are named from ``root``."""
    exact = {"token": found.token, "schedule": list(found.schedule.choices)}
    return {**data_without_folders(_shown(found, root), root), **exact}


def _shown(found: Counterexample, root: Path | None) -> Row:
    sources = Sources(root)
    breaks = breaking_event(found.execution, found.violation, found.story)
    passing = found.passing
    numbers = ambiguous(found.execution.race)
    return {
        "token": found.token,
        "preemptions": found.preemptions,
        "minimal": found.minimal,
        "serial": found.serial,
        "replays": found.replays,
        "faults": list(found.faults),
        "conflict_class": found.conflict_class,
        "fingerprint": found.fingerprint,
        "former_fingerprint": next(reversed(found.former_fingerprints), None),
        "former_fingerprints": list(found.former_fingerprints),
        "explanation": plain((found.explanation or "").splitlines()),
        "story": plain([asdict(part) for part in found.story]),
        "breaks": plain(breaks),
        "violation": _violation(found.violation),
        "violations": [_violation(violation) for violation in found.violations],
        "schedule": list(found.schedule.choices),
        **_recorded(found.execution, sources),
        "forced_by": [
            {
                "orders": [_order(pair, numbers) for pair in cause.pairs],
                "is_fewest": cause.is_fewest,
            }
            for cause in found.causes
        ],
        "forced_by_all": found.causes_are_all,
        **({"tried": _tried(found.tried, numbers)} if found.tried else {}),
        **({} if found.end_is_judged else {"end_is_judged": False}),
        "passing": None
        if passing is None
        else {
            "schedule": list(passing.execution.schedule.choices),
            "turned": [_order(pair, numbers) for pair in passing.turned],
            **_recorded(passing.execution, sources),
        },
        **({"sources": sources.rows} if sources.rows else {}),
    }


def _recorded(execution: Execution, sources: Sources) -> Row:
    compared = compared_places(execution)
    return {
        "history": [operation_to_json(operation) for operation in execution.history],
        "start": plain(execution.start),
        **({"memory_at_start": plain(execution.memory_at_start)} if _has_memory(execution) else {}),
        "apart_at_start": _apart(execution.start, compared),
        "never_agree_from": first_disagreement(execution),
        "steps": [
            {
                **_step(step, sources),
                **_never_told(execution, step),
                "apart": _apart(step.layers or {}, compared),
            }
            for step in execution.steps
        ],
        "blocked": [
            {
                "actor": pending.actor,
                "label": pending.label,
                "holder": _holder(execution, pending),
                **_source(pending, sources),
            }
            for pending in execution.blocked
        ],
        "probes": [
            {
                "node": node,
                "key": key,
                "answer": None if isinstance(answer, BaseException) else plain(answer),
                "error": plain(answer) if isinstance(answer, BaseException) else None,
            }
            for (node, key), answer in execution.settled.probes.items()
        ],
    }


def _holder(execution: Execution, pending: Pending) -> str | None:
    """Return the actor that holds the lock for which another waits."""
    for step in reversed(execution.steps):
        if pending.wait and step.wait and step.wait.object == pending.wait.object:
            state = step.wait_after
            if not isinstance(state, LockState):
                return None
            return step.actor if state.holder == step.wait.holder(step.actor) else state.holder
    return None


def _has_memory(execution: Execution) -> bool:
    return any(step.memory for step in execution.steps)


def _tried(tried: Tried, numbers: Numbers) -> Row:
    return {
        "interleavings": tried.interleavings,
        "are_all": tried.are_all,
        "failing": f"{tried.failing:x}",
        "orders": [
            {"order": _order(pair, numbers), "kept": f"{kept:x}", "reversed": f"{reversed_:x}"}
            for pair, kept, reversed_ in tried.orders
        ],
    }


def _order(pair: Pair, numbers: Numbers) -> Plain:
    return [
        {"actor": name[0], "index": name[1], "label": name[2], "text": named(name, numbers)}
        for name in pair
    ]


def _violation(violation: Violation) -> Row:
    return {
        "guarantee": violation.guarantee,
        "summary": violation.summary,
        "key": plain(violation.key),
        "user": violation.user,
        "node": violation.node,
        "evidence": plain(violation.evidence),
        "at": violation.at,
    }


def _source(step: Step | Pending, sources: Sources) -> Row:
    return {"source": sources.numbers(step.sources)} if step.sources else {}


def _step(step: Step, sources: Sources) -> Row:
    return {
        "actor": step.actor,
        "title": actor_title(step.actor, step.node),
        "label": step.label,
        "kind": step.kind,
        "phase": step.phase,
        "choice": step.choice,
        "operation": step.operation,
        "reads": plain(sorted(step.footprint.reads)),
        "writes": plain(sorted(step.footprint.writes)),
        "layers": plain(step.layers),
        **({"memory": plain(step.memory), "text": _label_with_value(step)} if step.memory else {}),
        "seconds": step.time,
        **({"is_struck": True} if without_fault(step.label) != step.label else {}),
        **_source(step, sources),
    }


def _label_with_value(step: Step) -> str:
    """Return a step's label; for an access to shared memory with its value, if that is known.

    ``read Shop.near['k'] -> 100``, ``write Shop.near['k'] = 100``
    """
    verb, _, what = step.label.partition(" ")
    sign = {"read": "->", "write": "="}.get(verb)
    if step.kind != "memory" or sign is None:
        return step.label
    for place, content in (step.memory or {}).items():
        for key, value in content.items():
            if what in {f"{place}[{key!r}]", f"{place}[{key}]"} or (not key and what == place):
                return f"{step.label} {sign} {short(held(value), _VALUE_MAX)}"
    return step.label


def _never_told(execution: Execution, step: Step) -> Row:
    nodes = never_told(execution, step)
    return {"never_told": list(nodes)} if nodes else {}


def _apart(layers: Layers, compared: dict[str, list[str]]) -> list[Plain]:
    if not layers:
        return []
    return [
        {"place": plain(place), "key": plain(key), "against": against}
        for place, key, against in apart(layers, compared)
    ]
