"""Exhaustive search of what waits together: the same interleavings as in all schedules."""

import queue
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from pytest_supercache.checking.environment import open_environment
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import End
from pytest_supercache.layers.servers import start_server
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.events import Dependence, events_of, order, trace_key
from tests.selection import few


def log_of(world):
    client = world.existing_cache.client(decode_responses=True)
    return client, lambda: world.existing_cache.peek("log")


def one_of_two_is_notified(world):
    """The one that has waited longer is notified, the other one gives up."""
    condition = threading.Condition()

    def sleeper():
        with condition:
            return condition.wait(1)

    def waker():
        with condition:
            condition.notify()

    for name in "ab":
        world.actor(name, sleeper)
    world.actor("waker", waker)
    return world.run()


def hand_over(world):
    condition, items = threading.Condition(), []

    def consume():
        with condition:
            while not items:
                condition.wait()
            return items.pop(0)

    def produce(item):
        with condition:
            items.append(item)
            condition.notify()

    world.actor("consumer", consume)
    world.actor("a", produce, "a")
    world.actor("b", produce, "b")
    return world.run()


def lost_wakeup(world):
    condition = threading.Condition()

    def sleeper():
        with condition:
            condition.wait()

    def waker():
        with condition:
            condition.notify_all()

    world.actor("a", sleeper)
    world.actor("b", sleeper)
    world.actor("waker", waker)
    return sorted(world.run())


def barrier(world):
    client, log = log_of(world)
    meeting = threading.Barrier(2)

    def flow(name):
        for _ in range(2):
            number = meeting.wait()
            client.append("log", f"{name}{number}")

    for name in "ab":
        world.actor(name, flow, name)
    world.run()
    return log()


def small_queue(world):
    things = queue.Queue(1)

    def put():
        for number in range(3):
            things.put(number)

    world.actor("putter", put)
    world.actor("a", lambda: [things.get(), things.get()])
    world.actor("b", things.get)
    return world.run()


def polls(world):
    things = queue.Queue()

    def poll():
        while things.empty():
            pass
        return things.get_nowait()

    world.actor("poller", poll)
    world.actor("a", things.put, "a")
    world.actor("b", things.put, "b")
    return world.run()


def threads(world):
    client, log = log_of(world)

    def child(name):
        client.append("log", name)

    def flow():
        started = [threading.Thread(target=child, args=(name,)) for name in "12"]
        for thread in started:
            thread.start()
        client.append("log", "a")
        for thread in started:
            thread.join()
        return client.get("log")

    world.actor("a", flow)
    world.run()
    return log()


def timed_joins(world):
    client, log = log_of(world)

    def child():
        sleep(2)
        client.append("log", "child")

    def flow():
        thread = threading.Thread(target=child)
        thread.start()
        thread.join(1)
        client.append("log", "user")
        return thread.is_alive()

    world.actor("a", flow)
    answers = world.run()
    return answers, log()


def timer_and_lock(world):
    lock = threading.Lock()

    def flow():
        timer = threading.Timer(1, lock.acquire)
        timer.start()
        taken = lock.acquire(timeout=2)
        timer.cancel()
        if taken:
            lock.release()
        return taken

    world.actor("a", flow)
    world.actor("b", lock.acquire, timeout=1)
    return world.run()


def pool(world):
    client, log = log_of(world)

    def flow():
        jobs = [together.submit(client.append, "log", name) for name in "12"]
        jobs[1].cancel()
        wait(jobs, return_when=FIRST_COMPLETED)
        client.append("log", "a")

    together = ThreadPoolExecutor(1)
    world.actor("a", flow)
    world.run()
    return log()


def worker_of_the_system(world):
    client, log = log_of(world)
    things = queue.Queue()

    def work():
        while True:
            client.append("log", things.get())
            things.task_done()

    def flow(name):
        things.put(name)
        things.join()
        client.append("log", name.upper())

    threading.Thread(target=work, daemon=True).start()
    world.actor("a", flow, "a")
    world.actor("b", flow, "b")
    world.run()
    return log()


def timed_acquires(world):
    lock = threading.Lock()
    world.actor("a", lock.acquire, timeout=1)
    world.actor("b", lock.acquire, timeout=2)
    return world.run()


def searched(program, search, ticks):
    """Return the outcomes and the interleavings of a search, one for each whole execution."""
    outcomes, keys, dependence, answers = [], [], Dependence(), []

    def body(world):
        answers.append(repr(program(world)))

    with open_environment(
        start_server("fakeredis"), Exploration(ticks=ticks, memory="declared"), {}
    ) as environment:

        def attempt(scheduler):
            execution = environment.execute(body, scheduler)
            assert not execution.hazards
            if execution.complete:
                events, _ = events_of(execution.race, execution.schedule.choices, dependence)
                order(events, 0, dependence)
                keys.append(trace_key(events))
                outcomes.append(answers[-1])
            return execution

        assert search.explore(attempt) is End.EXHAUSTED
    return outcomes, keys


@pytest.mark.parametrize(
    ("program", "ticks", "interleavings"),
    few(
        [
            (hand_over, 0, 8),
            (barrier, 0, 16),
            (small_queue, 0, 3),
            (polls, 0, 30),
            (threads, 0, 6),
            (worker_of_the_system, 0, 18),
            (timed_joins, 0, 1),
            (timed_joins, 1, 13),
            (timed_acquires, 1, 8),
            (lost_wakeup, 0, 10),
            (one_of_two_is_notified, 0, 22),
            (pool, 0, 36),
            (timer_and_lock, 0, 2),
        ],
        9,
    ),
)
def test_every_interleaving_is_executed_once(program, ticks, interleavings):
    search = Exhaustive()
    outcomes, keys = searched(program, search, ticks)
    every, every_key = searched(program, AllSchedules(), ticks)
    assert set(keys) == set(every_key)
    assert len(keys) == len(set(keys)) == interleavings
    assert search.blocked == 0
    assert set(outcomes) == set(every)
    assert len(every) >= len(outcomes)
