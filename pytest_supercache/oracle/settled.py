"""``coherent_when_settled``: once everything has settled, no layer shows an outdated value.

Absent is coherent. Content of a layer counts as outdated only when it is an older version of the
key, in whatever encoding; content in an encoding we cannot read is left to the probes, which ask
the system itself on every node. Without an origin the nodes are compared with each other and with
the last acknowledged write.
"""

from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import History
from pytest_supercache.core.places import place_in_words
from pytest_supercache.core.trace import Layers
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.guarantee import Guarantee, NeverJudgedError, NotJudgedError, decided
from pytest_supercache.oracle.versions import (
    candidates,
    is_from_somewhere,
    is_known_to_origin,
    same,
    written,
)

Finding = Violation | NotJudgedError
"""A violation outranks what could not be judged."""


def _find_incoherence(execution: Execution) -> Violation | None:
    if execution.blocked or not execution.complete:
        return None  # it never settled; `answers` says so
    history, settled = execution.history, execution.settled
    if not settled.layers and not settled.probes:
        raise NeverJudgedError("nobody looked at the layers after the race; call world.settle()")
    if history.origin_watched:
        return decided(_against_origin(execution))
    return decided(_against_writes(history, settled.probes))


def _against_origin(execution: Execution) -> Iterator[Finding]:
    history, settled = execution.history, execution.settled
    truth = settled.layers.get("origin", {})
    asked_of = truth if settled.truth is None else settled.truth
    known = {
        place: a for place, a in settled.probes.items() if is_known_to_origin(history, place[1])
    }
    others = {place: a for place, a in settled.probes.items() if place not in known}
    yield from _wrong_answers(execution, known, asked_of)
    if others:
        yield from _against_writes(history, others)
    yield from _outdated_content(execution, truth)


def _wrong_answers(
    execution: Execution, probes: dict[tuple[str, str], Any], truth: dict[str, Any]
) -> Iterator[Finding]:
    history = execution.history
    for (node, key), answer in probes.items():
        if isinstance(answer, BaseException) or same(answer, truth.get(key)):
            continue
        if answer is None:
            if _loads(execution, key):
                yield _violation(f"node {node}", key, None, truth.get(key), node=node)
        elif candidates(history, key, answer):
            yield _violation(f"node {node}", key, answer, truth.get(key), node=node)
        else:
            yield NotJudgedError(
                f"node {node} answers {value_text(answer)} for {key}, which is no version that "
                "the origin "
                "ever had; the oracle cannot compare it"
            )


def _outdated_content(execution: Execution, truth: dict[str, Any]) -> Iterator[Finding]:
    unread = []
    for place, key, value in _differing(execution.settled.layers, truth):
        if candidates(execution.history, key, value):
            yield _violation(place, key, value, truth.get(key))
        else:
            unread.append(f"{place}:{key}")
    if unread and not execution.settled.probes:
        yield NotJudgedError(
            f"{unread[0]} holds no version of a key of the origin, and no system was asked with get"
        )


def _loads(execution: Execution, key: str) -> bool:
    """Say whether the system loads ``key`` from the origin, so that "absent" counts as an answer.

    A cache that never loads may always forget.
    """
    resource = f"origin:{key}"
    return any(
        step.kind == "origin"
        and resource in step.footprint.reads
        and resource not in step.footprint.writes
        for step in execution.steps
    )


def _says_nothing(answer: Any) -> bool:
    """Say whether an answer is absent, which is coherent, or an error, which is for `answers`."""
    return answer is None or isinstance(answer, BaseException)


def _differing(layers: Layers, truth: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the content of layers that differs from the origin: place, key, value."""
    for place, content in layers.items():
        for key, value in content.items():
            if place != "origin" and not same(value, truth.get(key)):
                yield place, key, value


def _violation(
    where: str, key: str, value: Any, truth: Any, *, node: str | None = None
) -> Violation:
    verb = "serves" if node is not None else "holds"
    told = "nothing" if value is None else value_text(value)
    right = "the origin holds nothing" if truth is None else f"the origin holds {value_text(truth)}"
    what = f"{place_in_words(where)} still {verb} {told} for {key}"
    return Violation(
        guarantee="coherent_when_settled",
        summary=f"after everything settled, {what}; {right}",
        key=key,
        node=node,
        evidence={"where": where, "value": value, "origin": truth},
    )


def _against_writes(history: History, probes: dict[tuple[str, str], Any]) -> Iterator[Finding]:
    if not probes:
        yield NotJudgedError(
            "the system uses no origin and could not be asked on its nodes; it needs get(key). "
            "Where `expect` says all that must hold, write `guarantees: []`"
        )
    comparable = dict(probes)
    for (node, key), answer in probes.items():
        if _says_nothing(answer):
            continue
        last = _last_written(history, key)
        if last and not any(same(answer, value) for value in last):
            if not is_from_somewhere(history, key, answer):
                yield NotJudgedError(
                    f"node {node} answers {value_text(answer)} for {key}, which was neither "
                    "given nor "
                    "written; the oracle cannot compare it"
                )
                del comparable[node, key]
                continue
            yield Violation(
                guarantee="coherent_when_settled",
                summary=f"after everything settled, node {node} still serves "
                f"{value_text(answer)} for {key}; "
                f"the last acknowledged write left {' or '.join(map(value_text, last))}",
                key=key,
                node=node,
                evidence={"value": answer, "last": last},
            )
    yield from _disagreements(comparable)


def _disagreements(probes: dict[tuple[str, str], Any]) -> Iterator[Finding]:
    first: dict[str, tuple[str, Any]] = {}
    for (node, key), answer in probes.items():
        if _says_nothing(answer):
            continue
        other, seen = first.setdefault(key, (node, answer))
        if not same(seen, answer):
            yield Violation(
                guarantee="coherent_when_settled",
                summary=f"after everything settled, node {other} serves {value_text(seen)} for "
                f"{key}, and "
                f"node {node} {value_text(answer)}",
                key=key,
                node=node,
                evidence={"nodes": {other: seen, node: answer}},
            )


def _last_written(history: History, key: str) -> list[Any]:
    """Return the values that may be left of ``key``: of writes without a later acknowledged one.

    A write that was never acknowledged may have taken effect, but follows nothing. Empty when no
    write was acknowledged.
    """
    writes = [
        (operation, value)
        for operation in history
        for other, value in written(operation)
        if other == key
    ]
    acknowledged = [write for write, _ in writes if write.returned and write.error is None]
    if not acknowledged:
        return []
    return [
        value
        for write, value in writes
        if not any(history.ordered(write, other) for other in acknowledged)
    ]


COHERENT_WHEN_SETTLED = Guarantee("coherent_when_settled", _find_incoherence, ignores_time=True)
