"""Code that was made between two checks, outside of any body, is rewritten like all other code.

An object of a local class, or a function that a module holds, may come from a fixture or from an
earlier test. Its functions are code under test, too, wherever they are referred to.
"""

import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from tests.soundness.truth import System

HELD = SimpleNamespace()


def _near(lock):
    class Near:
        lock_of_class = lock

        def __init__(self):
            self.hits = 0

        def hit(self):
            with lock:
                self.hits += 1

        @classmethod
        def hit_of(cls, near):
            with cls.lock_of_class:
                near.hits += 1

    return Near


def _hit_by_two(world, near, hit):
    near.hits = 0
    world.actor("x", hit)
    world.actor("y", hit)
    world.run()
    assert near.hits == 2


def _in_the_body(lock):
    near = _near(lock)()
    return lambda world: _hit_by_two(world, near, near.hit)


def _through_its_class(lock):
    near = SimpleNamespace()
    kind = _near(lock)
    return lambda world: _hit_by_two(world, near, lambda: kind.hit_of(near))


def _in_a_module(lock):
    HELD.near = _near(lock)()
    return lambda world: _hit_by_two(world, HELD.near, lambda: HELD.near.hit())


def _in_a_function_of_a_module(lock):
    near = HELD.near = SimpleNamespace()

    def hit():
        with lock:
            near.hits += 1

    HELD.hit = hit
    return lambda world: _hit_by_two(world, HELD.near, lambda: HELD.hit())


@pytest.fixture(scope="module")
def checked():
    """A check that was made before."""
    System("first", _in_the_body(threading.Lock()), False, "they hold one lock").must_be_told()


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize(
    "made", [_in_the_body, _through_its_class, _in_a_module, _in_a_function_of_a_module]
)
def test_what_is_made_between_two_checks_is_looked_into(made):
    System("broken", made(nullcontext()), True, "both add to the same number").must_be_told()
    System("right", made(threading.Lock()), False, "they hold one lock").must_be_told()


def test_a_function_that_takes_the_place_of_another_reference_is_found():
    """References to the globals are counted, and in each check there is one besides those known."""
    held = [globals()]
    System("first", _in_the_body(threading.Lock()), False, "they hold one lock").must_be_told()
    held.clear()
    made = _in_a_function_of_a_module_alone(nullcontext())
    System("broken", made, True, "both add to the same number").must_be_told()


def _in_a_function_of_a_module_alone(lock):
    near = HELD.near = SimpleNamespace()

    def hit():
        with lock:
            near.hits += 1

    HELD.hit = hit
    return _hit_what_is_held


def _hit_what_is_held(world):
    _hit_by_two(world, HELD.near, _hit_held)


def _hit_held():
    HELD.hit()
