"""Python code that code of C, an operator or the library runs: generators, counters, readers.

A thread may lose its turn in the midst of it. Under a lock nobody else comes.
"""

import collections
import csv
import functools
import graphlib
import itertools
import operator
import shlex
import threading

import pytest

from tests.soundness.truth import System, broken, right, systems_of


def _numbers():
    number = 0
    while number < 4:
        yield number
        number += 1


def _starred(taken):
    return [*taken]


def _extended(taken):
    rows = []
    rows.extend(taken)
    return rows


def _sent(taken):
    try:
        return taken.send(None)
    except StopIteration:
        return None


TAKERS = {
    "list": list,
    "sum": sum,
    "sorted": sorted,
    "any": any,
    "max": lambda taken: max(taken, default=0),
    "deque": collections.deque,
    "dict.fromkeys": dict.fromkeys,
    "a star": _starred,
    "extend": _extended,
    "in": lambda taken: 9 in taken,
    "send": _sent,
    "islice": lambda taken: list(itertools.islice(taken, 2)),
    "zip": lambda taken: list(zip(taken, [1, 2], strict=False)),
    "map": lambda taken: list(map(str, taken)),
    "join": lambda taken: ",".join(map(str, taken)),
}
SHARED = {
    "islice": lambda: itertools.islice(_numbers(), 4),
    "enumerate": lambda: enumerate(_numbers()),
    "one of tee": lambda: itertools.tee(_numbers())[0],
}


def _added_in_place(counter):
    counter += collections.Counter(k=1)


COUNTED = {
    "+": lambda counter: counter + counter,
    "-": lambda counter: counter - collections.Counter(),
    "&": lambda counter: counter & counter,
    "<=": lambda counter: counter <= collections.Counter(k=9),
    "==": lambda counter: counter == collections.Counter(k=1),
    "unary -": lambda counter: -counter,
    "operator.add": lambda counter: operator.add(counter, counter),
    "reduce": lambda counter: functools.reduce(operator.add, [counter, counter]),
}


def _sorter():
    sorter = graphlib.TopologicalSorter({"b": {"a"}})
    sorter.prepare()
    return sorter


READERS = {
    "a topological sorter": (
        _sorter,
        lambda sorter: sorter.get_ready(),
        lambda answers: sorted(answers) == [(), ("a",)],
    ),
    "a reader of CSV": (
        lambda: csv.DictReader(["x", "1", "2"]),
        next,
        lambda answers: sorted(row["x"] for row in answers) == ["1", "2"],
    ),
    "a lexer": (
        lambda: shlex.shlex("a b"),
        lambda lexer: lexer.get_token(),
        lambda answers: sorted(answers) == ["a", "b"],
    ),
}


def _pair(name, make, use, second_use=None, expect=lambda _answers: True):
    """State what is broken when two users use one object, and right when a lock is around it."""

    def unlocked(world, guard=lambda use, shared: use(shared)):
        redis, shared = world.existing_cache.client(), make()

        def go(actor, use):
            redis.get(actor)
            return guard(use, shared)

        world.actor("alice", go, "alice", use)
        world.actor("bob", go, "bob", second_use or use)
        answers = world.run()
        assert expect([*answers.values()] if second_use is None else shared)

    def locked(world):
        lock = threading.Lock()

        def guard(use, shared):
            with lock:
                return use(shared)

        unlocked(world, guard)

    def unguarded(world):
        unlocked(world)

    unguarded.__name__, locked.__name__ = f"{name} without a lock", f"{name} under a lock"
    broken("the other one comes in the midst of it")(unguarded)
    right("nobody comes in the midst of it")(locked)


for _name, _use in TAKERS.items():
    _pair(f"a generator taken by {_name}", _numbers, _use)
for _name, _make in SHARED.items():
    _pair(f"{_name} of a generator", _make, list)
for _name, _use in COUNTED.items():
    _pair(
        f"counters and {_name}",
        lambda: collections.Counter(k=5, z=1),
        _use,
        lambda counter: counter.__setitem__("c", 5),
    )
_pair(
    "a counter added to in place",
    lambda: collections.Counter(k=5),
    _added_in_place,
    lambda counter: _added_in_place(counter),
    lambda counter: counter["k"] == 7,
)
for _name, (_make, _use, _expect) in READERS.items():
    _pair(_name, _make, _use, None, _expect)


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_the_truth_is_told(system: System):
    system.must_be_told()
