"""Real time on a trace: against every linearization of small traces, by brute force."""

import random

import pytest

from pytest_supercache.core.footprint import NOTHING
from pytest_supercache.oracle.guarantee import NotJudgedError
from pytest_supercache.oracle.judge import KNOWN
from pytest_supercache.oracle.real_time import (
    HappensBefore,
    Pattern,
    linear_extension,
    possible_orders,
)
from tests.selection import either
from tests.traces import Move, Trace, random_trace, touching

GUARANTEES = {
    **{name: one for name, one in KNOWN.items() if not one.parameters},
    "bounded_staleness": KNOWN["bounded_staleness"](1.0),
    "cap_holds": KNOWN["cap_holds"](1),
    "cap_holds within": KNOWN["cap_holds"](1, window=2.0),
    "max_loads": KNOWN["max_loads"](1),
    "max_loads within": KNOWN["max_loads"](1, window=2.0),
    "ttl_respected": KNOWN["ttl_respected"](3.0),
}
TRACE_KIND = [name for name, one in GUARANTEES.items() if not one.real_time]
REAL_TIME = [name for name, one in GUARANTEES.items() if one.real_time and one.find_patterns]


def traces(seed, count, **options):
    rng = random.Random(seed)
    for _ in range(count):
        trace = random_trace(rng, **options)
        if len(trace.moves) >= 2:
            yield trace


def told_otherwise(trace):
    """Return a trace whose reads admit, and whose writes give one of two fields."""

    def fields(value):
        return None if value is None else {"ab"[value % 2]: value}

    moves = [
        Move(**{**vars(m), "commits": tuple((key, fields(value)) for key, value in m.commits)})
        for m in trace.moves
    ]
    operations = []
    for one in trace.operations:
        if one["kind"] == "read":
            told = {"kind": "book", "sightings": ((one["key"], one.get("answer") is not None),)}
            one = {"user": one["user"], **told}
        elif one["kind"] == "write":
            one = {**one, "value": fields(one["value"])}
        operations.append(one)
    return Trace(moves, operations, {key: {"a": 0, "b": 0} for key in trace.given})


THESE = ("cap_holds within", "no_lost_field")
"""Guarantees that have something to judge in a trace that is told otherwise."""


def verdict(guarantee, execution):
    try:
        found = guarantee.find_violation(execution)
    except NotJudgedError:
        return "not judged"
    return "holds" if found is None else "breaks"


def test_loads_are_about_real_time_only_within_a_window():
    assert "max_loads" in TRACE_KIND
    assert "max_loads within" in REAL_TIME


def test_a_verdict_of_kind_trace_is_the_same_in_every_linearization():
    seen = set()
    others = map(told_otherwise, traces(5, either(12, 50)))
    for trace in (*traces(1, either(12, 50)), *traces(7, either(12, 50), distinct=False), *others):
        executions = [trace.execution(order) for order in trace.linearizations()]
        for name in TRACE_KIND:
            verdicts = {verdict(GUARANTEES[name], execution) for execution in executions}
            assert len(verdicts) == 1, (name, trace)
            seen |= {(name, v) for v in verdicts}
    for name in ("sequentially_consistent", "max_loads", "durable_writes",
                 "no_lost_invalidation", "cap_holds"):  # fmt: skip
        assert {(name, "breaks"), (name, "holds")} <= seen, name


def test_the_worst_of_all_linearizations_is_found_from_each_of_them():
    hidden, never = set(), set()
    drawn = [*traces(2, either(30, 60)), *traces(8, either(15, 30), distinct=False)]
    others = map(told_otherwise, traces(6, either(30, 60)))
    for trace, names in [*((t, REAL_TIME) for t in drawn), *((t, THESE) for t in others)]:
        orders = list(trace.linearizations())
        for name in names:
            guarantee = GUARANTEES[name]
            verdicts = {order: verdict(guarantee, trace.execution(order)) for order in orders}
            worst = min(verdicts.values())  # "breaks" < "holds" < "not judged"
            if worst == "holds" and "not judged" in verdicts.values():
                worst = "not judged"
            for start in (orders[0], orders[-1]):
                reached = {verdicts[start], *verdicts_of_others(trace, start, guarantee)}
                assert worst in reached, (name, trace)
                if worst == "breaks" != verdicts[start]:
                    hidden.add(name)
                if worst == "holds":
                    never.add(name)
    assert never == set(REAL_TIME)
    assert hidden >= {
        "bounded_staleness", "max_loads within", "no_resurrection", "ttl_respected",
        "revocation_holds", "cap_holds within", "no_lost_field",
    }  # fmt: skip


def verdicts_of_others(trace, start, guarantee):
    tried = possible_orders(trace.execution(start), guarantee.find_patterns)
    renamed = Trace([trace.moves[at] for at in start], trace.operations, trace.given)
    return {verdict(guarantee, renamed.execution(renamed.order_of(actors))) for actors in tried}


def test_a_linear_extension_keeps_the_trace_and_holds_the_pattern_or_there_is_none():
    rng = random.Random(3)
    none = some = 0
    for trace in traces(4, 100):
        orders = set(trace.linearizations())
        execution = trace.execution()
        for _ in range(6):
            pairs = tuple(
                tuple(rng.sample(range(len(trace.moves)), 2)) for _ in range(rng.randint(1, 2))
            )
            schedule = linear_extension(execution, Pattern(pairs))
            possible = [o for o in orders if all(o.index(a) < o.index(b) for a, b in pairs)]
            assert (schedule is not None) == bool(possible)
            if schedule is None:
                none += 1
            else:
                some += 1
                assert trace.order_of(schedule) in possible
    assert min(none, some) > 100


def test_without_a_pattern_the_order_that_was_executed_is_kept():
    for trace in traces(5, 50):
        execution = trace.execution()
        assert linear_extension(execution, Pattern(())) == execution.schedule.choices


def test_happens_before_is_what_all_linearizations_share():
    for trace in traces(6, 100):
        orders = list(trace.linearizations())
        before = HappensBefore(trace.execution().steps)
        for one in range(len(trace.moves)):
            for other in range(len(trace.moves)):
                if one != other:
                    shared = all(o.index(one) < o.index(other) for o in orders)
                    assert before(one, other) == shared


def test_steps_of_other_phases_are_ordered_though_they_touch_nothing_in_common():
    execution = Trace([Move("a", "one", NOTHING), Move("b", "two", NOTHING)], []).execution()
    assert not HappensBefore(execution.steps)(0, 1)
    execution.steps[0].phase = "before"
    execution.steps[0].choice = None
    assert HappensBefore(execution.steps)(0, 1)
    assert linear_extension(execution, Pattern(((1, 0),))) is None


def test_two_sessions_on_two_nodes_hide_a_stale_read_in_one_trace():
    """The trap of the theory: one trace holds both violating and clean orders."""
    moves = [
        Move("alice", "look", touching(reads="cache@a:x"), 0),
        Move("bob", "commit", touching(writes="origin:x"), 1, (("x", None),)),
    ]
    operations = [
        {"user": "alice", "kind": "read", "key": "x", "answer": 0},
        {"user": "bob", "kind": "delete", "key": "x"},
    ]
    trace = Trace(moves, operations, {"x": 0})
    guarantee = KNOWN["no_resurrection"]
    assert verdict(guarantee, trace.execution()) == "holds"
    (schedule,) = possible_orders(trace.execution(), guarantee.find_patterns)
    assert schedule == ("bob", "alice")
    assert verdict(guarantee, trace.execution(trace.order_of(schedule))) == "breaks"


def test_where_the_read_depends_on_the_delete_there_is_no_other_order():
    moves = [
        Move("alice", "load", touching(reads="origin:x"), 0, loads=(("x", 0),)),
        Move("bob", "commit", touching(writes="origin:x"), 1, (("x", None),)),
    ]
    operations = [
        {"user": "alice", "kind": "read", "key": "x", "answer": 0},
        {"user": "bob", "kind": "delete", "key": "x"},
    ]
    execution = Trace(moves, operations, {"x": 0}).execution()
    assert list(possible_orders(execution, KNOWN["no_resurrection"].find_patterns)) == []


@pytest.mark.parametrize("committed", [True, False])
def test_a_dirty_read_is_found_though_the_commit_came_first_in_the_order_that_was_executed(
    committed,
):
    draft = Move("bob", "set", touching(writes="cache@a:x"), 0, uncommitted=(("x", 1, committed),))
    commit = Move("bob", "commit", touching(writes="origin:x"), 0, (("x", 1),))
    look = Move("alice", "look", touching(reads="cache@a:x"), 1)
    operations = [
        {"user": "bob", "kind": "write", "key": "x", "value": 1},
        {"user": "alice", "kind": "read", "key": "x", "answer": 1},
    ]
    trace = Trace([draft, commit, look] if committed else [draft, look], operations, {"x": 0})
    guarantee, execution = KNOWN["no_dirty_reads"], trace.execution()
    assert (verdict(guarantee, execution) == "breaks") == (not committed)
    schedules = list(possible_orders(execution, guarantee.find_patterns))
    assert schedules == [("bob", "alice", "bob")] * committed
    for schedule in schedules:
        assert verdict(guarantee, trace.execution(trace.order_of(schedule))) == "breaks"
