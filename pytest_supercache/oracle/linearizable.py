"""``linearizable``: each key behaves like one register that serves one call at a time.

Of the guarantees about one key this is the strongest: an answer is never older than what another
user was already told. It depends on real time, so a search that treats schedules as equal must keep
the order of calls and answers apart. A verb that touches several keys is judged key by key, which
demands less of it than taking effect at one moment.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import History, Operation
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Verdict, Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.linear.call import NEVER, Call
from pytest_supercache.oracle.linear.check import Answer, check_calls
from pytest_supercache.oracle.linear.smallest import smallest_core
from pytest_supercache.oracle.versions import ABSENT, is_from_somewhere, same, written
from pytest_supercache.oracle.who import who

_SHOWN_MAX = 6


def _find_no_order(execution: Execution) -> Violation | None:
    history = execution.history
    positions = _positions(history)
    unjudged: list[str] = []
    for key, touching in _by_key(history).items():
        strange = _strange_value(history, key, touching)
        if strange is not None:
            unjudged.append(strange)
            continue
        values = _Numbers()
        initials = sorted({values.number(value) for value in _initials(history, key)})
        calls = list(_calls(history, key, touching, positions, values))
        answer = check_calls(calls, initials)
        if answer.verdict is Verdict.VIOLATED:
            return _violation(history, key, calls, initials, answer, values)
        if answer.verdict is Verdict.UNKNOWN:
            unjudged.append(
                f"whether the calls on {key} have an order was not decided within "
                f"{answer.steps:,} steps; race fewer of them at once"
            )
    if unjudged:
        raise NotJudgedError(unjudged[0])
    return None


class _Numbers:
    """Numbers data, whatever their encoding: equal data have the same number."""

    def __init__(self) -> None:
        self.known: list[Any] = []

    def number(self, value: Any) -> int:
        for at, known in enumerate(self.known):
            if same(known, value):
                return at
        self.known.append(value)
        return len(self.known) - 1


def _by_key(history: History) -> Mapping[str, list[tuple[int, Operation]]]:
    found: dict[str, list[tuple[int, Operation]]] = defaultdict(list)
    for at, operation in enumerate(history):
        keys = [key for key, _ in (*_seen(history, operation), *written(operation))]
        for key in dict.fromkeys(keys):
            found[key].append((at, operation))
    return found


def _seen(history: History, operation: Operation) -> Iterator[tuple[str, Any]]:
    if not operation.returned or operation.error is not None:
        return
    seen = operation.sightings
    if operation.kind == "read" and operation.key is not None:
        seen = (*seen, (operation.key, operation.answer))
    for key, value in seen:
        if value is not ABSENT or history.origin_watched:
            yield key, value  # a cache without an origin may always forget


def _positions(history: History) -> Mapping[int, tuple[int, int]]:
    """Return when each operation began and ended, in one sequence of events.

    What ended after n steps came before what began after n. An operation without a step has its
    place among those that began after as many.
    """
    events: list[tuple[int, int, int, bool]] = []
    for at, operation in enumerate(history):
        events.append((operation.called_at, 1, at, False))
        if operation.returned_at is not None:
            stepless = operation.returned_at == operation.called_at
            events.append((operation.returned_at, int(stepless), at, True))
    place = {(at, ends): number for number, (_, _, at, ends) in enumerate(sorted(events))}
    return {
        at: (place[at, False], place.get((at, True), NEVER))
        for at in range(len(history.operations))
    }


def _calls(
    history: History,
    key: str,
    touching: list[tuple[int, Operation]],
    positions: Mapping[int, tuple[int, int]],
    values: _Numbers,
) -> Iterator[Call]:
    for at, operation in touching:
        called, returned = positions[at]
        for other, value in _seen(history, operation):
            if other == key:
                yield Call(
                    process=str(at),
                    kind="read",
                    key=key,
                    answer=values.number(value),
                    called_at=called,
                    returned_at=returned,
                )
        for other, value in written(operation):
            if other == key:
                yield Call(
                    process=str(at),
                    kind="write",
                    key=key,
                    value=values.number(value),
                    called_at=called,
                    returned_at=returned if operation.error is None else NEVER,
                )


def _initials(history: History, key: str) -> list[Any]:
    """Return the values that the key may have at first: caches may have been given others."""
    return [history.given.get(key, ABSENT), *history.given_in_caches.get(key, ())]


def _strange_value(history: History, key: str, touching: list[tuple[int, Operation]]) -> str | None:
    given = _initials(history, key)
    for _, operation in touching:
        for other, value in _seen(history, operation):
            if other != key or any(same(value, known) for known in given):
                continue
            if value is not ABSENT and not is_from_somewhere(history, key, value):
                return (
                    f"the answer {value!r} for {key} was neither given nor written; the oracle "
                    "cannot tell what it is. Declare what the verb shows with @verb(observes=...)"
                )
    return None


def _violation(
    history: History,
    key: str,
    calls: list[Call],
    initials: list[int],
    answer: Answer,
    values: _Numbers,
) -> Violation:
    assert answer.clash is not None, "a violation has a reason"
    core = smallest_core(calls, answer.clash, initials)
    shown = [_described(history.operations[int(call.process)], call, values) for call in core.calls]
    more = f"; and {len(shown) - _SHOWN_MAX} more" if len(shown) > _SHOWN_MAX else ""
    last = history.operations[int(core.calls[-1].process)]
    return Violation(
        guarantee="linearizable",
        summary=f"no order of these calls explains their answers: "
        f"{'; '.join(shown[:_SHOWN_MAX])}{more}",
        key=key,
        user=last.user,
        node=last.node,
        evidence={
            "reason": answer.clash.reason.value,
            "operations": [history.operations[int(call.process)].step for call in core.calls],
        },
        at=last.returned_at,
    )


def _described(operation: Operation, call: Call, values: _Numbers) -> str:
    until = "?" if operation.returned_at is None else operation.returned_at
    steps = f"(steps {operation.called_at}-{until})"
    if call.kind == "read":
        told = f"read {call.key} -> {value_text(values.known[call.answer])}"
    else:
        told = f"wrote {call.key} = {value_text(values.known[call.value])}"
    return f"{who(operation)} {told} {steps}"


LINEARIZABLE = Guarantee(
    "linearizable",
    _find_no_order,
    real_time=True,
    find_lack=preconditions.answers,
    asks_nodes=False,
)
