"""State of modules that no execution gives back: what the very first run has used up is told."""

import os
import threading
import time

import pytest

from tests.soundness.truth import broken, right, systems_of

KEPT = "something was kept that no execution gives back"
LOCK = threading.Lock()


class Seat:
    """One of two users may have it."""

    def __init__(self):
        self.taken = False


HIDDEN = frozenset({Seat()})
HIDDEN_TOO = frozenset({Seat()})
TAKEN_AT = frozenset({Seat()})
KEYS = {Seat(): "front"}
SEATS = [Seat()]


def _take(seat):
    if seat.taken:
        return False
    seat.taken = True
    return True


def _given_to_one(world, find):
    """Under a lock one of two users gets the seat."""

    def take():
        with LOCK:
            return _take(find())

    world.actor("alice", take)
    world.actor("bob", take)
    assert sorted(world.run().values()) == [False, True]


def _given_to_one_at_most(world, find):
    """Without a lock both may get it."""

    def take():
        return _take(find())

    world.actor("alice", take)
    world.actor("bob", take)
    assert sum(world.run().values()) < 2


@right("it is free at first", unknown=KEPT)
def a_seat_in_a_frozenset(world):
    _given_to_one(world, lambda: next(iter(HIDDEN)))


@broken("both find it free", unknown=KEPT)
def a_seat_in_a_frozenset_without_a_lock(world):
    _given_to_one_at_most(world, lambda: next(iter(HIDDEN_TOO)))


@right("it is free at first, and two users are shown one time", unknown=KEPT)
def a_seat_that_is_taken_at_a_time(world):
    def take(seat):
        return time.monotonic() > 0 and _take(seat)

    world.actor("alice", take, next(iter(TAKEN_AT)))
    world.actor("bob", take, next(iter(TAKEN_AT)))
    assert sorted(world.run().values()) == [False, True]


@right("it is free at first", unknown=KEPT)
def a_seat_that_is_a_key(world):
    _given_to_one(world, lambda: next(iter(KEYS)))


@broken("both find it free", unknown=KEPT)
def a_flag_of_the_environment_without_a_lock(world):
    def take():
        if "SEAT_OF_THE_TEST" in os.environ:
            return False
        os.environ["SEAT_OF_THE_TEST"] = "taken"
        return True

    world.actor("alice", take)
    world.actor("bob", take)
    assert sum(world.run().values()) < 2


@right("it is free at first, and given back before every execution")
def a_seat_in_a_list(world):
    _given_to_one(world, lambda: SEATS[0])


@broken("both find it free")
def a_seat_in_a_list_without_a_lock(world):
    _given_to_one_at_most(world, lambda: SEATS[0])


@right("what is answered may differ in every run, and nothing depends on it")
def an_answer_that_is_another_one_in_every_run(world):
    world.actor("alice", lambda: id(object()))
    world.actor("bob", lambda: None)
    world.run()


@broken("bob comes before alice has put her answer there")
def an_answer_that_is_looked_for(world):
    answers = []
    world.actor("alice", lambda: answers.append(id(answers)))
    world.actor("bob", lambda: len(answers))
    assert world.run()["bob"] == 1


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.delenv("SEAT_OF_THE_TEST", raising=False)
    yield
    os.environ.pop("SEAT_OF_THE_TEST", None)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
