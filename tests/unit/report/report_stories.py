"""Hand-made findings: the stale set of two users, with every name and value replaceable."""

from dataclasses import dataclass, field, replace
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.operation import History, Operation
from pytest_supercache.core.orders import Cause, Passing, Share
from pytest_supercache.core.result import CheckResult, Counterexample
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.trace import Layers, Step
from pytest_supercache.core.verdict import Label, Verdict, Violation
from pytest_supercache.report.finding import Finding


@dataclass
class Recorder:
    """Takes steps by hand and remembers the layers after each."""

    layers: Layers
    steps: list[Step] = field(default_factory=list)

    def step(
        self,
        actor: str,
        label: str,
        *,
        operation: int | None = None,
        node: str | None = None,
        phase: str = "race",
        **changes: Any,
    ) -> None:
        """``changes`` are ``place__at=(key, value)``, with ``__at`` for ``@``."""
        layers = {place: dict(content) for place, content in self.layers.items()}
        touched = set()
        for name, (key, value) in changes.items():
            place = name.replace("__", "@")
            touched.add(f"{place}:{key}")
            if value is None:
                layers[place].pop(key, None)
            else:
                layers[place][key] = value
        self.layers = layers
        choice = sum(s.phase == "race" for s in self.steps) if phase == "race" else None
        index = sum(s.actor == actor for s in self.steps)
        self.steps.append(
            Step(
                actor, index, label, "command", Footprint(writes=frozenset(touched)), node, phase,
                operation, choice, layers=layers,
            )
        )  # fmt: skip


def counterexample_of(execution: Execution, **changed: Any) -> Counterexample:
    violation = Violation(
        guarantee="coherent_when_settled",
        summary="node a answers 100 for product:42, the origin has 120",
        key=changed.pop("key", "product:42"),
    )
    values: dict[str, Any] = {
        "token": "sc1:PRICE-07[reference.naive]:alice*2,bob*2,alice,messages@b",
        "schedule": execution.schedule,
        "preemptions": 1,
        "violation": violation,
        "violations": (violation,),
        "execution": execution,
        "replays": "10/10",
        "minimal": True,
    }
    return Counterexample(**{**values, **changed})


def stale_set(
    old: Any = 100,
    new: Any = 120,
    users: tuple[str, str] = ("alice", "bob"),
    key: str = "product:42",
    cached: Any = None,
    error: BaseException | None = None,
) -> Execution:
    """The reader loads, the writer writes and deletes, the reader fills: stale for ever."""
    reader, writer = users
    start: Layers = {
        "super_cache@a": {},
        "super_cache@b": {},
        "existing_cache": {},
        "origin": {key: old},
    }
    stale = old if cached is None else cached
    run = Recorder(start)
    run.step(reader, f"GET {key}", operation=0, node="a", existing_cache=(key, None))
    run.step(reader, f"origin: read {key}", operation=0, node="a")
    run.step(writer, f"origin: write {key}", operation=1, node="b", origin=(key, new))
    run.step(writer, f"DEL {key}", operation=1, node="b", existing_cache=(key, None))
    run.step(
        reader, f"SET {key}", operation=0, node="a",
        existing_cache=(key, stale), super_cache__a=(key, old),
    )  # fmt: skip
    run.step("messages@b", f"deliver invalidation of {key}", super_cache__b=(key, None))
    operations = (
        Operation(
            user=reader, node="a", kind="read", key=key, answer=None if error else old,
            error=error, called_at=0, returned_at=5, steps=3,
        ),
        Operation(
            user=writer, node="b", kind="write", key=key, value=new, called_at=2, returned_at=4,
            steps=2,
        ),
    )  # fmt: skip
    return Execution(
        schedule=Schedule((reader, reader, writer, writer, reader, "messages@b")),
        steps=run.steps,
        history=History(operations=operations, origin_watched=True, given={key: old}),
        start=start,
    )


def violated(execution: Execution | None = None, **changed: Any) -> Finding:
    found = counterexample_of(execution or stale_set())
    result = CheckResult(
        verdict=Verdict.VIOLATED,
        label=Label.CONFLICT,
        executions=7,
        violating=1,
        coverage="7 schedules were executed, 1 of them fails (2 users, 1 key)",
        counterexample=found,
    )
    finding = Finding(
        item="PRICE-07[reference.naive]",
        title="After a price change nobody is charged the old price",
        node_id="prices.supercache.yaml::PRICE-07[reference.naive]",
        path="prices.supercache.yaml",
        system="reference.naive",
        as_stated=False,
        result=result,
        replay_command=f"pytest prices.supercache.yaml --supercache-replay='{found.token}'",
    )
    return replace(finding, **changed)


def holds(**changed: Any) -> Finding:
    result = CheckResult(
        verdict=Verdict.HOLDS,
        exhausted=True,
        executions=10,
        interleavings=10,
        schedules=10,
        coverage="exhaustive: all 10 schedules were executed (2 users, 1 key)",
    )
    finding = Finding(
        item="PRICE-07[reference.fixed]", title="", node_id="p::fixed", as_stated=True,
        result=result,
    )  # fmt: skip
    return replace(finding, **changed)


def unknown() -> Finding:
    result = CheckResult(
        verdict=Verdict.UNKNOWN,
        executions=20_000,
        coverage="20,000 schedules were executed, not all (2 users, 1 key)",
        reasons=("the budget of 20,000 executions ran out", "alice never arrived"),
    )
    return Finding(item="PRICE-07", title="", node_id="p::u", as_stated=False, result=result)


def held(key: str = "product:42", old: Any = 100, new: Any = 120) -> Execution:
    """The nearest that passes: the reader fills before the writer deletes."""
    run = Recorder(
        {"super_cache@a": {}, "super_cache@b": {}, "existing_cache": {}, "origin": {key: old}}
    )
    start = run.layers
    run.step("alice", f"GET {key}", operation=0, node="a", existing_cache=(key, None))
    run.step("alice", f"origin: read {key}", operation=0, node="a")
    run.step("bob", f"origin: write {key}", operation=1, node="b", origin=(key, new))
    run.step(
        "alice", f"SET {key}", operation=0, node="a",
        existing_cache=(key, old), super_cache__a=(key, old),
    )  # fmt: skip
    run.step(
        "bob", f"DEL {key}", operation=1, node="b",
        existing_cache=(key, None), super_cache__a=(key, None),
    )  # fmt: skip
    run.step("messages@b", f"deliver invalidation of {key}", super_cache__b=(key, None))
    operations = (
        Operation(
            user="alice", node="a", kind="read", key=key, answer=old, called_at=0, returned_at=4,
            steps=3,
        ),
        Operation(
            user="bob", node="b", kind="write", key=key, value=new, called_at=2, returned_at=5,
            steps=2,
        ),
    )  # fmt: skip
    return Execution(
        schedule=Schedule(("alice", "alice", "bob", "alice", "bob", "messages@b")),
        steps=run.steps,
        history=History(operations=operations, origin_watched=True, given={key: old}),
        start=start,
    )


def compared(**changed: Any) -> Finding:
    """The stale set beside what passes, with what forces it and how much of everything fails."""
    read, write = ("alice", 1, "origin: read product:42"), ("bob", 0, "origin: write product:42")
    fill, delete = ("alice", 2, "SET product:42"), ("bob", 1, "DEL product:42")
    finding = violated(**changed)
    found = finding.result.counterexample
    assert found is not None
    found = replace(
        found,
        conflict_class="stale-set",
        explanation=(
            "class: stale-set (01): A fill stores what an invalidation should have removed\n"
            "fails exactly when somebody says so\npermanent fix: take a lease"
        ),
        causes=(
            Cause(pairs=((read, write), (delete, fill)), is_fewest=True),
            Cause(pairs=((read, ("carol", 0, "FLUSH")),), is_fewest=False),
        ),
        causes_are_all=True,
        passing=Passing(execution=held(), turned=((fill, delete),)),
    )
    share = Share(failing=3, interleavings=11, failing_schedules=26, schedules=504)
    result = replace(
        finding.result, counterexample=found, share=share, exhausted=True,
        interleavings=share.interleavings, schedules=share.schedules,
    )  # fmt: skip
    return replace(finding, result=result)
