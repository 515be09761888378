"""Small traces with all their linearizations: what guarantees about real time are checked against.

A move is a step with its footprint and what it does to the record; a flow is the moves of one actor
in their order, grouped by operation. ``execution`` builds the record of one order of all moves; the
answers of operations are fixed, because independent steps do not change what anybody reads.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pytest_supercache.core.execution import Execution, Settled
from pytest_supercache.core.footprint import NOTHING, Footprint, dependent
from pytest_supercache.core.operation import (
    Commit,
    Content,
    History,
    Load,
    Operation,
    UncommittedWrite,
)
from pytest_supercache.core.schedule import CLOCK, Schedule
from pytest_supercache.core.trace import Step


@dataclass(frozen=True)
class Move:
    """One step: who takes it, within which operation, what it may touch, what it does."""

    actor: str
    label: str
    footprint: Footprint
    operation: int | None = None  # position in `Trace.operations`
    commits: tuple[tuple[str, Any], ...] = ()
    loads: tuple[tuple[str, Any], ...] = ()
    fills: tuple[tuple[str, str, Any], ...] = ()
    uncommitted: tuple[tuple[str, Any, bool], ...] = ()  # key, value, whether it will be committed
    seconds: float = 0.0


@dataclass
class Trace:
    """Moves in one order, and the operations they belong to: user, kind, key, value or answer."""

    moves: list[Move]
    operations: list[dict[str, Any]]
    given: dict[str, Any] = field(default_factory=dict)

    def linearizations(self) -> Iterator[tuple[int, ...]]:
        """Yield every order of the moves that keeps dependent ones in theirs."""
        before = [
            {i for i in range(j) if ordered(self.moves[i], self.moves[j])}
            for j in range(len(self.moves))
        ]

        def grown(taken: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if len(taken) == len(self.moves):
                yield taken
            for at in range(len(self.moves)):
                if at not in taken and before[at] <= set(taken):
                    yield from grown((*taken, at))

        return grown(())

    def order_of(self, actors: tuple[str, ...]) -> tuple[int, ...]:
        """Return the order of moves that actors mean: each name is that actor's next move."""
        left = list(range(len(self.moves)))
        order = []
        for actor in actors:
            at = next(at for at in left if self.moves[at].actor == actor)
            left.remove(at)
            order.append(at)
        return tuple(order)

    def execution(self, order: tuple[int, ...] | None = None) -> Execution:
        """Build what is recorded when the moves are taken in ``order``."""
        moves = [self.moves[at] for at in order or range(len(self.moves))]
        own: dict[int, list[int]] = {}
        for at, move in enumerate(moves):
            if move.operation is not None:
                own.setdefault(move.operation, []).append(at)
        position = {operation: at for at, operation in enumerate(sorted(own, key=own.get))}
        steps, times, now = [], [0.0], 0.0
        taken: dict[str, int] = {}
        for at, move in enumerate(moves):
            now += move.seconds
            times.append(now)
            number = taken.setdefault(move.actor, 0)
            taken[move.actor] += 1
            operation = None if move.operation is None else position[move.operation]
            steps.append(
                Step(
                    move.actor, number, move.label, "hand", move.footprint,
                    operation=operation, choice=at, time=now,
                )
            )  # fmt: skip
        operations = tuple(
            Operation(
                **{"node": "a", **self.operations[operation]},
                called_at=own[operation][0],
                returned_at=own[operation][-1] + 1,
                steps=len(own[operation]),
                step=f"operation {operation}",
            )
            for operation in position
        )
        history = History(
            operations=operations, given=self.given, origin_watched=True, times=tuple(times),
            **recorded(moves, steps),
        )  # fmt: skip
        truth = dict(self.given)
        truth.update({commit.key: commit.value for commit in history.commits})
        return Execution(
            schedule=Schedule(tuple(move.actor for move in moves)), steps=steps, history=history,
            settled=Settled(layers={"origin": truth}),
        )  # fmt: skip


def recorded(moves: list[Move], steps: list[Step]) -> dict[str, Any]:
    """Return what the origin and the layers record of moves in this order."""
    commits, loads, contents, uncommitted = [], [], [], []
    held: dict[tuple[str, str], Any] = {}
    versions: dict[str, int] = {}
    for at, move in enumerate(moves, start=1):
        for key, value in move.commits:
            versions[key] = versions.get(key, 0) + 1
            commits.append(Commit(key, value, versions[key], at, operation=steps[at - 1].operation))
        loads += [Load(key, value, at) for key, value in move.loads]
        for place, key, value in move.fills:
            if held.get((place, key)) != value:
                held[place, key] = value
                contents.append(Content(place, key, value, at))
        for key, value, stays in move.uncommitted:
            uncommitted.append(UncommittedWrite(key, value, at, None, stays))
    return {
        "commits": tuple(commits),
        "loads": tuple(loads),
        "contents": tuple(contents),
        "uncommitted": tuple(uncommitted),
    }


def ordered(one: Move, other: Move) -> bool:
    """Say whether two moves keep their order in every linearization."""
    return one.actor == other.actor or dependent(one.footprint, other.footprint)


def touching(*, reads: str = "", writes: str = "") -> Footprint:
    """Return the footprint of a move that touches these resources, separated by blanks."""
    written = frozenset(writes.split())
    return Footprint(frozenset(reads.split()) | written, written)


def random_trace(rng: random.Random, *, distinct: bool = True) -> Trace:
    """Make a trace of at most six moves: writers, readers of caches and the origin, ticks.

    Unless values are ``distinct``, the same value may be committed more than once.
    """
    trace = Trace(moves=[], operations=[], given={"x": 0, "y": 0})
    flows = [_flow(rng, trace, actor, distinct) for actor in ("alice", "bob", "carol")]
    if rng.random() < 0.7:
        ticks = rng.randint(1, 2)
        flows.append([Move(CLOCK, "tick", touching(writes="clock"), seconds=2.0)] * ticks)
    while sum(map(len, flows)) > 6:
        max(flows, key=len).pop()
    flows = [flow for flow in flows if flow]
    while any(flows):
        flow = rng.choice([flow for flow in flows if flow])
        trace.moves.append(move := flow.pop(0))
        if move.label == "buffer" and rng.random() < 0.7:
            flows.append([_flush(move, trace)])
    _answer(rng, trace)
    return trace


def _flow(rng: random.Random, trace: Trace, actor: str, distinct: bool) -> list[Move]:
    moves: list[Move] = []
    for _ in range(rng.randint(1, 2)):
        number, key = len(trace.operations), rng.choice("xxxy")
        kind = rng.choice(["write", "behind", "delete", "read", "read", "load"])
        operation: dict[str, Any] = {"user": actor, "kind": kind, "key": key}
        cache = f"cache@{rng.choice('ab')}"
        if kind == "behind":
            operation.update(kind="write", value=number + 1 if distinct else rng.randint(0, 1))
            moves.append(Move(actor, "buffer", touching(writes=f"buffer:{number}"), number))
        elif kind in {"write", "delete"}:
            value = None if kind == "delete" else number + 1 if distinct else rng.randint(0, 1)
            operation["value"] = value
            moves.append(
                Move(actor, "commit", touching(writes=f"origin:{key}"), number, ((key, value),))
            )
            if rng.random() < 0.5:
                written = touching(writes=f"{cache}:{key}")
                moves.append(Move(actor, "drop", written, number, fills=((cache, key, None),)))
        elif kind == "read":
            moves.append(Move(actor, "look", touching(reads=f"{cache}:{key}"), number))
        else:
            operation["kind"] = "read"
            moves.append(Move(actor, "load", touching(reads=f"origin:{key}"), number))
            if rng.random() < 0.5:
                written = touching(writes=f"{cache}:{key}")
                moves.append(Move(actor, "fill", written, number, fills=((cache, key, ...),)))
        trace.operations.append(operation)
    return moves


def _flush(buffered: Move, trace: Trace) -> Move:
    """Return the commit, by an actor of its own, of what an operation has buffered."""
    assert buffered.operation is not None, "a buffered write belongs to an operation"
    operation = trace.operations[buffered.operation]
    key = operation["key"]
    footprint = touching(reads=f"buffer:{buffered.operation}", writes=f"origin:{key}")
    return Move(
        f"flush-{buffered.operation}", "commit", footprint, commits=((key, operation["value"]),)
    )


def _answer(rng: random.Random, trace: Trace) -> None:
    """Give every read an answer that steps may have led to: what was committed by then."""
    origin: dict[str, list[Any]] = {key: [value] for key, value in trace.given.items()}
    for at, move in enumerate(trace.moves):
        for name, value in move.commits:
            origin[name].append(value)
        if move.operation is None:
            continue
        operation = trace.operations[move.operation]
        key = operation["key"]
        if move.label == "look":
            known = [v for i, v in _known(trace, at, key) if v is not None]
            operation["answer"] = rng.choice([trace.given[key], *known])
        elif move.label == "load":
            operation["answer"] = origin[key][-1]
            changed = {**vars(move), "loads": ((key, origin[key][-1]),)}
            trace.moves[at] = Move(**changed)
        elif move.label == "fill":
            ((place, _, _),) = move.fills
            trace.moves[at] = Move(**{**vars(move), "fills": ((place, key, operation["answer"]),)})


def _known(trace: Trace, at: int, key: str) -> list[tuple[int, Any]]:
    """Return the commits of ``key`` that happen before the move at ``at``."""
    causes: set[int] = set()
    for earlier in range(at - 1, -1, -1):
        if any(ordered(trace.moves[earlier], trace.moves[i]) for i in (at, *causes)):
            causes.add(earlier)
    return [
        (i, value) for i in sorted(causes) for name, value in trace.moves[i].commits if name == key
    ]


__all__ = ["NOTHING", "Move", "Trace", "ordered", "random_trace", "touching"]
