"""Code of C that walks over a container of the users and calls Python code for each element.

While that runs another thread may take the first element away, and what follows moves up: the walk
goes on behind it, and leaves out an element that was there all the time. Where all that is called
is C code too, nobody comes in.
"""

import bisect
import collections
import datetime
import decimal
import enum
import fractions
import functools
import heapq
import ipaddress
import itertools
import operator
import pathlib
import posixpath
import threading
import uuid

import pytest

from tests.soundness.truth import broken, right, systems_of


def _upper(row):
    return row.upper()


def _is_last(row):
    return row == "b"


def _extended(taken):
    rows = []
    rows.extend(taken)
    return rows


def _updated(taken):
    rows = set()
    rows.update(taken)
    return rows


def _spread(*rows):
    return rows


def _unpacked(taken):
    first, second = taken
    return first, second


def _unpacked_rest(taken):
    first, *rest = taken
    return [first, *rest]


def _each(taken):
    yield from taken


TAKERS = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
    "dict": lambda taken: dict(zip(taken, itertools.count(), strict=False)),
    "fromkeys": dict.fromkeys,
    "sorted": sorted,
    "enumerate": lambda taken: [row for _, row in list(enumerate(taken))],
    "islice": lambda taken: list(itertools.islice(taken, 5)),
    "a class by a name": lambda taken: _Rows(taken),
    "extend": _extended,
    "update": _updated,
    "join": "".join,
    "a star": lambda taken: [*taken],
    "a star among others": lambda taken: ["", *taken],
    "a star in a set": lambda taken: {*taken},
    "a star in a call": lambda taken: _spread(*taken),
    "a star in a call with more": lambda taken: _spread("", *taken),
    "a star in a call of C": lambda taken: "".join(*[taken]),
    "in": lambda taken: "B" if "B" in taken else "",
    "not in": lambda taken: "" if "B" not in taken else "B",
    "a starred name": _unpacked_rest,
}


class _Rows(list):
    """A list of the project's own, which is filled by C code."""


def _walk(world, look, make=lambda: ["a", "b"], lock=None):
    """Let one user walk over rows while another one takes the first of them away."""
    lock, rows = lock or threading.Semaphore(2), make()

    def walk():
        with lock:
            return look(rows)

    def drop():
        with lock:
            rows.pop(0)

    world.actor("walk", walk)
    world.actor("drop", drop)
    return world.run()["walk"]


def _of_map(name, take):
    def over_python(world):
        assert "B" in _walk(world, lambda rows: take(map(_upper, rows)))

    def over_c(world):
        assert "B" in _walk(world, lambda rows: take(map(str.upper, rows)))

    over_python.__name__ = f"{name} of a map of a function of Python"
    over_c.__name__ = f"{name} of a map of a function of C"
    broken("the first row goes while the function runs, and the last one moves up")(over_python)
    right("nothing of Python is called")(over_c)


for _name, _take in TAKERS.items():
    _of_map(_name, _take)


@broken("the first row goes while the function runs")
def a_list_of_a_map_of_a_method(world):
    board = _Board()
    world.actor("walk", board.page)
    world.actor("drop", board.drop)
    assert "<b>" in world.run()["walk"]


@right("the walk and the removal hold one lock")
def a_list_of_a_map_of_a_method_under_a_lock(world):
    board = _Board(threading.Lock())
    world.actor("walk", board.page)
    world.actor("drop", board.drop)
    assert "<b>" in world.run()["walk"]


class _Board:
    def __init__(self, lock=None):
        self.lock = lock or threading.Semaphore(2)
        self.rows = ["a", "b"]

    def shown(self, row):
        return f"<{row}>"

    def page(self):
        with self.lock:
            return list(map(self.shown, self.rows))

    def drop(self):
        with self.lock:
            self.rows.remove("a")


def _two_unpacked(world, look):
    rows = ["a", "b"]

    def swap():
        rows[:] = ["c", "d"]

    world.actor("walk", look, rows)
    world.actor("swap", swap)
    return world.run()["walk"]


@broken("the rows are replaced while the function runs for the first of them")
def a_map_unpacked(world):
    assert _two_unpacked(world, lambda rows: _unpacked(map(_upper, rows))) != ("A", "D")


@right("the rows are copied in one step")
def a_map_of_a_copy_unpacked(world):
    assert _two_unpacked(world, lambda rows: _unpacked(map(_upper, rows[:]))) != ("A", "D")


def _second_left_out(world, copied):
    rows, others = ["a", "b", "c"], ["x"]

    def shown(row):
        return [*map(_upper, others), row] if row == "a" else [row]

    def drop():
        others.append("y")
        rows.pop(0)

    world.actor("walk", lambda: [row[-1] for row in list(map(shown, copied(rows)))])
    world.actor("drop", drop)
    return world.run()["walk"]


@broken("the first row goes in the second call; in the first one C code has called back, too")
def a_map_in_a_map(world):
    assert _second_left_out(world, lambda rows: rows) != ["a", "b"]


@right("the rows are copied in one step")
def a_map_in_a_map_of_a_copy(world):
    assert _second_left_out(world, list) != ["a", "b"]


FINDERS = {
    "next": lambda taken: next(taken, None),
    "list": lambda taken: (list(taken) or [None])[0],
    "a loop": lambda taken: ([row for row in taken if row is not None] or [None])[0],
    "yield from": lambda taken: next(_each(taken), None),
    "in": lambda taken: "b" if "b" in taken else None,
    "next of a chain": lambda taken: next(itertools.chain(taken), None),
}


def _of_filter(name, find):
    def over_python(world):
        assert _walk(world, lambda rows: find(filter(_is_last, rows))) == "b"

    def over_c(world):
        assert _walk(world, lambda rows: find(filter("b".__eq__, rows))) == "b"

    over_python.__name__ = f"{name} of a filter by a function of Python"
    over_c.__name__ = f"{name} of a filter by a function of C"
    broken("the first row goes while the function runs, and the last one is not looked at")(
        over_python
    )
    right("nothing of Python is called")(over_c)


for _name, _find in FINDERS.items():
    _of_filter(_name, _find)


@broken("the first row goes while the function of dropwhile runs")
def next_of_rows_dropped_while(world):
    def look(rows):
        return next(itertools.dropwhile(lambda row: row != "b", rows), None)

    assert _walk(world, look) == "b"


@right("the rows are dropped from a copy")
def next_of_a_copy_of_rows_dropped_while(world):
    def look(rows):
        return next(itertools.dropwhile(lambda row: row != "b", [*rows]), None)

    assert _walk(world, look) == "b"


class _Part:
    """An element all of whose protocols are code under test."""

    def __init__(self, number):
        self.number = number

    def __hash__(self):
        return hash(self.number)

    def __eq__(self, other):
        return self.number == int(other)

    def __int__(self):
        return self.number

    def __index__(self):
        return self.number

    def __str__(self):
        return str(self.number)

    def __repr__(self):
        return str(self.number)

    def __bool__(self):
        return self.number == 9

    def __len__(self):
        return self.number

    def __iter__(self):
        yield self.number

    def __neg__(self):
        return -self.number

    def __call__(self):
        return self.number

    def told(self):
        return self.number

    @property
    def shown(self):
        return self.number


class _Truth:
    """An element that has nothing but a truth."""

    def __init__(self, number):
        self.number = number

    def __bool__(self):
        return self.number == 9


PROTOCOLS = {
    "int": lambda rows: 9 in list(map(int, rows)),
    "str": lambda rows: "9" in list(map(str, rows)),
    "join of str": lambda rows: "9" in "".join(map(str, rows)),
    "len": lambda rows: 9 in list(map(len, rows)),
    "hash": lambda rows: 9 in list(map(hash, rows)),
    "list": lambda rows: [9] in list(map(list, rows)),
    "index": lambda rows: 9 in list(map(operator.index, rows)),
    "neg": lambda rows: -9 in [*map(operator.neg, rows)],
    "call": lambda rows: 9 in list(map(operator.call, rows)),
    "a method": lambda rows: 9 in list(map(operator.methodcaller("told"), rows)),
    "a property": lambda rows: 9 in list(map(operator.attrgetter("shown"), rows)),
    "a property by getattr": lambda rows: 9 in list(map(getattr, rows, itertools.repeat("shown"))),
    "the hash in a set": lambda rows: 9 in map(int, list(set(rows))),
    "the hash in a starred set": lambda rows: 9 in map(int, list({*rows})),
    "the hash in fromkeys": lambda rows: 9 in map(int, [*dict.fromkeys(rows)]),
    "bytes": lambda rows: 9 in bytes(rows),
    "bytearray": lambda rows: 9 in bytearray(rows),
    "the truth in a filter": lambda rows: [row.number for row in list(filter(None, rows))] == [9],
    "repr of all": lambda rows: "9" in repr(rows),
    "str of all": lambda rows: "9" in str(rows),
    "a chain": lambda rows: 9 in list(itertools.chain.from_iterable(rows)),
    "equality in a list": lambda rows: 9 in rows,
    "equality in a count": lambda rows: rows.count(9) == 1,
}


def _of_elements(name, look):
    def of_python(world):
        assert _walk(world, look, lambda: [_Part(1), _Part(9)])

    def under_a_lock(world):
        assert _walk(world, look, lambda: [_Part(1), _Part(9)], threading.Lock())

    of_python.__name__ = f"{name} of elements of Python"
    under_a_lock.__name__ = f"{name} of elements of Python under a lock"
    broken("the first element goes while its method runs")(of_python)
    right("both hold the lock")(under_a_lock)


for _name, _look in PROTOCOLS.items():
    _of_elements(_name, _look)


@broken("the first element goes while it is asked for its truth")
def any_of_elements_with_a_truth(world):
    assert _walk(world, any, lambda: [_Truth(1), _Truth(9)])


@right("numbers are asked by C code")
def any_of_numbers(world):
    assert _walk(world, any, lambda: [0, 9])


@right("numbers are texts by C code")
def a_list_of_texts_of_numbers(world):
    assert "9" in _walk(world, lambda rows: list(map(str, rows)), lambda: [1, 9])


@right("tuples are hashed by C code")
def a_set_of_tuples(world):
    assert (9,) in _walk(world, set, lambda: [(1,), (9,)])


def _uuid(number):
    return uuid.UUID(int=number)


@functools.total_ordering
class _Ordered:
    """An element whose ``>`` is code of `functools`."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return self.number == other.number

    def __lt__(self, other):
        return self.number < other.number


class _Colour(enum.Enum):
    RED = 1
    BLUE = 9


COMPARED_IN_PYTHON = {
    "UUIDs": _uuid,
    "fractions": fractions.Fraction,
    "paths": lambda number: pathlib.PurePosixPath(str(number)),
    "addresses": lambda number: ipaddress.ip_address(f"10.0.0.{number}"),
    "pairs with a UUID": lambda number: (1, _uuid(number)),
    "pairs in pairs": lambda number: (1, (1, _uuid(number))),
}
COMPARED_BY_C = {
    "decimals": decimal.Decimal,
    "pairs with a date": lambda number: (datetime.date(2020, 1, number), number),
    "numbers": int,
}


def _pushed(world, make, lock=None):
    """Let two users push onto one heap, and return what it holds then, from the smallest on."""
    lock, heap = lock or threading.Semaphore(2), [make(5)]

    def push(number):
        with lock:
            heapq.heappush(heap, make(number))

    world.actor("one", push, 1)
    world.actor("two", push, 2)
    world.run()
    return [heapq.heappop(heap) for _ in range(3)]


def _of_heap(name, make, *, is_compared_in_python):
    def without_a_lock(world):
        assert _pushed(world, make) == [make(1), make(2), make(5)]

    def under_a_lock(world):
        assert _pushed(world, make, threading.Lock()) == [make(1), make(2), make(5)]

    without_a_lock.__name__, under_a_lock.__name__ = f"a heap of {name}", f"a locked heap of {name}"
    if is_compared_in_python:
        broken("the heap grows while the library compares: RuntimeError")(without_a_lock)
    else:
        right("C code compares")(without_a_lock)
    right("both hold the lock")(under_a_lock)


for _name, _make in COMPARED_IN_PYTHON.items():
    _of_heap(_name, _make, is_compared_in_python=True)
for _name, _make in COMPARED_BY_C.items():
    _of_heap(_name, _make, is_compared_in_python=False)


def _index(rows):
    try:
        return rows.index(_uuid(9)) >= 0
    except ValueError:
        return False


def _three():
    return [_uuid(1), _uuid(2), _uuid(9)]


_NODE = operator.attrgetter("node")

OF_THE_LIBRARY = {
    "the biggest UUID": (_three, lambda rows: max(rows) == _uuid(9)),
    "the biggest by total_ordering": (
        lambda: [_Ordered(1), _Ordered(2), _Ordered(9)],
        lambda rows: max(rows).number == 9,
    ),
    "the index of a UUID": (_three, _index),
    "the count of a UUID": (_three, lambda rows: rows.count(_uuid(9)) == 1),
    "a UUID in a list": (_three, lambda rows: _uuid(9) in rows),
    "a set of UUIDs": (_three, lambda rows: _uuid(9) in set(rows)),
    "a starred set of UUIDs": (_three, lambda rows: _uuid(9) in {*rows}),
    "texts of UUIDs": (_three, lambda rows: str(_uuid(9)) in list(map(str, rows))),
    "a property of UUIDs": (_three, lambda rows: 9 in list(map(_NODE, rows))),
    "a sum of fractions": (
        lambda: [fractions.Fraction(1), fractions.Fraction(9)],
        lambda rows: sum(rows) >= 9,
    ),
    "a set of members of an enum": (
        lambda: [*_Colour],
        lambda rows: _Colour.BLUE in set(rows),
    ),
    "a map to an enum": (
        lambda: [1, 9],
        lambda rows: _Colour.BLUE in list(map(_Colour, rows)),
    ),
    "a map to fractions": (
        lambda: [1, 9],
        lambda rows: 9 in list(map(fractions.Fraction, rows)),
    ),
    "a map of a function of the library": (
        lambda: ["x/a", "x/b"],
        lambda rows: "b" in list(map(posixpath.basename, rows)),
    ),
    "a map of a partial function": (
        lambda: ["a", "b"],
        lambda rows: "x/b" in list(map(functools.partial(posixpath.join, "x"), rows)),
    ),
    "a map of a method of the library": (
        lambda: ["a", "b"],
        lambda rows: (
            pathlib.PurePosixPath("x/b") in list(map(pathlib.PurePosixPath("x").joinpath, rows))
        ),
    ),
    "the biggest by a key of the library": (
        lambda: ["x/a", "x/b", "x/c"],
        lambda rows: max(rows, key=posixpath.basename) == "x/c",
    ),
}


def _of_library(name, make, look):
    def without_a_lock(world):
        assert _walk(world, look, make)

    def under_a_lock(world):
        assert _walk(world, look, make, threading.Lock())

    without_a_lock.__name__, under_a_lock.__name__ = name, f"{name} under a lock"
    broken("the first element goes while Python code of the library runs")(without_a_lock)
    right("both hold the lock")(under_a_lock)


for _name, (_make, _look) in OF_THE_LIBRARY.items():
    _of_library(_name, _make, _look)


def _sorted_in(world, make):
    rows = [make(1), make(9)]
    world.actor("one", lambda: bisect.insort(rows, make(5)))
    world.actor("two", lambda: bisect.insort(rows, make(4)))
    world.run()
    return [make(1), make(4), make(5), make(9)] == rows


@broken("the second is put in while the place of the first is looked for")
def uuids_put_in_by_their_order(world):
    assert _sorted_in(world, _uuid)


@right("numbers are compared by C code")
def numbers_put_in_by_their_order(world):
    assert _sorted_in(world, int)


def _seen_while_sorted(world, make):
    rows = [make(9), make(1)]
    world.actor("sort", rows.sort)
    world.actor("look", lambda: len(rows))
    return world.run()["look"]


@broken("the list is empty while the library compares")
def a_list_of_uuids_sorted(world):
    assert _seen_while_sorted(world, _uuid) == 2


@right("decimals are compared by C code")
def a_list_of_decimals_sorted(world):
    assert _seen_while_sorted(world, decimal.Decimal) == 2


class _Proxy:
    """An element whose attributes code of its own finds, which notes what it is asked for."""

    def __init__(self, asked):
        self._asked = asked

    def __getattr__(self, name):
        self._asked.append(name)
        raise AttributeError(name)


@broken("an element is asked for an attribute by code under test")
def elements_that_are_asked_for_an_attribute(world):
    asked = []
    _walk(world, lambda rows: [hasattr(row, "name") for row in rows], lambda: [_Proxy(asked)])
    assert asked == []


@right("code of C that makes a list asks its elements for nothing")
def elements_that_are_asked_for_nothing(world):
    asked = []
    _walk(world, list, lambda: [_Proxy(asked)])
    assert asked == []


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
