"""Code of C that goes into the elements of what it is given, or calls other code of C with them.

A writer changes the first element of a container and then the second; whoever reads both in one
call of C may find one changed. What only passes elements on reads none of them.
"""

import bisect
import collections
import csv
import functools
import heapq
import io
import itertools
import operator
import threading

import pytest

from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests.soundness.truth import System, broken, right, systems_of


class _Band:
    """A pair of numbers that belong together."""

    def __init__(self):
        self.low = self.high = 1


def _grow(rows):
    rows[0].append(1)
    rows[1].append(1)


def _set_last(rows):
    rows[0][1] = 2
    rows[1][1] = 2


def _set_first(rows):
    rows[0][0] = 98
    rows[1][0] = 98


def _widen(rows):
    rows[0].low = 2
    rows[0].high = 2


def _name(rows):
    rows[0].name = "b"
    rows[1].name = "b"


def _lists():
    return [[], []]


def _pairs():
    return [["a", 1], ["b", 1]]


def _buffers():
    return [bytearray(b"a"), bytearray(b"a")]


def _bands():
    return [_Band(), _Band()]


def _first_alone(lengths):
    return list(lengths) == [1, 0]


def _first_two(lengths):
    return next(lengths), next(lengths)


def _updated(pairs):
    entries = {}
    entries.update(pairs)
    return entries


def _or_in_place(pairs):
    entries = {}
    entries |= pairs
    return entries


def _written(rows):
    out = io.StringIO()
    csv.writer(out, lineterminator=" ").writerows(rows)
    return out.getvalue()


def _joined_lines(rows):
    out = io.BytesIO()
    out.writelines(rows)
    return out.getvalue()


def _sorted_in_place(rows, key):
    copied = [*rows]
    copied.sort(key=key)
    return copied[0] is rows[1]


def _last(row):
    return row[-1]


def _got_last(rows):
    return sorted(rows, key=operator.itemgetter(1))[0] is rows[1]


LISTS = {
    "map(len)": lambda rows: _first_alone(map(len, rows)),
    "sum of map(len)": lambda rows: sum(map(len, rows)) == 1,
    "map(sum)": lambda rows: _first_alone(map(sum, rows)),
    "map(tuple)": lambda rows: list(map(tuple, rows)) == [(1,), ()],
    "map(list)": lambda rows: list(map(list, rows)) == [[1], []],
    "map(bool)": lambda rows: _first_alone(map(bool, rows)),
    "join of map(str)": lambda rows: "".join(map(str, rows)) == "[1][]",
    "map of a method caller": lambda rows: (
        list(map(operator.methodcaller("copy"), rows)) == [[1], []]
    ),
    "map of a method": lambda rows: list(map(list.copy, rows)) == [[1], []],
    "map of an operator": lambda rows: list(map(operator.truth, rows)) == [True, False],
    "map of two": lambda rows: list(map(operator.concat, rows, [[], []])) == [[1], []],
    "map of a map": lambda rows: _first_alone(map(len, map(tuple, rows))),
    "map of a map of a method": lambda rows: (
        list(map(len, map(rows.__getitem__, (0, 1)))) == [1, 0]
    ),
    "map of a loop": lambda rows: [length + 1 for length in map(len, rows)] == [2, 1],
    "next of map(len)": lambda rows: _first_two(map(len, rows)) == (1, 0),
    "map of one of tee": lambda rows: _first_alone(map(len, itertools.tee(rows)[0])),
    "zip of map(len)": lambda rows: (
        [*zip(map(len, rows), "ab", strict=True)] == [(1, "a"), (0, "b")]
    ),
    "groups": lambda rows: [length for length, _ in itertools.groupby(rows, len)] == [1, 0],
    "text of values": lambda rows: f"{dict(enumerate(rows)).values()}" == "dict_values([[1], []])",
    "map of a filter": lambda rows: list(map(len, filter(None, rows))) == [1],
    "map of values": lambda rows: _first_alone(map(len, dict(enumerate(rows)).values())),
    "map of a partial": lambda rows: (
        list(map(functools.partial(operator.concat, [0]), rows)) == [[0, 1], [0]]
    ),
    "a star of map(len)": lambda rows: [*map(len, rows)] == [1, 0],
    "an unpacked map(len)": lambda rows: (lambda first, second: (first, second) == (1, 0))(
        *map(len, rows)
    ),
    "in map(len)": lambda rows: 0 in map(len, rows) and 1 in map(len, rows[:1]),
    "chain.from_iterable": lambda rows: len(list(itertools.chain.from_iterable(rows))) == 1,
    "sum of a chain": lambda rows: sum(itertools.chain.from_iterable(rows)) == 1,
    "chain of values": lambda rows: (
        len([*itertools.chain.from_iterable(dict(enumerate(rows)).values())]) == 1
    ),
    "any and all": lambda rows: any(rows) and not all(rows),
    "filter(None)": lambda rows: len(list(filter(None, rows))) == 1,
    "filter(len)": lambda rows: len(list(filter(len, rows))) == 1,
    "filterfalse": lambda rows: len(list(itertools.filterfalse(None, rows))) == 1,
    "compress": lambda rows: list(itertools.compress("ab", rows)) == ["a"],
    "takewhile": lambda rows: len(list(itertools.takewhile(len, rows))) == 1,
    "starmap": lambda rows: list(itertools.starmap(lambda *row: len(row), rows)) == [1, 0],
    "accumulate": lambda rows: len([*itertools.accumulate(rows)][1]) == 1,
    "in": lambda rows: [1] in rows and [] in rows,
    "in a tuple": lambda rows: (lambda a, b: [1] in (a, b) and [] in (a, b))(*rows),
    "index": lambda rows: [*rows, [1], []].index([]) == 1,
    "count": lambda rows: rows.count([1]) == 1,
    "count of an operator": lambda rows: operator.countOf(rows, [1]) == 1,
    "sort": lambda rows: _sorted_in_place(rows, None),
    "sort by len": lambda rows: _sorted_in_place(rows, len),
    "a place by bisection": lambda rows: bisect.bisect_left([*reversed(rows)], [1]) == 1,
    "the smallest": lambda rows: heapq.nsmallest(1, rows, key=len)[0] is rows[1],
    "sorted values": lambda rows: sorted(dict(enumerate(rows)).values()) == [[], [1]],
    "rows of CSV": lambda rows: len(_written(rows).split()) == 1,
}
PAIRS = {
    "dict": lambda rows: [*dict(rows).values()] == [2, 1],
    "OrderedDict": lambda rows: [*collections.OrderedDict(rows).values()] == [2, 1],
    "defaultdict": lambda rows: [*collections.defaultdict(int, rows).values()] == [2, 1],
    "dict of a map": lambda rows: [*dict(map(tuple, rows)).values()] == [2, 1],
    "update": lambda rows: [*_updated(rows).values()] == [2, 1],
    "|=": lambda rows: [*_or_in_place(rows).values()] == [2, 1],
    "starmap of a function": lambda rows: list(itertools.starmap(_second, rows)) == [2, 1],
    "in": lambda rows: ["a", 2] in rows and ["b", 1] in rows,
    "count": lambda rows: rows.count(["a", 2]) and rows.count(["b", 1]),
    "min of values": lambda rows: (
        min(dict(enumerate(rows)).values(), key=operator.itemgetter(1)) is rows[1]
    ),
    "sorted by a getter": _got_last,
    "map of getitem": lambda rows: list(map(operator.getitem, rows, (1, 1))) == [2, 1],
}


def _second(_, second):
    return second


BUFFERS = {
    "join of bytes": lambda rows: b"".join(rows) == b"ba",
    "lines of bytes": lambda rows: _joined_lines(rows) == b"ba",
    "map(bytes)": lambda rows: b"".join(map(bytes, rows)) == b"ba",
}
BANDS = {
    "map of a partial of getattr": lambda rows: (
        [*map(functools.partial(getattr, rows[0]), ("low", "high"))] == [2, 1]
    ),
    "map of getattr": lambda rows: [*map(getattr, (rows[0],) * 2, ("low", "high"))] == [2, 1],
    "map of getattr and repeat": lambda rows: (
        [*map(getattr, itertools.repeat(rows[0]), ("low", "high"))] == [2, 1]
    ),
    "sorted by a partial of getattr": lambda rows: (
        sorted(("low", "high"), key=functools.partial(getattr, rows[0])) == ["high", "low"]
    ),
}
NAMED = {
    "map(len) of map(vars)": lambda rows: [*map(len, map(vars, rows))] == [3, 2],
    "map(vars)": lambda rows: [len(members) for members in [*map(dict, map(vars, rows))]] == [3, 2],
}
SHALLOW = {
    "len": len,
    "list": list,
    "a star": lambda rows: [*rows],
    "enumerate": lambda rows: [*enumerate(rows)],
    "zip": lambda rows: [*zip(rows, rows, strict=True)],
    "reversed": lambda rows: [*reversed(rows)],
    "islice": lambda rows: [*itertools.islice(rows, 2)],
    "chain": lambda rows: [*itertools.chain(rows, rows)],
    "values": lambda rows: [*dict(enumerate(rows)).values()],
    "a deque": collections.deque,
    "append": lambda rows: [].append(rows),
    "extend": lambda rows: [].extend(rows),
    "a loop": lambda rows: [None for _ in rows],
    "in": lambda rows: 7 in rows,
    "count": lambda rows: rows.count("a"),
    "map(id)": lambda rows: [*map(id, rows)],
    "dict": lambda rows: dict.fromkeys(range(2), rows),
    "dict of pairs": lambda rows: dict(zip("ab", rows, strict=True)),
    "update": lambda rows: {}.update(dict(enumerate(rows))),
}


def _state(name, make, change, finds_one):
    """State what is broken, and what is right under one lock."""

    def unlocked(world, lock=None):
        rows, lock = make(), lock or threading.Semaphore(2)

        def change_all():
            with lock:
                change(rows)

        def look():
            with lock:
                return finds_one(rows)

        world.actor("change", change_all)
        world.actor("look", look)
        assert not world.run()["look"]

    def locked(world):
        unlocked(world, threading.Lock())

    def without_lock(world):
        unlocked(world)

    without_lock.__name__, locked.__name__ = f"{name} without a lock", f"{name} under a lock"
    broken("the look comes between the two changes")(without_lock)
    right("the changes are made under the lock of the look")(locked)


for _name_of, _look in LISTS.items():
    _state(f"lists and {_name_of}", _lists, _grow, _look)
for _name_of, _look in PAIRS.items():
    _state(f"pairs and {_name_of}", _pairs, _set_last, _look)
for _name_of, _look in BUFFERS.items():
    _state(f"buffers and {_name_of}", _buffers, _set_first, _look)
for _name_of, _look in BANDS.items():
    _state(f"attributes and {_name_of}", _bands, _widen, _look)
for _name_of, _look in NAMED.items():
    _state(f"members and {_name_of}", _bands, _name, _look)


def _counted(world, count, make, lock=None):
    """Let two users count one up by code of C that a map calls."""
    counter, lock = make(), lock or threading.Semaphore(2)

    def up():
        with lock:
            count(counter)

    world.actor("alice", up)
    world.actor("bob", up)
    world.run()
    return counter


def _by_setitem(entries):
    list(map(functools.partial(entries.__setitem__, "n"), [entries["n"] + 1]))


def _by_setattr(band):
    list(map(functools.partial(setattr, band, "low"), [band.low + 1]))


def _copied_part(rows):
    copied = []
    copied[:] = rows
    return copied


def _copied_beside(world, lock=None):
    rows, lock = ["a"], lock or threading.Semaphore(2)

    def swap():
        with lock:
            rows.append("b")
            rows.pop(0)

    def look():
        with lock:
            return _copied_part(rows)

    world.actor("swap", swap)
    world.actor("look", look)
    return len(world.run()["look"])


@broken("the copy is made between the two changes")
def a_part_that_is_replaced_by_rows(world):
    assert _copied_beside(world) == 1


@right("the changes are made under the lock of the copy")
def a_part_that_is_replaced_by_rows_under_a_lock(world):
    assert _copied_beside(world, threading.Lock()) == 1


def _emptied(rows):
    if rows[0]:
        list(map(list.pop, rows))


@broken("both store what they have counted")
def a_map_of_a_partial_that_stores_an_entry(world):
    assert _counted(world, _by_setitem, lambda: {"n": 0})["n"] == 2


@right("under a lock they count one after the other")
def a_map_of_a_partial_that_stores_an_entry_under_a_lock(world):
    assert _counted(world, _by_setitem, lambda: {"n": 0}, threading.Lock())["n"] == 2


@broken("both store what they have counted")
def a_map_of_a_partial_that_sets_an_attribute(world):
    assert _counted(world, _by_setattr, _Band).low == 3


@right("under a lock they count one after the other")
def a_map_of_a_partial_that_sets_an_attribute_under_a_lock(world):
    assert _counted(world, _by_setattr, _Band, threading.Lock()).low == 3


@broken("both find something, and one of them takes nothing: an IndexError")
def a_map_of_a_method_that_takes_away(world):
    assert _counted(world, _emptied, lambda: [[1]]) == [[]]


@right("under a lock the second one finds nothing")
def a_map_of_a_method_that_takes_away_under_a_lock(world):
    assert _counted(world, _emptied, lambda: [[1]], threading.Lock()) == [[]]


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_the_truth_is_told(system: System):
    system.must_be_told()


@pytest.mark.parametrize("name", SHALLOW)
def test_what_passes_elements_on_reads_none_of_them(name):
    def body(world):
        rows = [[], []]
        world.actor("change", _grow, rows)
        world.actor("look", SHALLOW[name], rows)
        world.run()

    settings = Exploration(odds=Simulation(runs=0), lists_memory=True)
    assert check_on(start_server("fakeredis"), body, settings, guarantees=()).memory == ()
