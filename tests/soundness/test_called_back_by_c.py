"""Code of C that walks over a container of the users and calls Python code for each element.

While that runs another thread may take the first element away, and what follows moves up: the walk
goes on behind it, and leaves out an element that was there all the time. Where all that is called
is C code too, nobody comes in.
"""

import collections
import itertools
import operator
import threading

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


FINDERS = {
    "next": lambda taken: next(taken, None),
    "list": lambda taken: (list(taken) or [None])[0],
    "a loop": lambda taken: ([row for row in taken] or [None])[0],  # noqa: C416 - it is the loop
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


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
