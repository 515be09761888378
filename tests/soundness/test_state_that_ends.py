"""State that goes away with its last holder, that is waited for, or whose reading fails."""

import functools
import threading
from types import SimpleNamespace
from weakref import WeakValueDictionary, finalize

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


class _Page:
    text = "old"


@right("the reader holds what get answers")
def a_weak_page_that_is_held_by_the_reader(world):
    owner = SimpleNamespace(pages={"home": _Page()})
    weak = WeakValueDictionary(owner.pages)

    def let_go():
        owner.pages = {}

    def read():
        page = weak.get("home")
        return page.text if page is not None else None

    _together(world, let_go, read)
    assert "home" not in weak


@right("get looks and reads at once")
def an_entry_dropped_by_a_finalizer_and_got(world):
    owner, near = SimpleNamespace(page=_Page()), {"home": 1}
    finalize(owner.page, near.pop, "home")

    def let_go():
        owner.page = None

    _together(world, let_go, lambda: near.get("home"))
    assert near == {}


class _Product:
    def __init__(self):
        self.parts = {}

    @functools.cached_property
    def price(self):
        raise AttributeError("no price yet")

    @functools.cached_property
    def size(self):
        return len(self.parts)


@right("hasattr and getattr with a default take an AttributeError of the property for an answer")
def a_cached_property_that_has_no_value(world):
    product = _Product()

    def look():
        assert not hasattr(product, "price")
        assert getattr(product, "price", 0) == 0

    _together(world, look, look)


@broken("the size is kept by a look before the part is put in, and stays what it was")
def a_cached_property_that_is_kept_too_early(world):
    product = _Product()
    _together(world, lambda: getattr(product, "size", 0), lambda: product.parts.update(a=1))
    assert product.size == 1


class _Once:
    _one = None
    _lock = threading.Lock()

    def __new__(cls):
        if cls._one is None:
            with cls._lock:
                if cls._one is None:
                    cls._one = super().__new__(cls)
        return cls._one


class _OnceOrTwice:
    _one = None

    def __new__(cls):
        if cls._one is None:
            cls._one = super().__new__(cls)
        return cls._one


def _made(world, kind):
    kind._one = None
    made = []
    _together(world, lambda: made.append(kind()), lambda: made.append(kind()))
    return made


@broken("both see that there is none yet, and each makes one")
def a_singleton_without_a_lock(world):
    first, second = _made(world, _OnceOrTwice)
    assert first is second


@right("the second test is under the lock")
def a_singleton_tested_twice(world):
    first, second = _made(world, _Once)
    assert first is second


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
