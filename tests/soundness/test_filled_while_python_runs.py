"""Code of C that fills what users share with what Python code gives it, one element at a time.

Others may come in where that Python code begins, and find a part of the whole. What is taken first
into a container of the user's own is filled in one step.
"""

import collections
import io
import json
import pickle
import threading

import pytest

from tests.soundness.truth import System, broken, right, systems_of


class _Mapping:
    """What has keys and values, and is no dict."""

    def keys(self):
        return ["low", "high"]

    def __getitem__(self, key):
        return 2


class _Pairs:
    """An iterator of Python."""

    def __init__(self):
        self.left = [("low", 2), ("high", 2)]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


class _Sequence:
    """What is gone through by the numbers of its elements."""

    def __len__(self):
        return 2

    def __getitem__(self, at):
        return [("low", 2), ("high", 2)][at]


def _each_pair():
    yield "low", 2
    yield "high", 2


SOURCES = {
    "a UserDict": lambda: collections.UserDict(low=2, high=2),
    "a ChainMap": lambda: collections.ChainMap({"low": 2, "high": 2}),
    "a mapping": _Mapping,
    "an iterator": _Pairs,
    "a sequence": _Sequence,
    "a generator": _each_pair,
}


def _or(entries, source):
    entries |= source


def _add(rows, source):
    rows += source


FILLED = {
    "update": lambda entries, source: entries.update(source),
    "|=": _or,
}
EXTENDED = {
    "extend": lambda rows, source: rows.extend(source),
    "+=": _add,
}


def _state(name, make, fill, source, copied, look, is_whole):
    """State what is broken, and what is right where the source is copied first."""

    def with_source(world, take):
        shared = make()
        world.actor("fill", lambda: fill(shared, take(source())))
        world.actor("look", lambda: look(shared))
        assert is_whole(world.run()["look"])

    def filled_by_python(world):
        with_source(world, lambda given: given)

    def filled_by_a_copy(world):
        with_source(world, copied)

    filled_by_python.__name__, filled_by_a_copy.__name__ = name, f"{name} that is copied"
    broken("the look comes between the first element and the second")(filled_by_python)
    right("all elements are there before the first is put in")(filled_by_a_copy)


for _source, _given in SOURCES.items():
    for _kind in (dict, collections.OrderedDict):
        for _way, _fill in FILLED.items():
            _state(
                f"{_kind.__name__} and {_way} by {_source}",
                lambda kind=_kind: kind(low=1, high=1),
                _fill,
                _given,
                dict,
                lambda entries: [*entries.values()],
                lambda found: found != [2, 1],
            )
for _source in ("an iterator", "a sequence", "a generator"):
    for _made in (list, collections.deque):
        for _way, _fill in EXTENDED.items():
            _state(
                f"{_made.__name__} and {_way} by {_source}",
                _made,
                _fill,
                SOURCES[_source],
                list,
                len,
                lambda found: found != 1,
            )
_state(
    "lines by a generator",
    io.StringIO,
    lambda out, lines: out.writelines(lines),
    lambda: (line for line in "ab"),
    list,
    lambda out: out.getvalue(),
    lambda found: found != "a",
)


def _replaced(world, change, lock=None):
    """Let two users add one row by a part that they replace."""
    rows, lock = [], lock or threading.Semaphore(2)

    def go():
        with lock:
            change(rows)

    world.actor("alice", go)
    world.actor("bob", go)
    world.run()
    return rows


def _with_one_more(rows):
    rows[:] = (row for row in [*rows, len(rows)])


@broken("both copy the rows before one of them replaces them")
def a_part_replaced_by_a_generator(world):
    assert _replaced(world, _with_one_more) == [0, 1]


@right("under a lock one replaces them after the other")
def a_part_replaced_by_a_generator_under_a_lock(world):
    assert _replaced(world, _with_one_more, threading.Lock()) == [0, 1]


def _looked_at_while_replaced(world, lock=None):
    rows, lock = [1], lock or threading.Semaphore(2)

    def given():
        yield len(rows)

    def replace():
        with lock:
            rows[:] = given()

    def change():
        with lock:
            rows.append(4)

    world.actor("replace", replace)
    world.actor("change", change)
    world.run()
    return rows


@broken("the row is appended after the generator has looked, and is replaced")
def a_part_replaced_by_what_looks_at_it(world):
    assert _looked_at_while_replaced(world) in ([2], [1, 4])


@right("under a lock nothing comes between the look and the replacement")
def a_part_replaced_by_what_looks_at_it_under_a_lock(world):
    assert _looked_at_while_replaced(world, threading.Lock()) in ([2], [1, 4])


@broken("the function that stands in for an object runs between the two rows")
def rows_written_as_json_around_a_default(world):
    assert _rows_around(world, object()) in ([1], [2])


@right("nothing of Python runs between the two rows")
def rows_written_as_json_around_a_number(world):
    assert _rows_around(world, 0) in ([1], [2])


def _rows_around(world, middle):
    rows = [1]

    def change():
        rows[0] = 2

    def write():
        return json.loads(json.dumps([rows, middle, rows], default=lambda _: 0))

    world.actor("change", change)
    world.actor("write", write)
    before, _, after = world.run()["write"]
    return before if before == after else None


class _State:
    """What tells by a function what of it is to be pickled."""

    def __getstate__(self):
        return 0


@broken("the function that tells what to pickle runs between the two rows")
def rows_pickled_around_an_object_that_tells_its_state(world):
    assert _pickled_around(world, _State()) in (([1], [1]), ([2], [2]))


@right("nothing of Python runs between the two rows")
def rows_pickled_around_a_number(world):
    assert _pickled_around(world, 0) in (([1], [1]), ([2], [2]))


def _pickled_around(world, middle):
    rows = [[1], middle, [1]]

    def change():
        rows[:] = [[2], 0, [2]]

    def write():
        before, _, after = pickle.loads(pickle.dumps(rows))
        return before, after

    world.actor("change", change)
    world.actor("write", write)
    return world.run()["write"]


@broken("another row comes in the midst of the addition")
def rows_added_in_place(world):
    assert _added(world, lambda given: given) in (["a", "b", "c"], ["c", "a", "b"])


@right("what is added is there before")
def rows_added_in_place_that_are_copied(world):
    assert _added(world, list) in (["a", "b", "c"], ["c", "a", "b"])


def _added(world, take):
    rows = []

    def add():
        added = rows
        added += take(row for row in "ab")

    world.actor("add", add)
    world.actor("append", rows.append, "c")
    world.run()
    return rows


class _Added:
    """What says itself how it is added to a list."""

    def __radd__(self, rows):
        return [*rows, "own"]

    def __iter__(self):
        return iter("never")


@right("the right operand adds itself, as without a check")
def rows_added_by_the_right_operand(world):
    rows = ["a"]

    def add():
        added = rows
        added += _Added()
        return added

    world.actor("add", add)
    world.actor("look", lambda: rows.append("b"))
    assert world.run()["add"] in (["a", "own"], ["a", "b", "own"])


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_the_truth_is_told(system: System):
    system.must_be_told()
