"""State behind something that looks into a dict, or is derived from a mapping."""

import threading
from collections import ChainMap, UserDict, UserList, defaultdict
from types import MappingProxyType, SimpleNamespace
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


def _twice(get, seen):
    return lambda: seen.append((get(), get()))


@broken("the override is taken out of the first map between the two reads of the chain")
def a_chain_read_twice(world):
    override, base, seen = {"limit": 5}, {"limit": 1}, []
    settings = ChainMap(override, base)
    _together(world, _twice(lambda: settings["limit"], seen), lambda: override.pop("limit"))
    assert seen[0][0] == seen[0][1]


@right("the chain is read once")
def a_chain_read_once(world):
    override, base, seen = {"limit": 5}, {"limit": 1}, []
    settings = ChainMap(override, base)

    def read():
        limit = settings.get("limit")
        seen.append((limit, limit))

    _together(world, read, lambda: override.__setitem__("limit", 1))
    assert seen[0][0] == seen[0][1]


@broken("the dict behind the proxy changes between the two reads")
def a_proxy_read_twice(world):
    prices, seen = {"k": 1}, []
    public = MappingProxyType(prices)
    _together(world, _twice(lambda: public["k"], seen), lambda: prices.update(k=2))
    assert seen[0][0] == seen[0][1]


@right("the proxy belongs to a copy that nobody changes")
def a_proxy_of_a_copy(world):
    prices, seen = {"k": 1}, []
    public = MappingProxyType(dict(prices))
    _together(world, _twice(lambda: public["k"], seen), lambda: prices.update(k=2))
    assert seen[0][0] == seen[0][1]


class _Near(UserDict):
    def __missing__(self, key):
        return 0


@broken("both read the same number before either writes")
def a_userdict_counts(world):
    near = UserDict(k=0)

    def count():
        near["k"] += 1

    _together(world, count, count)
    assert near["k"] == 2


@right("the lock covers the read and the write")
def a_userdict_counts_under_a_lock(world):
    near, lock = UserDict(k=0), threading.Lock()

    def count():
        with lock:
            near["k"] += 1

    _together(world, count, count)
    assert near["k"] == 2


@broken("both read the same number before either writes")
def a_class_of_userdict_counts(world):
    near = _Near()

    def count():
        near["k"] += 1

    _together(world, count, count)
    assert near["k"] == 2


@right("the lock covers the read and the write")
def a_class_of_userdict_counts_under_a_lock(world):
    near, lock = _Near(), threading.Lock()

    def count():
        with lock:
            near["k"] += 1

    _together(world, count, count)
    assert near["k"] == 2


@broken("the value changes by way of .data between the two reads")
def a_userdict_changed_by_its_data(world):
    near, seen = UserDict(k=1), []
    _together(world, _twice(lambda: near["k"], seen), lambda: near.data.update(k=2))
    assert seen[0][0] == seen[0][1]


@right("the data of another one is changed")
def a_userdict_beside_one_that_changes(world):
    near, other, seen = UserDict(k=1), UserDict(k=1), []
    _together(world, _twice(lambda: near["k"], seen), lambda: other.data.update(k=2))
    assert seen[0][0] == seen[0][1]


class _Jobs(UserList):
    pass


@broken("both see one job, and the second pop raises IndexError")
def a_class_of_userlist_gives_jobs(world):
    jobs = _Jobs(["only"])

    def take():
        if len(jobs):
            jobs.pop()

    _together(world, take, take)


@right("pop alone decides, and the later caller catches the IndexError")
def a_class_of_userlist_gives_jobs_and_catches(world):
    jobs, taken = _Jobs(["only"]), []

    def take():
        try:
            taken.append(jobs.pop())
        except IndexError:
            return

    _together(world, take, take)
    assert taken == ["only"]


class _Page:
    def __init__(self, text):
        self.text = text


@right("get returns a page that the reader holds from then on, or nothing")
def a_weak_value_is_held(world):
    owner = SimpleNamespace(page=_Page("old"))
    pages = WeakValueDictionary(home=owner.page)

    def read():
        page = pages.get("home")
        return page.text if page is not None else None

    def let_go():
        owner.page = None

    _together(world, read, let_go)


@right("the reference is called once, and what it answers is held")
def a_weak_reference_called_once(world):
    owner = {"page": _Page("old")}
    page = ref(owner["page"])

    def read():
        held = page()
        return held.text if held is not None else None

    _together(world, read, owner.clear)


@broken("both read the same number of the page before either writes")
def a_weak_key_counts(world):
    page, reads = _Page("old"), WeakKeyDictionary()
    reads[page] = 0

    def count():
        reads[page] = reads[page] + 1

    _together(world, count, count)
    assert reads[page] == 2


@right("each has its own page")
def a_weak_key_each(world):
    pages, reads = [_Page("a"), _Page("b")], WeakKeyDictionary()

    def count(page):
        reads[page] = reads.get(page, 0) + 1

    _together(world, lambda: count(pages[0]), lambda: count(pages[1]))
    assert [reads[page] for page in pages] == [1, 1]


class _Audited(dict):
    def __setitem__(self, key, value):
        super().__setitem__(key, value)

    def raise_by_one(self, key):
        super().__setitem__(key, super().get(key, 0) + 1)


@broken("both read the same number through super() before either writes")
def a_dict_subclass_counts_through_super(world):
    near = _Audited()
    _together(world, lambda: near.raise_by_one("k"), lambda: near.raise_by_one("k"))
    assert near["k"] == 2


@right("each counts in an entry of its own")
def a_dict_subclass_counts_through_super_each(world):
    near = _Audited()
    _together(world, lambda: near.raise_by_one("a"), lambda: near.raise_by_one("b"))
    assert near == {"a": 1, "b": 1}


@broken("the default is put in by the read of the other, and then counted as an order")
def a_defaultdict_that_grows_by_reading(world):
    orders, seen = defaultdict(int), []
    _together(world, lambda: orders["nobody"], lambda: seen.append(len(orders) == len(orders)))
    assert seen == [True]


@right("get puts nothing in")
def a_defaultdict_that_is_asked_by_get(world):
    orders, seen = defaultdict(int), []
    _together(world, lambda: orders.get("nobody"), lambda: seen.append(len(orders) == len(orders)))
    assert seen == [True]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
