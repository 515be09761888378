"""Threads, pools and timers that actors start, buffers they flush, and what is kept per thread."""

import contextlib
import contextvars
import queue
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import ClassVar

import pytest

from tests.soundness.truth import broken, right, systems_of


class Report:
    def __init__(self):
        self.total = 0
        self.rows = []

    def add(self, amount):
        self.total += amount


def _alone(world, function):
    world.actor("only", function)
    return world.run()["only"]


@broken("the thread writes the total after it was read")
def a_thread_not_joined(world):
    def work():
        report = Report()
        threading.Thread(target=report.add, args=(1,)).start()
        return report.total

    assert _alone(world, work) == 1


@right("the thread is joined before the total is read")
def a_thread_joined(world):
    def work():
        report = Report()
        thread = threading.Thread(target=report.add, args=(1,))
        thread.start()
        thread.join()
        return report.total

    assert _alone(world, work) == 1


@broken("the actor and its own thread add at once")
def a_thread_beside_its_starter(world):
    def work():
        report = Report()
        thread = threading.Thread(target=report.add, args=(1,))
        thread.start()
        report.add(1)
        thread.join()
        return report.total

    assert _alone(world, work) == 2


@broken("two jobs of the pool add at once")
def two_jobs_of_a_pool(world):
    def work():
        report = Report()
        with ThreadPoolExecutor(2) as pool:
            pool.submit(report.add, 1)
            pool.submit(report.add, 1)
        return report.total

    assert _alone(world, work) == 2


@right("the pool has one thread for both jobs")
def two_jobs_of_a_pool_with_one_thread(world):
    def work():
        report = Report()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(report.add, 1)
            pool.submit(report.add, 1)
        return report.total

    assert _alone(world, work) == 2


@right("each job answers for itself, and the answers are added by one thread")
def two_jobs_that_answer(world):
    def work():
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(abs, -1), pool.submit(abs, -1)]
            return sum(job.result() for job in as_completed(jobs))

    assert _alone(world, work) == 2


class Worker(threading.Thread):
    def __init__(self, report, amount):
        super().__init__()
        self.report, self.amount, self.done = report, amount, False

    def run(self):
        self.report.add(self.amount)
        self.done = True


@broken("done is read once, before the worker has set it")
def a_worker_asked_too_early(world):
    def work():
        worker = Worker(Report(), 1)
        worker.start()
        return worker.done

    assert _alone(world, work)


@right("the worker is joined before it is asked")
def a_worker_asked_at_the_end(world):
    def work():
        worker = Worker(Report(), 1)
        worker.start()
        worker.join()
        return worker.done

    assert _alone(world, work)


@right("the row goes to the consumer through the queue, and the producer lets go of it")
def rows_handed_over_by_a_queue(world):
    rows = queue.Queue()

    def produce():
        row = {"n": 1}
        row["n"] += 1
        rows.put(row)

    def consume():
        row = rows.get()
        row["n"] += 1
        return row["n"]

    world.actor("producer", produce)
    world.actor("consumer", consume)
    assert world.run()["consumer"] == 3


@broken("the producer still changes the row that it has put into the queue")
def rows_changed_after_they_were_handed_over(world):
    rows = queue.Queue()

    def produce():
        row = {"n": 1}
        rows.put(row)
        row["n"] += 1

    def consume():
        row = rows.get()
        row["n"] += 1
        return row

    world.actor("producer", produce)
    world.actor("consumer", consume)
    assert world.run()["consumer"] == {"n": 3}


class Buffer:
    """Written behind."""

    def __init__(self, redis):
        self.redis, self.lock, self.waiting = redis, threading.Lock(), {}

    def write(self, key, value):
        with self.lock:
            self.waiting[key] = value

    def flush_then_clear(self):
        for key, value in list(self.waiting.items()):
            self.redis.set(key, value)
        with self.lock:
            self.waiting.clear()

    def swap_then_flush(self):
        with self.lock:
            batch, self.waiting = self.waiting, {}
        for key, value in batch.items():
            self.redis.set(key, value)


def _nothing_is_lost(world, flush):
    redis = world.existing_cache.client(decode_responses=True)
    buffer = Buffer(redis)
    buffer.write("a", "1")
    world.actor("writer", buffer.write, "b", "2")
    world.actor("flusher", flush, buffer)
    world.run()
    flush(buffer)
    assert (redis.get("a"), redis.get("b")) == ("1", "2")


@broken("what is written while the batch is on its way is cleared with it")
def a_buffer_cleared_after_its_flush(world):
    _nothing_is_lost(world, Buffer.flush_then_clear)


@right("the batch is taken out under the lock, and what comes later is in the next one")
def a_buffer_swapped_before_its_flush(world):
    _nothing_is_lost(world, Buffer.swap_then_flush)


class Request(threading.local):
    user = None


class Global:
    user = None


variable = contextvars.ContextVar("variable", default=None)


def _greets(world, request):
    def serve(user):
        request.user = user
        return f"hello {request.user}"

    world.actor("ann", serve, "ann")
    world.actor("bob", serve, "bob")
    assert world.run() == {"ann": "hello ann", "bob": "hello bob"}


@broken("the user of the other request is in the attribute when it is read")
def a_user_on_a_class(world):
    _greets(world, Global)


@right("each thread has an attribute of its own")
def a_user_on_a_subclass_of_local(world):
    _greets(world, Request())


@right("each thread has a context of its own")
def a_user_in_a_context_variable(world):
    def serve(user):
        with contextlib.ExitStack() as stack:
            stack.callback(variable.reset, variable.set(user))
            return variable.get()

    world.actor("ann", serve, "ann")
    world.actor("bob", serve, "bob")
    assert world.run() == {"ann": "ann", "bob": "bob"}


@broken("the list in the thread-local is the one default of the class, shared by all")
def a_mutable_default_on_a_local(world):
    class Local(threading.local):
        seen: ClassVar[list[str]] = []

    local = Local()

    def serve(user):
        local.seen.append(user)
        return list(local.seen)

    world.actor("ann", serve, "ann")
    world.actor("bob", serve, "bob")
    assert world.run() == {"ann": ["ann"], "bob": ["bob"]}


@right("the list is made anew for each thread by __init__")
def a_list_of_each_local(world):
    class Local(threading.local):
        def __init__(self):
            self.seen = []

    local = Local()

    def serve(user):
        local.seen.append(user)
        return list(local.seen)

    world.actor("ann", serve, "ann")
    world.actor("bob", serve, "bob")
    assert world.run() == {"ann": ["ann"], "bob": ["bob"]}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
