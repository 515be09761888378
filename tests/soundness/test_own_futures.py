"""Futures that code makes and ends itself: cancelled, begun, asked, by several flows."""

import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.soundness.truth import broken, right, systems_of


def _served(world, serve):
    """A client gives up a job where it can; else it waits for the worker's answer."""
    jobs = queue.SimpleQueue()

    def client():
        job = Future()
        jobs.put(job)
        return "cancelled" if job.cancel() else job.result()

    world.actor("client", client)
    world.actor("worker", lambda: serve(jobs.get()))
    told = world.run()
    assert (told["client"], told["worker"]) in [("cancelled", "skipped"), (1, "served")], told


@broken("the client cancels between the question and the result")
def a_worker_that_asks_whether_its_job_was_cancelled(world):
    def serve(job):
        if job.cancelled():
            return "skipped"
        job.set_result(1)
        return "served"

    _served(world, serve)


@right("a job that has begun cannot be cancelled")
def a_worker_that_begins_its_job(world):
    def serve(job):
        if not job.set_running_or_notify_cancel():
            return "skipped"
        job.set_result(1)
        return "served"

    _served(world, serve)


@broken("the worker begins between the question and the cancel, which is refused")
def a_client_that_asks_whether_its_job_runs(world):
    job = Future()

    def client():
        assert job.running() or job.cancel()

    world.actor("client", client)
    world.actor("worker", job.set_running_or_notify_cancel)
    world.run()


@right("the client believes what cancel() answers")
def a_client_that_cancels_and_does_not_ask(world):
    job = Future()

    def client():
        assert job.cancel() or job.running()

    world.actor("client", client)
    world.actor("worker", job.set_running_or_notify_cancel)
    world.run()


def _two_clients(world, begins):
    """One cancels, one waits for the answer: both are told the same."""
    job = Future()

    def worker():
        if not begins or job.set_running_or_notify_cancel():
            job.set_result(1)

    def waits():
        try:
            return job.result()
        except BaseException as error:  # noqa: BLE001 - the system compares what the client is told
            return type(error).__name__

    world.actor("gives_up", job.cancel)
    world.actor("waits", waits)
    world.actor("worker", worker)
    told = world.run()
    assert (told["gives_up"], told["waits"]) in [(True, "CancelledError"), (False, 1)], told


@broken("the job is cancelled before the worker, which did not begin it, sets its result")
def two_clients_of_a_job_that_never_begins(world):
    _two_clients(world, begins=False)


@right("the worker begins the job, or sees that it was cancelled")
def two_clients_of_a_job_that_begins(world):
    _two_clients(world, begins=True)


@broken("the flag tells the client that the worker is there, not that it has begun the job")
def a_cancel_after_the_worker_has_come(world):
    job, came = Future(), threading.Event()

    def worker():
        came.set()
        if job.set_running_or_notify_cancel():
            job.set_result(1)

    def client():
        came.wait()
        assert not job.cancel()

    world.actor("client", client)
    world.actor("worker", worker)
    world.run()


@right("the worker has begun the job when the client cancels")
def a_cancel_after_the_worker_has_begun(world):
    job, came = Future(), threading.Event()

    def worker():
        if job.set_running_or_notify_cancel():
            came.set()
            job.set_result(1)

    def client():
        came.wait()
        assert not job.cancel()
        assert job.exception() is None

    world.actor("client", client)
    world.actor("worker", worker)
    world.run()


def _asked_of_a_pool(world, ask):
    cache = world.existing_cache.client()

    def user():
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(cache.get, "k")
            assert ask(job)

    world.actor("user", user)
    world.run()


@broken("the job begins after the questions and before the cancel")
def a_job_of_a_pool_that_is_asked_and_then_cancelled(world):
    _asked_of_a_pool(world, lambda job: job.running() or job.done() or job.cancel())


@right("a job that cannot be cancelled runs, or is done")
def a_job_of_a_pool_that_is_cancelled_and_then_asked(world):
    _asked_of_a_pool(world, lambda job: job.cancel() or job.running() or job.done())


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_a_verdict_is_the_truth(system):
    system.must_be_told()
