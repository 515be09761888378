"""A step that waits for a socket or a pipe, and pools that are not controlled: what to do then."""

import os
import queue
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from multiprocessing.pool import ThreadPool
from types import SimpleNamespace

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.runtime.kernel.real_channels import explain_channel


def _lock():
    return threading.Lock()


def _checked(body):
    server = start_server("fakeredis")
    try:
        return check_on(server, body, Exploration(step_timeout=0.3), guarantees=())
    finally:
        server.close()


def _by_socket():
    near, far = socket.socketpair()
    return lambda: far.recv(1), (near.close, far.close)


def _by_file():
    near, far = socket.socketpair()
    file = far.makefile("rb")

    def read():
        return file.readline()

    return read, (near.close, file.close, far.close)


def _by_pipe():
    here, there = os.pipe()

    def read():
        return os.read(here, 1)

    return read, (lambda: os.close(there), lambda: os.close(here))


def _advice(wait, ends, is_there):
    """Let a thread wait, and return what is said of it once it does."""
    thread = threading.Thread(target=wait)
    thread.start()
    actor = SimpleNamespace(name="server", thread=thread)
    try:
        for _ in range(500):
            told = explain_channel(actor, lambda name: name.startswith(threading.__file__))
            if bool(told) is is_there:
                return told
            time.sleep(0.01)  # noqa: TID251 - a thread of its own is waited for
        return told
    finally:
        ends[0]()
        thread.join()
        for end in ends[1:]:
            end()


@pytest.mark.parametrize(
    ("make", "awaited"),
    [(_by_socket, "a socket"), (_by_file, "a socket"), (_by_pipe, "a pipe or a socket")],
)
def test_who_waits_for_the_other_end_is_advised_to_take_queues(make, awaited):
    (told,) = _advice(*make(), is_there=True)
    assert told.startswith(f"server waits for {awaited}: when the other end answers")
    assert "queue.Queue" in told


def test_who_waits_elsewhere_on_a_socket_or_a_pipe_is_not_spoken_of():
    near, far = socket.socketpair()
    stop = threading.Event()

    def wait():
        near.getsockname(), stop.wait()

    assert _advice(wait, (stop.set, near.close, far.close), is_there=False) == []


def test_who_is_on_no_line_is_not_spoken_of():
    stop = threading.Event()

    def wait():
        os.getpid(), stop.wait()

    wait.__code__ = wait.__code__.replace(co_linetable=b"")
    assert _advice(wait, (stop.set,), is_there=False) == []


def test_the_reason_of_a_step_that_waits_for_a_socket_says_what_to_do():
    wait, ends = _by_socket()

    def body(world):
        world.actor("server", wait)
        world.run()

    before = set(threading.enumerate())
    result = _checked(body)
    ends[0]()
    for thread in set(threading.enumerate()) - before:  # that of the server ends now
        thread.join(10)
    ends[1]()
    assert result.verdict is Verdict.UNKNOWN
    assert "server waits for a socket: when the other end" in result.reasons[0]


@pytest.mark.parametrize(
    ("lock", "verdict"), [(nullcontext, Verdict.VIOLATED), (_lock, Verdict.HOLDS)]
)
def test_queues_in_the_place_of_a_socket_tell_right_from_wrong(lock, verdict):
    def body(world):
        asked, answered, one_by_one = queue.Queue(), queue.Queue(), lock()

        def ask(word):
            with one_by_one:
                asked.put(word)
                return answered.get()

        def serve():
            for _ in range(2):
                answered.put(asked.get().upper())

        world.actor("server", serve)
        for word in ("x", "y"):
            world.actor(word, ask, word)
        answers = world.run()
        assert (answers["x"], answers["y"]) == ("X", "Y")

    assert check(body).verdict is verdict


def _mapped(pool, lock):
    def body(world):
        box, one_by_one = {"n": 0}, lock()

        def count(_):
            with one_by_one:
                n = box["n"]
                box["n"] = n + 1

        def use():
            with pool(2) as workers:
                list(workers.map(count, range(2)))

        world.actor("alice", use)
        world.run()
        assert box["n"] == 2

    return body


@pytest.mark.parametrize("lock", [nullcontext, _lock])
def test_a_pool_of_threads_of_multiprocessing_is_named_with_what_to_use(lock):
    before = threading.active_count()
    result = check(_mapped(ThreadPool, lock))
    assert result.verdict is Verdict.UNKNOWN
    (reason,) = result.reasons
    assert "(ThreadPool), which is not under control" in reason
    assert "ThreadPoolExecutor of concurrent.futures" in reason
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("lock", "verdict"), [(nullcontext, Verdict.VIOLATED), (_lock, Verdict.HOLDS)]
)
def test_the_pool_to_use_instead_tells_right_from_wrong(lock, verdict):
    assert check(_mapped(lambda size: ThreadPoolExecutor(size), lock)).verdict is verdict
