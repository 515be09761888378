"""State behind iterators that take one item at a time, while others change it."""

import itertools
import threading
from operator import attrgetter
from types import SimpleNamespace

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _walked(world, walk):
    """Let one walk over a list while another puts a key in front; return the keys that were met."""
    keys, met = ["k1", "k2"], []
    _together(world, lambda: met.extend(walk(keys)), lambda: keys.insert(0, "k0"))
    return met


def _walked_over_a_copy(world, walk):
    return _walked(world, lambda keys: walk(keys.copy()))


_UNCUT = (["k1", "k2"], ["k0", "k1", "k2"])


def _items(walk):
    items = []
    for item in walk:
        items.append(item)  # noqa: PERF402 - list(walk) would be a single call of C code
    return items


def _by_enumerate(keys):
    return [key for _, key in enumerate(keys)]


def _by_zip(keys):
    return [key for key, _ in zip(keys, itertools.count(), strict=False)]


def _by_reversed(keys):
    return _items(reversed(keys))[::-1]


def _by_chain(keys):
    return _items(itertools.chain(keys))


def _by_filter(keys):
    return _items(filter(None, keys))


def _by_yield_from(keys):
    def inner():
        yield from keys

    return _items(inner())


def _by_next(keys):
    walk = iter(keys)
    return [next(walk), next(walk), *walk]


@broken("a key is put in front after the first was met, and that one is met again")
def a_walk_by_enumerate(world):
    assert _walked(world, _by_enumerate) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_enumerate_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_enumerate) in _UNCUT


@broken("a key is put in front after the first was met, and that one is met again")
def a_walk_by_zip(world):
    assert _walked(world, _by_zip) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_zip_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_zip) in _UNCUT


@broken("a key is put in front after the last was met, and is met in place of the first")
def a_walk_by_reversed(world):
    assert _walked(world, _by_reversed) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_reversed_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_reversed) in _UNCUT


@broken("a key is put in front after the first was met, and that one is met again")
def a_walk_by_chain(world):
    assert _walked(world, _by_chain) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_chain_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_chain) in _UNCUT


@broken("a key is put in front after the first was met, and that one is met again")
def a_walk_by_filter(world):
    assert _walked(world, _by_filter) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_filter_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_filter) in _UNCUT


@broken("a key is put in front after the first was met, and that one is met again")
def a_walk_by_yield_from(world):
    assert _walked(world, _by_yield_from) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_yield_from_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_yield_from) in _UNCUT


@broken("a key is put in front after the first was met, and that one is met again")
def a_walk_by_next(world):
    assert _walked(world, _by_next) in _UNCUT


@right("the walk is over a copy")
def a_walk_by_next_over_a_copy(world):
    assert _walked_over_a_copy(world, _by_next) in _UNCUT


def _two_taken_in_a_row(world, numbers, take):
    """One takes two numbers, and another takes one; return what the first has got."""
    got = []
    _together(world, lambda: got.extend((take(numbers), take(numbers))), lambda: take(numbers))
    return got


def _two_taken_under_a_lock(world, numbers, take):
    got, lock = [], threading.Lock()

    def take_two():
        with lock:
            got.extend((take(numbers), take(numbers)))

    def take_one():
        with lock:
            take(numbers)

    _together(world, take_two, take_one)
    return got


@broken("the other takes a number between the two")
def two_numbers_of_a_count(world):
    assert _two_taken_in_a_row(world, itertools.count(), next) in ([0, 1], [1, 2])


@right("the lock covers both")
def two_numbers_of_a_count_under_a_lock(world):
    assert _two_taken_under_a_lock(world, itertools.count(), next) in ([0, 1], [1, 2])


@broken("the other takes a number between the two")
def two_numbers_of_a_list_iterator(world):
    assert _two_taken_in_a_row(world, iter([0, 1, 2]), next) in ([0, 1], [1, 2])


@right("the lock covers both")
def two_numbers_of_a_list_iterator_under_a_lock(world):
    assert _two_taken_under_a_lock(world, iter([0, 1, 2]), next) in ([0, 1], [1, 2])


@broken("the other takes a number between the two")
def two_numbers_by_the_bound_next(world):
    numbers = itertools.count()
    got = _two_taken_in_a_row(world, numbers.__next__, lambda take: take())
    assert got in ([0, 1], [1, 2])


@right("the lock covers both")
def two_numbers_by_the_bound_next_under_a_lock(world):
    numbers = itertools.count()
    got = _two_taken_under_a_lock(world, numbers.__next__, lambda take: take())
    assert got in ([0, 1], [1, 2])


def _flags(world, ready):
    """One lowers a flag after it has raised the other; another asks whether any is up."""
    flags, seen = [SimpleNamespace(is_up=True), SimpleNamespace(is_up=False)], []

    def swap():
        flags[0].is_up = False
        flags[1].is_up = True

    _together(world, swap, lambda: seen.append(ready(flags)))
    return seen[0]


@broken("the flags are asked between the lowering of one and the raising of the other")
def flags_asked_by_an_attrgetter_in_map(world):
    assert _flags(world, lambda flags: any(map(attrgetter("is_up"), flags)))


@right("what is asked is how many flags there are")
def flags_counted(world):
    assert _flags(world, lambda flags: len(flags) == 2)


def _ranked(world, order):
    """One passes the other and is passed in turn; another sorts them by rank in between."""
    first, second, seen = SimpleNamespace(rank=1), SimpleNamespace(rank=2), []

    def pass_each_other():
        first.rank = 3
        second.rank = 4

    _together(world, pass_each_other, lambda: seen.extend(order([first, second])))
    return [one is first for one in seen]


@broken("they are sorted when the first has passed the second and is not passed yet")
def ranks_sorted_by_an_attrgetter(world):
    by_rank = attrgetter("rank")
    assert _ranked(world, lambda both: sorted(both, key=by_rank)) == [True, False]


@right("all keys are equal, and sorted keeps the order")
def ranks_sorted_by_nothing(world):
    assert _ranked(world, lambda both: sorted(both, key=lambda _: 0)) == [True, False]


@broken("map sets the entry between the two reads")
def a_setter_called_by_map(world):
    near, seen = {"a": 0, "b": 0}, []
    _together(
        world,
        lambda: list(map(near.__setitem__, ["a"], [1])),
        lambda: seen.append((near["a"], near["a"])),
    )
    assert seen[0][0] == seen[0][1]


@right("map sets another entry")
def a_setter_of_another_entry_called_by_map(world):
    near, seen = {"a": 0, "b": 0}, []
    _together(
        world,
        lambda: list(map(near.__setitem__, ["b"], [1])),
        lambda: seen.append((near["a"], near["a"])),
    )
    assert seen[0][0] == seen[0][1]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
