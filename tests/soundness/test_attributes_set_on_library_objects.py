"""An attribute that a flow sets, when it is missing, on an object that a module holds.

The object is one of the standard library, whose own content is not looked at. Each execution finds
the attribute missing, as the first one did.
"""

import functools
import logging
import queue
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from tests.soundness.truth import broken, right, systems_of


@functools.lru_cache
def price():
    return 1


def function():
    return 1


HOLDERS = {
    "partial": functools.partial(int), "memo": price, "function": function,
    "event": threading.Event(), "condition": threading.Condition(), "queue": queue.Queue(),
    "random": random.Random(), "logger": logging.getLogger("tests.soundness.attributes"),
    "pool": ThreadPoolExecutor(1), "thread": threading.Thread(), "namespace": type("N", (), {})(),
    "engine": create_engine("sqlite://"), "session": Session(), "maker": sessionmaker(),
}  # fmt: skip


def _fill_once(world, holder, guard):
    answers = []

    def fill():
        with guard:
            if not hasattr(holder, "shop_client"):
                holder.shop_client = object()
            answers.append(holder.shop_client)

    world.actor("a", fill)
    world.actor("b", fill)
    world.run()
    assert answers[0] is answers[1]


def _state(name):
    def racy(world):
        _fill_once(world, HOLDERS[name], nullcontext())

    def locked(world):
        _fill_once(world, HOLDERS[name], threading.Lock())

    racy.__name__, locked.__name__ = f"filled_on_a_{name}", f"filled_on_a_{name}_under_a_lock"
    broken("both find it missing")(racy)
    right("the second one finds it")(locked)


for _name in HOLDERS:
    _state(_name)


@pytest.mark.parametrize("system", systems_of(__name__, every=2), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()


def test_nothing_is_left_of_it():
    assert not any(hasattr(holder, "shop_client") for holder in HOLDERS.values())
