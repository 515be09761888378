"""Memory that outlives a request: each execution finds it as the first one did."""

import functools
import threading
from collections import OrderedDict

import pytest

from tests.soundness.truth import broken, right, systems_of

_near = {}
_lock = threading.Lock()
_recent = OrderedDict(first=1)
_first_seen = None


def _race(world, get, put):
    world.origin.set("k", "old")
    world.actor("reader", get, "k")
    world.actor("writer", put, "k", "new")
    world.run()
    world.settle()
    assert get("k") == "new"


@broken("the reader stores the old value after the writer has dropped the entry")
def a_near_cache_in_a_global(world):
    def get(key):
        if _near.get(key) is None:
            _near[key] = world.origin.get(key)
        return _near[key]

    def put(key, value):
        world.origin.set(key, value)
        _near[key] = None

    _race(world, get, put)


@right("reader and writer hold the lock from the look to the store")
def a_near_cache_in_a_global_under_a_lock(world):
    def get(key):
        with _lock:
            if _near.get(key) is None:
                _near[key] = world.origin.get(key)
            return _near[key]

    def put(key, value):
        with _lock:
            world.origin.set(key, value)
            _near[key] = None

    _race(world, get, put)


class _Shop:
    page = None


@broken("both see that there is no page yet, and each loads one")
def a_page_kept_on_a_class(world):
    redis = world.existing_cache.client()

    def look():
        if _Shop.page is None:
            redis.incr("loads")
            _Shop.page = "page"

    world.actor("one", look)
    world.actor("two", look)
    world.run()
    assert world.existing_cache.peek("loads") == "1"


@right("the second look under the lock sees the page of the first")
def a_page_kept_on_a_class_under_a_lock(world):
    redis = world.existing_cache.client()

    def look():
        with _lock:
            if _Shop.page is None:
                redis.incr("loads")
                _Shop.page = "page"

    world.actor("one", look)
    world.actor("two", look)
    world.run()
    assert world.existing_cache.peek("loads") == "1"


@functools.cache
def _remembered(read):
    return read()


_world = {}


def _read_origin():
    return _world["now"].origin.get("k")


@broken("the reader's answer is remembered after the writer has cleared the memory")
def a_memo_function_of_the_module(world):
    _world["now"] = world

    def put(key, value):
        world.origin.set(key, value)
        _remembered.cache_clear()

    _race(world, lambda _key: _remembered(_read_origin), put)


@right("nobody remembers anything")
def a_function_of_the_module_that_forgets(world):
    _world["now"] = world

    def put(key, value):
        world.origin.set(key, value)

    _race(world, lambda _key: _read_origin(), put)


def _cached(load):
    entries = {}

    @functools.wraps(load)
    def wrapper(key):
        if key not in entries:
            entries[key] = load(key)
        return entries.get(key)

    wrapper.forget = lambda key: entries.pop(key, None)
    return wrapper


@_cached
def _look_up(key):
    return _world["now"].origin.get(key)


@broken("the entry in the closure of the decorator is stored after it was forgotten")
def a_decorator_that_keeps_in_its_closure(world):
    _world["now"] = world

    def put(key, value):
        world.origin.set(key, value)
        _look_up.forget(key)

    _race(world, lambda key: _look_up(key), put)


@right("the writer comes when the reader has ended")
def a_decorator_that_keeps_and_a_writer_after_it(world):
    _world["now"] = world
    world.origin.set("k", "old")
    world.actor("reader", lambda: [_look_up("k")].clear())
    world.run()
    world.origin.set("k", "new")
    _look_up.forget("k")
    assert _look_up("k") == "new"


@broken("both take the number before either has counted on")
def a_number_counted_on_in_a_global(world):
    def take():
        global _first_seen
        _first_seen = 1 if _first_seen is None else _first_seen + 1

    world.actor("one", take)
    world.actor("two", take)
    world.run()
    assert _first_seen == 2


@right("each moves an entry of its own to the end, and order is not looked at")
def entries_moved_in_a_global(world):
    def note(name):
        _recent[name] = len(name)

    world.actor("one", note, "one")
    world.actor("two", note, "two")
    world.run()
    assert sorted(_recent) == ["first", "one", "two"]


class _Lazy:
    """Becomes what its function makes, at the first look at an attribute."""

    def __init__(self, make):
        self.__dict__["make"] = make

    def __getattr__(self, name):
        made = self.make()
        object.__setattr__(self, "__class__", made.__class__)
        object.__setattr__(self, "__dict__", made.__dict__)
        return getattr(self, name)


class _Settings:
    def __init__(self):
        self.source = __file__
        self.loaded = []


_settings = _Lazy(_Settings)


def _loading(redis):
    def load():
        if not _settings.loaded:
            redis.incr("loads")
            _settings.loaded.append(__file__)

    return load


@broken("both see that nothing is loaded yet, in every execution")
def a_lazy_object_that_becomes_another(world):
    load = _loading(world.existing_cache.client())
    world.actor("one", load)
    world.actor("two", load)
    world.run()
    assert world.existing_cache.peek("loads") == "1"


@right("the second look under the lock finds it loaded")
def a_lazy_object_that_becomes_another_under_a_lock(world):
    load = _loading(world.existing_cache.client())

    def load_alone():
        with _lock:
            load()

    world.actor("one", load_alone)
    world.actor("two", load_alone)
    world.run()
    assert world.existing_cache.peek("loads") == "1"


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


def test_after_a_check_memory_holds_what_it_held_before():
    assert _near == {}
    assert _Shop.page is None
    assert _first_seen is None
    assert _recent == {"first": 1}
