"""Conditions and events, with and without a second check after waking."""

import threading
from collections import deque

import pytest

from tests.soundness.truth import broken, right, systems_of


def _twice(world, function, *arguments):
    world.actor("first", function, *arguments)
    world.actor("second", function, *arguments)
    return world.run()


class Box:
    def __init__(self):
        self.condition = threading.Condition()
        self.items = deque()

    def put(self, item):
        with self.condition:
            self.items.append(item)
            self.condition.notify()

    def take(self):
        with self.condition:
            self.condition.wait_for(lambda: self.items)
            return self.items.popleft()

    def take_without_looking(self):
        with self.condition:
            self.condition.wait()
            return self.items.popleft()

    def take_after_one_look(self):
        with self.condition:
            if not self.items:
                self.condition.wait()
            return self.items.popleft()


@right("whoever takes looks under the condition before and after it waits")
def a_condition_with_a_predicate(world):
    box = Box()
    world.actor("taker", box.take)
    world.actor("putter", box.put, 1)
    assert world.run()["taker"] == 1


@broken("the item comes before the wait, which nobody ends then")
def a_condition_without_a_predicate(world):
    box = Box()
    world.actor("taker", box.take_without_looking)
    world.actor("putter", box.put, 1)
    world.run()


@broken("another taker is quicker than the one that was woken, who does not look again")
def a_condition_looked_at_once(world):
    box = Box()
    world.actor("taker", box.take_after_one_look)
    world.actor("greedy", lambda: box.condition.acquire() and _grab(box))
    world.actor("putter", box.put, 1)
    world.run()


def _grab(box):
    try:
        return box.items.popleft() if box.items else box.items.append(1)
    finally:
        box.condition.release()


@right("the gate opens when the number is there")
def an_event_set_after_the_write(world):
    gate, found = threading.Event(), {}
    world.actor("first", lambda: (found.update(k=1), gate.set()))
    world.actor("second", lambda: (gate.wait(), found["k"]))
    world.run()


@broken("the gate opens before the number is there")
def an_event_set_before_the_write(world):
    gate, found = threading.Event(), {}
    world.actor("first", lambda: (gate.set(), found.update(k=1)))
    world.actor("second", lambda: (gate.wait(), found["k"]))
    world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
