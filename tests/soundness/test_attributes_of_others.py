"""Attributes that code sets on objects of libraries which are otherwise left alone."""

import logging
import threading

import pytest
from rich.console import Console
from starlette.applications import Starlette

from tests.soundness.truth import broken, right, systems_of

APPLICATION = Starlette()


def _count(holder):
    holder.hits = holder.hits + 1


def _counted(world, mine, yours):
    mine.hits = yours.hits = 0
    world.actor("one", _count, mine)
    world.actor("two", _count, yours)
    world.run()
    assert mine.hits == yours.hits == (2 if mine is yours else 1)


@broken("both read the same number of the application before either writes it")
def hits_of_an_application(world):
    _counted(world, APPLICATION, APPLICATION)


@right("each user counts on an object of its own")
def hits_of_two_consoles(world):
    _counted(world, Console(), Console())


@broken("both read the same number of the state before either writes it")
def hits_of_the_state_of_an_application(world):
    _counted(world, APPLICATION.state, APPLICATION.state)


@right("each user counts in a state of its own")
def hits_of_two_states(world):
    _counted(world, Starlette().state, Starlette().state)


def _begin(holder, lock):
    with lock:
        if hasattr(holder, "begun"):
            return False
        holder.begun = True
        return True


def _begun_once(world, lock):
    logger = logging.Logger("shop")
    world.actor("one", _begin, logger, lock)
    world.actor("two", _begin, logger, lock)
    assert sorted(world.run().values()) == [False, True]


@broken("both find no mark on the logger before either sets it")
def a_mark_on_a_logger(world):
    _begun_once(world, threading.Semaphore(2))


@right("both hold one lock")
def a_mark_on_a_logger_under_a_lock(world):
    _begun_once(world, threading.Lock())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
