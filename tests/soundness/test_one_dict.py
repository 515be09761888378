"""Attributes that are entries of a dict: of two objects, of the object itself, or of its class's
choice.
"""

import asyncio
import copy
import functools
import threading
from collections import UserDict, defaultdict
from types import SimpleNamespace
from typing import ClassVar

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    return world.run()


# -- two objects with one dict ---------------------------------------------------------------------


@broken("both objects have one dict, and both users read the count before either writes it")
def two_objects_have_one_dict(world):
    class Borg:
        state: ClassVar = {"n": 0}

        def __init__(self):
            self.__dict__ = Borg.state

    def hit():
        borg = Borg()
        borg.n += 1

    _together(world, hit, hit)
    assert Borg.state["n"] == 2


@right("each object has a dict of its own")
def two_objects_have_copies_of_one_dict(world):
    class Borg:
        state: ClassVar = {"n": 0}

        def __init__(self):
            self.__dict__ = dict(Borg.state)

    def hit():
        borg = Borg()
        borg.n += 1
        return borg.n

    assert list(_together(world, hit, hit).values()) == [1, 1]


class _Borg:
    state: ClassVar = {"n": 0, "m": 0}

    def __init__(self):
        self.__dict__ = _Borg.state

    def hit(self):
        self.n += 1


_one, _other = _Borg(), _Borg()
_lock = threading.Lock()


@broken("two objects of a module have one dict, and both users read the count first")
def two_objects_of_a_module_have_one_dict(world):
    _together(world, _one.hit, _other.hit)
    assert _one.n == _other.n == 2


@right("both users hold one lock")
def two_objects_of_a_module_have_one_dict_under_a_lock(world):
    def hit(borg):
        with _lock:
            borg.n += 1

    _together(world, lambda: hit(_one), lambda: hit(_other))
    assert _one.n == _other.n == 2


@broken("one user changes the attribute, the other the entry of the dict that the class holds")
def a_dict_of_attributes_is_used_by_its_name(world):
    def by_entry():
        _Borg.state["n"] += 1

    _together(world, _one.hit, by_entry)
    assert _one.n == 2


@right("the attribute and the entry are two")
def a_dict_of_attributes_is_used_by_its_name_for_another(world):
    def by_entry():
        _Borg.state["m"] += 1

    _together(world, _one.hit, by_entry)
    assert (_one.n, _one.m) == (1, 1)


class _Base:
    def __init__(self):
        self.n = 0


class _View:
    """Has the attributes of another object."""

    def __init__(self, base):
        self.__dict__ = base.__dict__


@broken("the view has the attributes of its base, and both are counted up")
def an_object_has_the_dict_of_another_one(world):
    base = _Base()
    view = _View(base)

    def by_base():
        base.n += 1

    def by_view():
        view.n += 1

    _together(world, by_base, by_view)
    assert base.n == 2


@right("the view has a copy of what its base had")
def an_object_has_a_copy_of_the_dict_of_another_one(world):
    base = _Base()
    view = _View(copy.copy(base))

    def by_base():
        base.n += 1

    def by_view():
        view.n += 1

    _together(world, by_base, by_view)
    assert base.n == view.n == 1


@broken("the dict is set by the name of the attribute before the race, and both are counted up")
def an_object_is_given_the_dict_of_another_one(world):
    base, other = _Base(), _Base()
    setattr(other, "__dict__", vars(base))  # noqa: B010 - a call of setattr is the case

    def by_base():
        base.n += 1

    def by_other():
        other.n += 1

    _together(world, by_base, by_other)
    assert base.n == 2


@right("the dict is a copy")
def an_object_is_given_a_copy_of_the_dict_of_another_one(world):
    base, other = _Base(), _Base()
    object.__setattr__(other, "__dict__", dict(vars(base)))

    def by_base():
        base.n += 1

    def by_other():
        other.n += 1

    _together(world, by_base, by_other)
    assert base.n == other.n == 1


_base = _Base()
_view = _View(_base)


@broken("as above, and both were made before the check")
def an_object_of_a_module_has_the_dict_of_another_one(world):
    def hit(one):
        one.n += 1

    _together(world, lambda: hit(_base), lambda: hit(_view))
    assert _base.n == 2


@right("both users hold one lock")
def an_object_of_a_module_has_the_dict_of_another_one_under_a_lock(world):
    def hit(one):
        with _lock:
            one.n += 1

    _together(world, lambda: hit(_base), lambda: hit(_view))
    assert _base.n == 2


def _members_of(holder):
    return object.__getattribute__(holder, "__dict__")


@broken("one user changes the attribute, the other its entry, around the class")
def a_dict_of_attributes_is_taken_around_the_class(world):
    base = _Base()

    def by_attribute():
        base.n += 1

    def by_dict():
        _members_of(base)["n"] += 1

    _together(world, by_attribute, by_dict)
    assert base.n == 2


@right("both users hold one lock")
def a_dict_of_attributes_is_taken_around_the_class_under_a_lock(world):
    base = _Base()

    def by_attribute():
        with _lock:
            base.n += 1

    def by_dict():
        with _lock:
            _members_of(base)["n"] += 1

    _together(world, by_attribute, by_dict)
    assert base.n == 2


# -- a dict that is replaced -----------------------------------------------------------------------


class _Limits:
    def __init__(self):
        self.low = self.high = 1

    def move(self):
        self.__dict__ = {"low": 2, "high": 2}

    def move_by_setattr(self):
        object.__setattr__(self, "__dict__", {"low": 2, "high": 2})

    def both(self):
        return self.low, self.high

    def both_of_one_dict(self):
        members = self.__dict__
        return members["low"], members["high"]


@broken("the dict is replaced between the reads of two attributes")
def a_dict_of_attributes_is_replaced(world):
    limits = _Limits()
    seen = _together(world, limits.move, limits.both)
    assert seen["user-1"] in ((1, 1), (2, 2))


@right("both values are read of one dict, and nobody writes into that")
def a_dict_of_attributes_is_replaced_and_taken_once(world):
    limits = _Limits()
    seen = _together(world, limits.move, limits.both_of_one_dict)
    assert seen["user-1"] in ((1, 1), (2, 2))


@broken("the dict is replaced around the class, between the reads of two attributes")
def a_dict_of_attributes_is_replaced_by_setattr(world):
    limits = _Limits()
    seen = _together(world, limits.move_by_setattr, limits.both)
    assert seen["user-1"] in ((1, 1), (2, 2))


@right("both values are read of one dict, and nobody writes into that")
def a_dict_of_attributes_is_replaced_by_setattr_and_taken_once(world):
    limits = _Limits()
    seen = _together(world, limits.move_by_setattr, limits.both_of_one_dict)
    assert seen["user-1"] in ((1, 1), (2, 2))


@broken("the new dict is written to after it was set, and the read may come in between")
def a_new_dict_of_attributes_is_filled_too_late(world):
    limits = _Limits()

    def move():
        limits.__dict__ = {"low": 2}
        limits.high = 2

    seen = _together(world, move, lambda: getattr(limits, "high", None))
    assert seen["user-1"] in (1, 2)


@right("the new dict is filled before it is set")
def a_new_dict_of_attributes_is_filled_in_time(world):
    limits = _Limits()

    def move():
        members = {"low": 2}
        members["high"] = 2
        limits.__dict__ = members

    seen = _together(world, move, lambda: getattr(limits, "high", None))
    assert seen["user-1"] in (1, 2)


# -- an object that is its own dict ----------------------------------------------------------------


class _Bunch(dict):
    def __init__(self, **entries):
        super().__init__(entries)
        self.__dict__ = self

    @functools.cached_property
    def made(self):
        return object()


@broken("one user changes the attribute, the other the item, and both are one")
def an_object_is_its_own_dict(world):
    bunch = _Bunch(n=0)

    def by_attribute():
        bunch.n += 1

    def by_item():
        bunch["n"] += 1

    _together(world, by_attribute, by_item)
    assert bunch.n == 2


@right("the attribute and the item have different names")
def an_object_is_its_own_dict_and_two_parts_are_used(world):
    bunch = _Bunch(n=0, m=0)

    def by_attribute():
        bunch.n += 1

    def by_item():
        bunch["m"] += 1

    _together(world, by_attribute, by_item)
    assert bunch == {"n": 1, "m": 1}


_bunch = _Bunch(n=0)


@broken("as above, and the object was made before the check")
def an_object_of_a_module_is_its_own_dict(world):
    def by_attribute():
        _bunch.n += 1

    def by_item():
        _bunch["n"] += 1

    _together(world, by_attribute, by_item)
    assert _bunch.n == 2


@right("both users hold one lock")
def an_object_of_a_module_is_its_own_dict_under_a_lock(world):
    def by_attribute():
        with _lock:
            _bunch.n += 1

    def by_item():
        with _lock:
            _bunch["n"] += 1

    _together(world, by_attribute, by_item)
    assert _bunch.n == 2


@broken("the item is taken out between the two reads of what a cached property keeps")
def an_object_keeps_a_cached_property_as_an_item(world):
    bunch = _Bunch()
    first = bunch.made
    seen = _together(world, lambda: (bunch.made, bunch.made), lambda: bunch.pop("made"))
    assert seen["user-0"][0] is seen["user-0"][1]
    assert seen["user-1"] is first


@right("another item is taken out")
def an_object_keeps_a_cached_property_and_drops_another_item(world):
    bunch = _Bunch(n=0)
    first = bunch.made
    seen = _together(world, lambda: (bunch.made, bunch.made), lambda: bunch.pop("n"))
    assert seen["user-0"] == (first, first)


# -- methods of dict that look for attributes ------------------------------------------------------


class _AttrDict(dict):
    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__


@broken("one user changes the attribute, the other the item, and both are one")
def attributes_are_items(world):
    members = _AttrDict(n=0)

    def by_attribute():
        members.n += 1

    def by_item():
        members["n"] += 1

    _together(world, by_attribute, by_item)
    assert members.n == 2


@right("the attribute and the item have different names")
def attributes_are_items_and_two_are_used(world):
    members = _AttrDict(n=0, m=0)

    def by_attribute():
        members.n += 1

    def by_item():
        members["m"] += 1

    _together(world, by_attribute, by_item)
    assert members == {"n": 1, "m": 1}


@broken("the item is gone between the look and the use")
def attributes_are_items_that_are_deleted(world):
    members = _AttrDict(n=1)

    def delete():
        del members.n

    seen = _together(world, lambda: members.n if "n" in members else 0, delete)
    assert seen["user-0"] in (0, 1)


@right("the item is read once")
def attributes_are_items_that_are_deleted_and_read_once(world):
    members = _AttrDict(n=1)

    def delete():
        del members.n

    seen = _together(world, lambda: members.get("n", 0), delete)
    assert seen["user-0"] in (0, 1)


class _Filling(defaultdict):
    __getattr__ = defaultdict.__getitem__


def _list():
    return []


@broken("both users find no list, and each makes one in Python code: one of the two is lost")
def attributes_are_items_that_code_fills_in(world):
    members = _Filling(_list)
    _together(world, lambda: members.seen.append(1), lambda: members["seen"].append(2))
    assert sorted(members["seen"]) == [1, 2]


@right("C code makes the list and keeps it, in one step")
def attributes_are_items_that_are_filled_in_at_once(world):
    members = _Filling(list)
    _together(world, lambda: members.seen.append(1), lambda: members["seen"].append(2))
    assert sorted(members["seen"]) == [1, 2]


class _InPython(UserDict):
    __getattr__ = UserDict.__getitem__


def _move(members):
    members["low"] = 2
    members["high"] = 2


@broken("the items are written between the reads of the two attributes that they are")
def attributes_are_items_of_a_container_in_python(world):
    members = _InPython(low=1, high=1)
    seen = _together(world, lambda: (members.low, members.high), lambda: _move(members))
    assert seen["user-0"] != (2, 1)


@right("the attributes are read in the other order")
def attributes_are_items_of_a_container_in_python_read_backwards(world):
    members = _InPython(low=1, high=1)
    seen = _together(world, lambda: (members.high, members.low), lambda: _move(members))
    assert seen["user-0"] != (2, 1)


# -- objects to which nothing refers weakly --------------------------------------------------------


class _Slotted:
    __slots__ = ("__dict__",)


class _Number(int):
    pass


def _by_attribute_and_by_dict(world, made):
    made.n = 0

    def by_attribute():
        made.n += 1

    def by_dict():
        vars(made)["n"] += 1

    _together(world, by_attribute, by_dict)
    assert made.n == 2


def _by_attribute_and_by_dict_under_a_lock(world, made):
    lock = threading.Lock()
    made.n = 0

    def by_attribute():
        with lock:
            made.n += 1

    def by_dict():
        with lock:
            made.__dict__["n"] += 1

    _together(world, by_attribute, by_dict)
    assert made.n == 2


@broken("one user changes the attribute, the other the entry of vars()")
def vars_of_a_namespace(world):
    _by_attribute_and_by_dict(world, SimpleNamespace())


@right("both users hold one lock")
def vars_of_a_namespace_under_a_lock(world):
    _by_attribute_and_by_dict_under_a_lock(world, SimpleNamespace())


@broken("one user changes the attribute, the other the entry of vars()")
def vars_of_a_number(world):
    _by_attribute_and_by_dict(world, _Number(1))


@right("both users hold one lock")
def vars_of_a_number_under_a_lock(world):
    _by_attribute_and_by_dict_under_a_lock(world, _Number(1))


@broken("one user changes the attribute, the other the entry of vars()")
def vars_of_an_object_with_slots(world):
    _by_attribute_and_by_dict(world, _Slotted())


@right("both users hold one lock")
def vars_of_an_object_with_slots_under_a_lock(world):
    _by_attribute_and_by_dict_under_a_lock(world, _Slotted())


@broken("both users see no value in vars(), and each makes one")
def made_once_as_vars_says(world):
    made = SimpleNamespace()

    def get():
        if "n" not in vars(made):
            made.n = object()
        return made.n

    seen = _together(world, get, get)
    assert seen["user-0"] is seen["user-1"]


@right("setdefault looks and keeps in one step")
def made_once_by_setdefault_of_vars(world):
    made = SimpleNamespace()
    seen = _together(
        world,
        lambda: vars(made).setdefault("n", object()),
        lambda: vars(made).setdefault("n", object()),
    )
    assert seen["user-0"] is seen["user-1"]


@broken("the text of the object is made between the two writes of entries")
def all_of_a_namespace_is_read(world):
    made = SimpleNamespace(low=1, high=1)

    def move():
        vars(made)["low"] = 2
        vars(made)["high"] = 2

    seen = _together(world, lambda: repr(made), move)
    assert "low=2, high=1" not in seen["user-0"]


@right("both entries are written in one step")
def all_of_a_namespace_is_read_and_updated_at_once(world):
    made = SimpleNamespace(low=1, high=1)
    seen = _together(world, lambda: repr(made), lambda: vars(made).update(low=2, high=2))
    assert "low=2, high=1" not in seen["user-0"]


_kept = SimpleNamespace(n=0)


@broken("a module keeps the object, which each execution finds as the first one did")
def vars_of_a_namespace_of_a_module(world):
    _by_attribute_and_by_dict(world, _kept)


@right("both users hold one lock")
def vars_of_a_namespace_of_a_module_under_a_lock(world):
    def by_attribute():
        with _lock:
            _kept.n += 1

    def by_dict():
        with _lock:
            vars(_kept)["n"] += 1

    _together(world, by_attribute, by_dict)
    assert _kept.n == 2


# -- coroutines ------------------------------------------------------------------------------------


@broken("both objects have one dict, and each coroutine reads the count before it awaits")
async def two_objects_of_coroutines_have_one_dict(world):
    async def hit():
        seen = _Borg().n
        await asyncio.sleep(0)
        _Borg().n = seen + 1

    world.actor("one", hit)
    world.actor("other", hit)
    await world.run()
    assert _Borg.state["n"] == 2


@right("each coroutine reads and writes the count after it has awaited")
async def two_objects_of_coroutines_have_one_dict_without_an_await(world):
    async def hit():
        await asyncio.sleep(0)
        _Borg().n += 1

    world.actor("one", hit)
    world.actor("other", hit)
    await world.run()
    assert _Borg.state["n"] == 2


@broken("one coroutine changes the attribute, the other the item, with an await in between")
async def an_object_of_coroutines_is_its_own_dict(world):
    bunch = _Bunch(n=0)

    async def by_attribute():
        seen = bunch.n
        await asyncio.sleep(0)
        bunch.n = seen + 1

    async def by_item():
        seen = bunch["n"]
        await asyncio.sleep(0)
        bunch["n"] = seen + 1

    world.actor("attribute", by_attribute)
    world.actor("item", by_item)
    await world.run()
    assert bunch.n == 2


@right("both coroutines hold one lock meanwhile")
async def an_object_of_coroutines_is_its_own_dict_under_a_lock(world):
    bunch = _Bunch(n=0)
    lock = asyncio.Lock()

    async def by_attribute():
        async with lock:
            seen = bunch.n
            await asyncio.sleep(0)
            bunch.n = seen + 1

    async def by_item():
        async with lock:
            seen = bunch["n"]
            await asyncio.sleep(0)
            bunch["n"] = seen + 1

    world.actor("attribute", by_attribute)
    world.actor("item", by_item)
    await world.run()
    assert bunch.n == 2


# -- the dict of a partial -------------------------------------------------------------------------


@broken("the partial is called between the writes of two of its keywords")
def keywords_of_a_partial_are_changed(world):
    made = functools.partial(dict, low=1, high=1)

    def move():
        made.keywords["low"] = 2
        made.keywords["high"] = 2

    seen = _together(world, made, move)
    assert seen["user-0"] != {"low": 2, "high": 1}


@right("both keywords are written in one step")
def keywords_of_a_partial_are_changed_at_once(world):
    made = functools.partial(dict, low=1, high=1)
    seen = _together(world, made, lambda: made.keywords.update(low=2, high=2))
    assert seen["user-0"] != {"low": 2, "high": 1}


_options = functools.partial(dict, taken=False)


def _take():
    is_first = not _options.keywords["taken"]
    _options.keywords["taken"] = True
    return is_first


@broken("both users find it free; each execution finds it so, as the first one did")
def keywords_of_a_partial_of_a_module_are_taken(world):
    assert sorted(_together(world, _take, _take).values()) == [False, True]


@right("both users hold one lock")
def keywords_of_a_partial_of_a_module_are_taken_under_a_lock(world):
    def take():
        with _lock:
            return _take()

    assert sorted(_together(world, take, take).values()) == [False, True]


@pytest.mark.parametrize("system", systems_of(__name__, every=5), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
