"""What shared memory holds is shown as it is at that moment, and no code of it runs."""

import weakref
from collections import OrderedDict, deque

import pytest

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.memory.content import ENTRIES_MAX, MemoryContent
from pytest_supercache.runtime.memory.live_objects import LiveObjects


class Shop:
    hits = 3
    __slots__ = ("__weakref__", "far", "near")

    def __init__(self):
        self.near = {"k": 1}

    def __getattribute__(self, name):
        raise AssertionError("this is the code under test")

    __repr__ = __eq__ = __hash__ = None


class Odd(dict):
    def items(self):
        raise AssertionError("this is the code under test")

    __iter__ = __getitem__ = get = items


def seen(holder, part, name="it"):
    keeper = LiveObjects()
    keeper.keep(holder, is_touched=True)
    content = MemoryContent(keeper)
    content.note(name, identity(holder))
    return content.of([(name, part)])


def cell_of(value):
    return (lambda: value).__closure__[0]


@pytest.mark.parametrize(
    ("make", "part", "shown"),
    [
        (lambda: {"k": 1, "l": 2}, "['k']", {"it": {"k": 1}}),
        (lambda: {"k": 1, 2: b"two"}, "*", {"it": {"k": 1, "2": b"two"}}),
        (dict, "['k']", {"it": {}}),
        (lambda: Odd(k=1), "['k']", {"it": {"k": 1}}),
        (lambda: OrderedDict(k=[1, 2]), "*", {"it": {"k": [1, 2]}}),
        (lambda: Shop(), ".near", {"it.near": {"": {"k": 1}}}),
        (lambda: Shop(), ".far", {"it.far": {"": None}}),
        (lambda: Shop(), ".hits", {"it.hits": {"": 3}}),
        (lambda: Shop, ".hits", {"it.hits": {"": 3}}),
        (lambda: {"__builtins__": {}, "hits": 5}, ".hits", {"it.hits": {"": 5}}),
        (lambda: [1, deque([2])], "*", {"it": {"": [1, [2]]}}),
        (lambda: cell_of("here"), "*", {"it": {"": "here"}}),
        (lambda: [Shop()], "*", {"it": {"": ["<Shop>"]}}),
    ],
)
def test_it_is_shown_by_place_and_key(make, part, shown):
    assert seen(make(), part) == shown


def test_much_of_it_is_shortened():
    many = dict.fromkeys(range(ENTRIES_MAX * 2))
    assert len(seen(many, "*")["it"]) == ENTRIES_MAX
    endless = []
    endless.append(endless)
    assert seen(endless, "*") == {"it": {"": [[["..."]]]}}


def test_what_is_shown_does_not_change_with_it():
    near = {"k": [1]}
    shown = seen(near, "*")
    near["k"].append(2)
    assert shown == {"it": {"k": [1]}}


def test_what_lives_no_longer_is_not_shown_and_nothing_lives_for_being_shown():
    keeper, shop = LiveObjects(), Shop()
    keeper.keep(shop, is_touched=True)
    content = MemoryContent(keeper)
    content.note("shop", identity(shop))
    assert content.of([("shop", ".hits")])
    ended = weakref.ref(shop)
    del shop
    assert ended() is None
    assert content.of([("shop", ".hits")]) == {}
