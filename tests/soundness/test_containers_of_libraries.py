"""State in containers of libraries that are not rewritten: all that one holds is one location.

Nobody is let in in the middle of a method, so where threads share such a container without a lock,
and nothing is found, the truth is left open and said so.
"""

import threading
from contextlib import nullcontext

import pytest
from django.utils.datastructures import MultiValueDict
from httpx import Headers
from jinja2.utils import LRUCache
from ruamel.yaml.comments import CommentedMap
from sortedcontainers import SortedDict, SortedList, SortedSet
from sqlalchemy import JSON, ForeignKey
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from starlette.datastructures import MutableHeaders

from tests.soundness.truth import broken, right, systems_of

OPEN = "in the middle of a method"


def _claimed(world, rows, take, *, lock=None):
    """Let two users take the same place, and count who got it."""

    def claim():
        with lock or threading.Semaphore(2):
            return take(rows)

    world.actor("one", claim)
    world.actor("two", claim)
    assert sorted(world.run().values()) == [False, True]


def _take_key(rows):
    if "k" in rows:
        return False
    rows["k"] = "1"
    return True


@broken("both find no key in the sorted dict before either sets it")
def a_key_of_a_sorted_dict_claimed(world):
    _claimed(world, SortedDict(), _take_key)


@right("both hold one lock")
def a_key_of_a_sorted_dict_claimed_under_a_lock(world):
    _claimed(world, SortedDict(), _take_key, lock=threading.Lock())


def _take_member(rows):
    if 1 in rows:
        return False
    rows.add(1)
    return True


@broken("both find no member of the sorted set before either adds it")
def a_member_of_a_sorted_set_claimed(world):
    _claimed(world, SortedSet(), _take_member)


@right("both hold one lock")
def a_member_of_a_sorted_set_claimed_under_a_lock(world):
    _claimed(world, SortedSet(), _take_member, lock=threading.Lock())


@broken("both find no key in the mapping of YAML before either sets it")
def a_key_of_a_commented_map_claimed(world):
    _claimed(world, CommentedMap(), _take_key)


@right("both hold one lock")
def a_key_of_a_commented_map_claimed_under_a_lock(world):
    _claimed(world, CommentedMap(), _take_key, lock=threading.Lock())


@broken("both find no entry of the cache of templates before either stores one")
def an_entry_of_an_lru_cache_claimed(world):
    _claimed(world, LRUCache(9), _take_key)


@right("both hold one lock")
def an_entry_of_an_lru_cache_claimed_under_a_lock(world):
    _claimed(world, LRUCache(9), _take_key, lock=threading.Lock())


@broken("both find no such header before either sets it")
def a_header_claimed(world):
    _claimed(world, Headers(), _take_key)


@right("both hold one lock")
def a_header_claimed_under_a_lock(world):
    _claimed(world, Headers(), _take_key, lock=threading.Lock())


@broken("both find no such header of an answer before either sets it")
def a_header_of_an_answer_claimed(world):
    _claimed(world, MutableHeaders(), _take_key)


@right("both hold one lock")
def a_header_of_an_answer_claimed_under_a_lock(world):
    _claimed(world, MutableHeaders(), _take_key, lock=threading.Lock())


def _add_value(values):
    values.setlist("k", [*values.getlist("k"), "1"])


@broken("both read the list of values before either sets it with one more")
def values_of_a_key_counted(world):
    values = MultiValueDict()
    world.actor("one", _add_value, values)
    world.actor("two", _add_value, values)
    world.run()
    assert len(values.getlist("k")) == 2


@right("each user has values of its own")
def values_of_two_users_counted(world):
    mine, yours = MultiValueDict(), MultiValueDict()
    world.actor("one", _add_value, mine)
    world.actor("two", _add_value, yours)
    world.run()
    assert len(mine.getlist("k")) == len(yours.getlist("k")) == 1


class _Index(SortedList):
    def is_new(self, key):
        if key in self:
            return False
        self.add(key)
        return True


@broken("both find no key before either adds it: methods of a derived class use inherited ones")
def a_key_of_a_derived_list_claimed(world):
    _claimed(world, _Index(), lambda rows: rows.is_new(1))


@right("both hold one lock")
def a_key_of_a_derived_list_claimed_under_a_lock(world):
    _claimed(world, _Index(), lambda rows: rows.is_new(1), lock=threading.Lock())


def _places(rows):
    return rows.bisect_left(5), rows.bisect_left(5)


def _looked_up_twice(world, change):
    rows = SortedDict({1: "a", 9: "b"})
    world.actor("reader", _places, rows)
    world.actor("other", change, rows)
    first, second = world.run()["reader"]
    assert first == second


@broken("a key is set between the two looks, which ask the list inside of the dict")
def a_sorted_dict_changed_between_two_looks(world):
    _looked_up_twice(world, lambda rows: rows.setdefault(2, "c"))


@right("the other one looks, too")
def a_sorted_dict_read_between_two_looks(world):
    _looked_up_twice(world, _places)


def _added(world, *, lock=None):
    rows = SortedList([5])

    def add(number):
        with lock or threading.Semaphore(2):
            rows.add(number)

    world.actor("one", add, 1)
    world.actor("two", add, 2)
    world.run()
    assert len(rows) == 3


@broken("the number of elements is read by both before either writes it", unknown=OPEN)
def two_elements_added_to_a_sorted_list(world):
    _added(world)


@right("both hold one lock")
def two_elements_added_to_a_sorted_list_under_a_lock(world):
    _added(world, lock=threading.Lock())


async def _add(rows, number):
    rows.add(number)


@right("nothing comes between in a coroutine that does not await")
async def two_elements_added_by_coroutines(world):
    rows = SortedList([5])
    world.actor("one", _add, rows, 1)
    world.actor("two", _add, rows, 2)
    await world.run()
    assert len(rows) == 3


@right("a call is declared to be atomic, and nothing is done but single calls", atomic=("rows",))
def two_elements_added_in_calls_that_are_declared_atomic(world):
    rows = SortedList([5])
    world.actor("one", lambda: rows.add(1))
    world.actor("two", lambda: rows.add(2))
    world.run()
    assert len(rows) == 3


NEAR = SortedDict()


def _near(origin):
    if "k" not in NEAR:
        NEAR["k"] = origin.get("k")
    return NEAR["k"]


def _changed(world, read):
    world.origin.set("k", "old")

    def change():
        world.origin.set("k", "new")
        NEAR.pop("k", None)

    world.actor("reader", read, world.origin)
    world.actor("writer", change)
    world.run()
    assert read(world.origin) == "new"


@broken("the value is loaded before the change and stored after it: the near cache is cold again")
def a_near_cache_of_a_module_in_a_sorted_dict(world):
    _changed(world, _near)


@right("nothing is kept")
def no_near_cache_in_a_sorted_dict(world):
    assert not NEAR
    _changed(world, lambda origin: origin.get("k"))


class _Base(DeclarativeBase):
    pass


class _Order(_Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    notes: Mapped[dict[str, int]] = mapped_column(MutableDict.as_mutable(JSON))
    lines: Mapped[list["_Line"]] = relationship()


class _Line(_Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


def _numbered(world, lock):
    """Let two users add a line with the next number to one mapped object."""
    order = _Order(notes={})

    def add():
        with lock:
            order.lines.append(_Line(number=len(order.lines)))

    world.actor("one", add)
    world.actor("two", add)
    world.run()
    assert [line.number for line in order.lines] == [0, 1]


@broken("both see how many lines there are before either adds one")
def lines_of_a_relationship(world):
    _numbered(world, nullcontext())


@right("they hold one lock")
def lines_of_a_relationship_under_a_lock(world):
    _numbered(world, threading.Lock())


def _noted(world, lock):
    order = _Order(notes={"looks": 0})

    def look():
        with lock:
            order.notes["looks"] = order.notes["looks"] + 1

    world.actor("one", look)
    world.actor("two", look)
    world.run()
    assert order.notes["looks"] == 2


@broken("both read the same number before either stores the next one")
def a_mutable_dict_of_a_column(world):
    _noted(world, nullcontext())


@right("they hold one lock")
def a_mutable_dict_of_a_column_under_a_lock(world):
    _noted(world, threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
