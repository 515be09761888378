"""Threads, timers and pools that code under test starts: every order, and nobody left behind."""

import gc
import os
import select
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, as_completed, wait
from math import comb
from pathlib import Path
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from pytest_supercache import Assume, Label, Verdict, check
from pytest_supercache.runtime.kernel.baton import SPARE_MAX
from tests.searched import complete, violation_of
from tests.selection import few


@pytest.fixture(autouse=True)
def nobody_left_behind():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def steps(world, name, count, seen=None):
    for number in range(count):
        world.step(f"{name} {number}", reads=())
        if seen is not None:
            seen.append(name)


@pytest.mark.parametrize(("own", "others"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_a_thread_and_the_one_that_started_it_have_every_merge(own, others):
    def run(world):
        seen = []

        def flow():
            thread = threading.Thread(target=steps, args=(world, "child", others, seen))
            thread.start()
            steps(world, "parent", own, seen)
            thread.join()
            seen.append("joined")

        world.actor("alice", flow)
        world.run()
        assert seen[-1] == "joined", "join lets nobody through before the thread has ended"
        return tuple(seen[:-1])

    counted = complete(run, memory="declared")  # the list is the test's own
    assert len(counted) == comb(own + others, own)
    # The thread has one more step, its end; after it only the parent goes on.
    assert counted.total() == comb(own + others + 1, own)


def test_what_was_done_before_the_start_is_seen_by_the_thread_and_its_work_by_who_joins():
    def run(world):
        client = world.existing_cache.client(decode_responses=True)
        seen = []

        def child():
            seen.append(client.get("x"))
            client.set("x", "child")

        def flow():
            client.set("x", "parent")
            thread = threading.Thread(target=child)
            thread.start()
            thread.join()
            seen.append(client.get("x"))

        world.actor("alice", flow)
        world.run()
        return tuple(seen)

    assert set(complete(run)) == {("parent", "child")}


def test_names_and_operations_come_from_whoever_started_it():
    def body(world):
        def grandchild():
            world.step("deep", reads=())
            raise LookupError("lost")

        def child():
            threading.Thread(target=grandchild).start()

        def flow():
            with world.operation("read", "x"):
                threading.Thread(target=child).start()
                threading.Thread(target=steps, args=(world, "second", 1)).start()

        world.actor("alice", flow)
        world.run()

    found = violation_of(body).counterexample
    by_actor = {step.actor: step for step in found.trace}
    assert set(by_actor) == {"alice", "alice/1", "alice/2", "alice/1/1"}
    assert {step.operation for step in found.trace} == {0}
    assert found.violation.guarantee == "answers"
    assert "alice/1/1 raised LookupError" in found.violation.summary
    assert "alice/1/1" in found.token
    assert found.replays == "10/10"


def test_a_thread_that_leaves_with_system_exit_has_just_ended():
    def run(world):
        def flow():
            thread = threading.Thread(target=exit)
            thread.start()
            alive = [thread.is_alive()]
            thread.join()
            return (*alive, thread.is_alive())

        world.actor("alice", flow)
        return world.run()["alice"]

    assert set(complete(run)) == {(True, False), (False, False)}


@pytest.mark.parametrize("is_hooked", [True, False])
def test_an_error_of_a_thread_is_an_answer_unless_the_code_has_a_hook_for_it(
    monkeypatch: pytest.MonkeyPatch, is_hooked: bool
):
    heard = []

    def crash():
        raise ValueError("late")

    def body(world):
        def flow():
            heard.clear()
            thread = threading.Thread(target=crash)
            thread.start()
            thread.join()
            return [(args.exc_type, args.thread is thread) for args in heard]

        world.actor("alice", flow)
        answers = world.run()
        assert answers["alice"] == [(ValueError, True)]

    def hook(args):
        heard.append(args)

    if is_hooked:
        monkeypatch.setattr(threading, "excepthook", hook)
    assert check(body).verdict is (Verdict.HOLDS if is_hooked else Verdict.VIOLATED)


def test_threads_are_numbered_anew_in_every_execution():
    names = set()

    def body(world):
        def flow():
            names.add(threading.Thread().name)

        world.actor("alice", flow)
        world.actor("bob", lambda: world.step("look", reads="x"))
        world.run()

    before = int(threading.Thread().name.partition("-")[2])
    assert check(body, search="all-schedules").verdict is Verdict.HOLDS
    assert names == {"Thread-1"}
    assert int(threading.Thread().name.partition("-")[2]) > before


@pytest.mark.parametrize(
    ("timeout", "alive", "waited"), [(1, True, 1), (60, False, 5), (0, True, 0)]
)
def test_a_timed_join_ends_with_the_thread_or_at_its_deadline(timeout, alive, waited):
    def run(world):
        def flow():
            thread = threading.Thread(target=sleep, args=(5,))
            thread.start()
            thread.join(timeout)
            return thread.is_alive(), world.clock.now()

        world.actor("alice", flow)
        return world.run()["alice"]

    assert set(complete(run)) == {(alive, waited)}


@pytest.mark.parametrize("daemon", [True, False])
def test_only_a_daemon_may_wait_for_ever(daemon):
    def body(world):
        def flow():
            threading.Thread(target=threading.Event().wait, daemon=daemon).start()

        world.actor("alice", flow)
        world.run()

    if daemon:
        assert check(body, search="all-schedules").verdict is Verdict.HOLDS
        return
    found = violation_of(body).counterexample
    assert found.violation.guarantee == "answers"
    assert [actor for actor, _ in found.violation.evidence["blocked"]] == ["alice/1"]


def crossing(world, order):
    one, two = threading.Lock(), threading.Lock()

    def both(first, second):
        with first, second:
            pass

    def flow():
        threads = [
            threading.Thread(target=both, args=pair) for pair in ((one, two), order(one, two))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    world.actor("alice", flow)
    world.run()


def test_two_threads_that_lock_crosswise_leave_their_user_without_an_answer():
    result = violation_of(lambda world: crossing(world, lambda one, two: (two, one)))
    found = result.counterexample
    assert {actor for actor, _ in found.violation.evidence["blocked"]} >= {"alice/1", "alice/2"}
    assert found.conflict_class == "deadlock"
    assert found.replays == "10/10"
    straight = check(lambda world: crossing(world, lambda *locks: locks), search="all-schedules")
    assert straight.verdict is Verdict.HOLDS


# -- systems -----------------------------------------------------------------------------------


class Refreshing:
    """A near cache that a thread of the system refreshes from the shared one."""

    def __init__(self, client, *, careful):
        self.client, self.near, self.careful = client, {}, careful
        self.wanted, self.lock = threading.Event(), threading.Lock()
        threading.Thread(target=self._refresh, daemon=True).start()

    def _refresh(self):
        while True:
            self.wanted.wait()
            self.wanted.clear()
            if self.careful:
                with self.lock:
                    self.near["x"] = self.client.get("x")
            else:
                value = self.client.get("x")
                with self.lock:
                    self.near["x"] = value

    def set(self, value):
        with self.lock:
            self.client.set("x", value)
            self.near["x"] = value

    def touch(self):
        self.wanted.set()


@pytest.mark.parametrize("careful", [False, True])
def test_a_refresh_thread_that_writes_what_it_read_before_a_change_is_found(careful):
    def body(world):
        client = world.existing_cache.client(decode_responses=True)
        system = Refreshing(client, careful=careful)
        world.actor("reader", system.touch)
        world.actor("writer", system.set, "new")
        world.run()
        world.settle()
        assert system.near["x"] == "new"

    result = check(body, search="all-schedules")
    if careful:
        assert result.verdict is Verdict.HOLDS, result.reasons
        return
    assert result.verdict is Verdict.VIOLATED, result.reasons
    assert result.label is Label.CONFLICT
    assert result.counterexample.replays == "10/10"
    assert "system/1" in result.counterexample.token or "body/1" in result.counterexample.token


class Pooled:
    """Writes through a pool: to the origin, and to the cache once that is done, or not."""

    def __init__(self, world, *, waits):
        self.client, self.origin = world.existing_cache.client(), world.origin
        self.waits, self.pool = waits, ThreadPoolExecutor(2)

    def set(self, value):
        written = self.pool.submit(self.origin.set, "x", value)
        if self.waits:
            written.result()
        self.pool.submit(self.client.delete, "x").result()
        written.result()

    def get(self):
        value = self.client.get("x")
        if value is None:
            value = self.origin.get("x")
            self.client.set("x", value)
        return value


@pytest.mark.parametrize("waits", [False, True])
def test_an_invalidation_in_a_pool_may_come_before_the_write_it_follows(waits):
    def body(world):
        world.origin.set("x", "old")
        system = Pooled(world, waits=waits)
        system.client.set("x", "old")

        def flow():
            system.set("new")
            with system.pool:
                return system.get()

        world.actor("alice", flow)
        # With nobody else, only the pool itself can be what is out of order.
        world.actor("bob", system.get) if not waits else None
        world.run()
        world.settle()
        assert world.existing_cache.peek("x") in {None, b"new", "new"}

    result = check(body, search="all-schedules", executions=60_000)
    if waits:
        assert result.verdict is Verdict.HOLDS, result.reasons
        return
    assert result.verdict is Verdict.VIOLATED, result.reasons
    assert result.counterexample.replays == "10/10"


def delayed(world, pause, daemon):
    """Delete, write, and let a timer delete once more for whoever has read in between."""
    client = world.existing_cache.client(decode_responses=True)
    client.set("n", "old")

    def refill():
        value = client.get("n")
        client.set("copy", value)

    def write():
        client.set("n", "new")
        client.delete("copy")
        if pause is not None:
            timer = threading.Timer(pause, client.delete, ["copy"])
            timer.daemon = daemon
            timer.start()

    world.actor("refill", refill)
    world.actor("writer", write)
    world.run()
    world.settle()
    assert world.existing_cache.peek("copy") in {None, "new"}


@pytest.mark.parametrize("daemon", few([False, True], 1))
@pytest.mark.parametrize(
    ("pause", "ticks", "assume", "verdict"),
    [
        (None, 0, None, Verdict.VIOLATED),
        (1, 0, None, Verdict.HOLDS),
        (1, "auto", None, Verdict.VIOLATED),
        (1, "auto", Assume(pause=0.5), Verdict.HOLDS),
    ],
)
def test_a_timer_that_deletes_again_holds_only_while_nobody_is_slow(
    pause, ticks, assume, verdict, daemon
):
    result = check(
        lambda world: delayed(world, pause, daemon), search="all-schedules", ticks=ticks,
        assume=assume,
    )  # fmt: skip
    assert result.verdict is verdict, result.reasons
    if verdict is Verdict.VIOLATED:
        assert result.counterexample.replays == "10/10"


def test_a_daemon_that_would_heal_only_after_a_key_expires_is_not_waited_for():
    def run(world, ttl):
        client, healed = world.existing_cache.client(), []

        def heal():
            sleep(60)
            healed.append(1)

        def flow():
            client.set("x", 1, ex=ttl)
            threading.Thread(target=heal, daemon=True).start()

        world.actor("alice", flow)
        world.run()
        return len(healed)

    assert set(complete(lambda world: run(world, 30))) == {0}
    assert set(complete(lambda world: run(world, 90))) == {1}


def test_a_timer_that_is_cancelled_in_time_does_nothing():
    def run(world):
        fired = []

        def flow():
            timer = threading.Timer(1, fired.append, ["fired"])
            timer.start()
            timer.cancel()
            timer.join()

        world.actor("alice", flow)
        world.run()
        return tuple(fired)

    assert set(complete(run)) == {()}
    assert set(complete(run, ticks=1)) == {(), ("fired",)}


# -- pools -------------------------------------------------------------------------------------


def jobs(workers, collect):
    def run(world):
        order = []

        def job(name):
            order.append(f"{name}+")
            world.step(name, reads=())
            order.append(f"{name}-")
            return name

        def flow():
            with ThreadPoolExecutor(workers) as pool:
                answer = collect(pool, job)
            assert order.count("a-") == order.count("b-") == 1, "the pool waits for its jobs"
            return answer, "".join(order)

        world.actor("alice", flow)
        return world.run()["alice"]

    return complete(run, memory="declared")  # the list is the test's own


def in_order(pool, job):
    return "".join(future.result() for future in [pool.submit(job, name) for name in "ab"])


def test_one_worker_does_one_job_after_the_other_and_two_do_them_in_any_order():
    assert set(jobs(1, in_order)) == {("ab", "a+a-b+b-")}
    # They begin in the order they came; what they do then is in any order.
    begun = {"a+a-b+b-", "a+b+a-b-", "a+b+b-a-"}
    assert set(jobs(2, in_order)) == {("ab", order) for order in begun}


def test_map_waits_for_every_job_in_order():
    answers = jobs(2, lambda pool, job: "".join(pool.map(job, "ab")))
    assert {answer for answer, _ in answers} == {"ab"}


def test_the_first_to_end_may_be_either():
    def first(pool, job):
        done, _ = wait([pool.submit(job, name) for name in "ab"], return_when=FIRST_COMPLETED)
        return "".join(sorted(future.result() for future in done))

    assert {answer for answer, _ in jobs(2, first)} == {"a", "b", "ab"}


def test_futures_come_as_they_end():
    def as_they_end(pool, job):
        return "".join(f.result() for f in as_completed([pool.submit(job, name) for name in "ab"]))

    assert {answer for answer, _ in jobs(2, as_they_end)} == {"ab", "ba"}


def test_a_job_is_cancelled_only_before_it_begins_and_its_error_reaches_who_asks():
    def run(world):
        def flow():
            with ThreadPoolExecutor(1) as pool:
                failing = pool.submit(int, "no number")
                late = pool.submit(steps, world, "late", 1)
                cancelled = late.cancel()
                assert late.cancelled() is cancelled
                assert isinstance(failing.exception(), ValueError)
                return cancelled

        world.actor("alice", flow)
        return world.run()["alice"]

    assert set(complete(run)) == {True, False}


def test_a_pool_that_was_shut_down_takes_no_job():
    def run(world):
        def flow():
            pool = ThreadPoolExecutor(1)
            pool.shutdown()
            with pytest.raises(RuntimeError, match="after shutdown"):
                pool.submit(int)
            return "refused"

        world.actor("alice", flow)
        return world.run()["alice"]

    assert set(complete(run)) == {"refused"}


EVENT, CONDITION = threading.Event(), threading.Condition()
EVENT.reason = "closed"
CONDITION.rooms = [1, 2]


def test_attributes_that_code_adds_to_an_event_or_a_condition_are_there():
    def run(world):
        world.actor("alice", lambda: (EVENT.reason, CONDITION.rooms))
        return world.run()["alice"]

    assert set(complete(lambda world: str(run(world)))) == {"('closed', [1, 2])"}


# -- the end of an execution --------------------------------------------------------------------


def test_a_thread_that_repeats_for_ever_is_cut_off_and_the_sentence_says_so():
    def body(world):
        client = world.existing_cache.client()

        def repeat():
            while True:
                sleep(1)
                client.get("x")

        threading.Thread(target=repeat).start()  # no daemon: only the process ends it
        world.actor("alice", client.set, "x", 1)
        world.run()

    result = check(body, search="all-schedules", ticks=0)
    assert result.verdict is Verdict.HOLDS, result.reasons
    assert "threads that repeat cut off soon after the users" in result.coverage


def test_threads_that_hang_or_outlive_their_user_are_gone_after_the_check():
    def body(world):
        gate = threading.Condition()

        def waits():
            with gate:
                gate.wait()

        def flow():
            for target in (waits, threading.Event().wait, waits):
                threading.Thread(target=target, daemon=True).start()
            os.read(here, 1)  # blocks outside any switch point

        world.actor("alice", flow)
        world.run()

    here, there = os.pipe()
    from pytest_supercache.checking.check import check_on
    from pytest_supercache.core.settings import Exploration
    from pytest_supercache.layers.servers import start_server

    settings = Exploration(search="all-schedules", step_timeout=0.2)
    result = check_on(start_server("fakeredis"), body, settings)
    assert result.verdict is Verdict.UNKNOWN
    assert "did not arrive within 0.2 s" in "".join(result.reasons)
    os.write(there, b".")  # now it may leave, as everybody else has
    deadline = time.monotonic() + 10
    while any(thread.name == "alice" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        sleep(0.01)
    os.close(here)
    os.close(there)


def test_nobody_begins_after_an_execution_was_given_up():
    """Alice's thread is cleaned up for longer than a step may take; bob was to come next."""
    began, left = [], threading.Event()
    executions = []

    class Slow:
        def __del__(self):
            select.select([], [], [], 1.5)
            left.set()

    def body(world):
        executions.append(world)
        here = threading.local()
        is_first = len(executions) == 1

        def alice():
            if is_first:
                here.slow = Slow()
            world.step("alice", reads=())

        def bob():
            began.append(world._controller.given_up)

        world.actor("alice", alice)
        world.actor("bob", bob)
        world.run()

    from pytest_supercache.checking.check import check_on
    from pytest_supercache.core.settings import Exploration
    from pytest_supercache.layers.servers import start_server

    settings = Exploration(search="all-schedules", step_timeout=0.2)
    check_on(start_server("fakeredis"), body, settings)
    assert left.wait(10)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        assert True not in began
        sleep(0.05)


@pytest.fixture
def _interrupts():
    """Hear SIGINT, which a shell lets its background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
def test_threads_are_gone_after_an_interrupt():
    def body(world):
        def flow():
            threading.Thread(target=threading.Event().wait).start()
            threading.Thread(target=steps, args=(world, "child", 3)).start()
            world.step("now", reads=())
            signal.raise_signal(signal.SIGINT)
            for number in range(1000):
                world.step(f"{number}", reads=())

        world.actor("alice", flow)
        world.run()

    with pytest.raises(KeyboardInterrupt):
        check(body, search="all-schedules")


@pytest.mark.usefixtures("_interrupts")
def test_a_thread_that_is_between_two_steps_at_an_interrupt_is_waited_for():
    def body(world):
        def flow():
            world.step("now", reads=())
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            select.select([], [], [], 0.3)  # blocks outside any switch point
            world.step("then", reads=())

        world.actor("alice", flow)
        world.run()

    with pytest.raises(KeyboardInterrupt):
        check(body, search="all-schedules")


def test_executions_close_their_descriptors_without_the_collector_whatever_is_raised():
    def body(world):
        def flow(name):
            world.step(name, reads=())
            raise LookupError(name)  # its frames know the world, and the world knows it

        for name in "abc":
            world.actor(name, flow, name)
        world.run()

    check(body, executions=1)
    gc.collect()
    gc.disable()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert violation_of(body, stop_at_first=False).executions == 6
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + SPARE_MAX
    finally:
        gc.enable()
