"""``coherent_when_settled``: when nothing moves any more, no layer shows an outdated value.

Absent is coherent. Content of a layer counts as outdated only when it is an older version of the
key, in whatever encoding; content in an encoding we cannot read is left to the probes, which ask
the system itself on every node. Without an origin the nodes are compared with each other and with
the last acknowledged write.
"""

from typing import Any

from pytest_supercache.core.operation import History, Operation
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.versions import candidates, same, versions_of


def _find_incoherence(execution: Execution) -> Violation | None:
    if execution.blocked or not execution.complete:
        return None  # it never settled; `answers` says so
    history, settled = execution.history, execution.settled
    if history.origin_watched:
        return _against_origin(execution)
    return _against_writes(history, settled.probes)


def _against_origin(execution: Execution) -> Violation | None:
    truth = execution.settled.layers.get("origin", {})
    for (node, key), answer in execution.settled.probes.items():
        if isinstance(answer, BaseException) or answer is None:
            continue
        if not same(answer, truth.get(key)):
            return _violation(f"node {node}", key, answer, truth.get(key), node=node)
    for place, content in execution.settled.layers.items():
        if place == "origin":
            continue
        for key, value in content.items():
            versions = versions_of(execution.history, key)
            if not same(value, truth.get(key)) and candidates(versions, value):
                return _violation(place, key, value, truth.get(key))
    return None


def _violation(
    where: str, key: str, value: Any, truth: Any, *, node: str | None = None
) -> Violation:
    verb = "answers" if node is not None else "holds"
    right = "the origin has nothing" if truth is None else f"the origin has {truth!r}"
    return Violation(
        guarantee="coherent_when_settled",
        summary=f"{where} {verb} {value!r} for {key} although everything has settled; {right}",
        key=key,
        node=node,
        evidence={"where": where, "value": value, "origin": truth},
    )


def _against_writes(history: History, probes: dict[tuple[str, str], Any]) -> Violation | None:
    if not probes:
        raise NotJudgedError(
            "coherent_when_settled: the system uses no origin and could not be asked on its nodes; "
            "it needs get(key)"
        )
    for (node, key), answer in probes.items():
        if answer is None or isinstance(answer, BaseException):
            continue
        last = _last_writes(history, key)
        if any(same(answer, _written(write)) for write in _uncertain_writes(history, key)):
            continue
        if last and not any(same(answer, _written(write)) for write in last):
            expected = " or ".join(repr(_written(write)) for write in last)
            return Violation(
                guarantee="coherent_when_settled",
                summary=f"node {node} answers {answer!r} for {key} although everything has "
                f"settled; the last acknowledged write left {expected}",
                key=key,
                node=node,
                evidence={"value": answer, "last": [write.step for write in last]},
            )
    return _disagreement(probes)


def _disagreement(probes: dict[tuple[str, str], Any]) -> Violation | None:
    first: dict[str, tuple[str, Any]] = {}
    for (node, key), answer in probes.items():
        if answer is None or isinstance(answer, BaseException):
            continue
        other, seen = first.setdefault(key, (node, answer))
        if not same(seen, answer):
            return Violation(
                guarantee="coherent_when_settled",
                summary=f"node {other} answers {seen!r} and node {node} {answer!r} for {key} "
                "although everything has settled",
                key=key,
                node=node,
                evidence={"nodes": {other: seen, node: answer}},
            )
    return None


def _last_writes(history: History, key: str) -> list[Operation]:
    """Return the acknowledged writes of ``key`` that no other acknowledged write follows."""
    writes = [
        operation
        for operation in history
        if _is_write_of(operation, key) and operation.returned and operation.error is None
    ]
    return [write for write in writes if not any(_follows(other, write) for other in writes)]


def _uncertain_writes(history: History, key: str) -> list[Operation]:
    """Return writes that were never acknowledged: they may have taken effect or not."""
    return [
        operation
        for operation in history
        if _is_write_of(operation, key) and (operation.error is not None or not operation.returned)
    ]


def _is_write_of(operation: Operation, key: str) -> bool:
    return operation.key == key and operation.kind in {"write", "delete"}


def _follows(later: Operation, earlier: Operation) -> bool:
    if later is earlier:
        return False
    if later.phase != earlier.phase:
        return later.called_at >= (earlier.returned_at or 0)
    if later.user == earlier.user:
        return later.called_at > earlier.called_at
    return earlier.precedes(later)


def _written(write: Operation) -> Any:
    return write.value if write.kind == "write" else None


COHERENT_WHEN_SETTLED = Guarantee("coherent_when_settled", _find_incoherence)
