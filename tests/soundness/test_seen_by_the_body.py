"""Queues, events, semaphores and locks of modules: the body of a test sees those of the users."""

import queue
import threading

import pytest

from tests.soundness.truth import broken, right, systems_of

JOBS = queue.Queue()
SIMPLE = queue.SimpleQueue()
DONE = threading.Event()
SLOTS = threading.Semaphore(1)
LOCK = threading.Lock()


@right("both jobs are in the queue in either order")
def jobs_counted_by_the_body(world):
    world.actor("alice", lambda: JOBS.put("alice"))
    world.actor("bob", lambda: JOBS.put("bob"))
    world.run()
    assert JOBS.qsize() == 2


@broken("both find the queue empty")
def jobs_put_once_counted_by_the_body(world):
    def put():
        if JOBS.empty():
            JOBS.put("job")

    world.actor("alice", put)
    world.actor("bob", put)
    world.run()
    assert JOBS.qsize() == 1


@right("one of them gets the job that the body has put there")
def a_job_of_the_body(world):
    SIMPLE.put("job")

    def take():
        try:
            return SIMPLE.get_nowait()
        except queue.Empty:
            return None

    world.actor("alice", take)
    world.actor("bob", take)
    assert sorted(filter(None, world.run().values())) == ["job"]


@broken("both find the queue not empty, and one of them gets nothing")
def a_job_of_the_body_that_is_looked_for(world):
    SIMPLE.put("job")

    def take():
        return None if SIMPLE.empty() else SIMPLE.get_nowait()

    world.actor("alice", take)
    world.actor("bob", take)
    world.run()


@right("somebody has set it in the end")
def an_event_asked_by_the_body(world):
    world.actor("alice", DONE.set)
    world.actor("bob", DONE.is_set)
    world.run()
    assert DONE.is_set()


@broken("bob looks before alice has set it, and clears it afterwards")
def an_event_cleared_and_asked_by_the_body(world):
    def clear():
        if not DONE.is_set():
            DONE.clear()

    world.actor("alice", DONE.set)
    world.actor("bob", clear)
    world.run()
    assert DONE.is_set()


@right("there is one slot")
def slots_taken_and_asked_by_the_body(world):
    def take():
        return SLOTS.acquire(blocking=False)

    world.actor("alice", take)
    world.actor("bob", take)
    assert sorted(world.run().values()) == [False, True]
    assert not take()


@broken("the second to come finds no slot")
def a_slot_that_the_body_has_taken(world):
    SLOTS.acquire()

    def take():
        return SLOTS.acquire(blocking=False)

    world.actor("alice", SLOTS.release)
    world.actor("bob", take)
    assert world.run()["bob"]


@right("each node has a queue of its own, as each process has; the body sees that of node a")
def jobs_of_two_nodes(world):
    world.actor("alice", lambda: JOBS.put("alice"), node="a")
    world.actor("bob", lambda: JOBS.put("bob"), node="b")
    world.run()
    assert JOBS.get_nowait() == "alice"
    assert JOBS.empty()


@broken("bob puts his job into the queue of his node, where the body does not look")
def jobs_of_two_nodes_counted_by_the_body(world):
    world.actor("alice", lambda: JOBS.put("alice"), node="a")
    world.actor("bob", lambda: JOBS.put("bob"), node="b")
    world.run()
    assert JOBS.qsize() == 2


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
