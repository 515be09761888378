"""Conditions, barriers, queues and futures: who goes on when, in every order that there is."""

import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from pytest_supercache import Verdict, check
from tests.searched import complete, violation_of
from tests.selection import either

# -- conditions --------------------------------------------------------------------------------


def hand_over(waits_in_a_loop, notify):
    """One produces, one consumes; it sleeps only while there is nothing, or without looking."""

    def run(world):
        condition, items, got = threading.Condition(), [], []

        def consume():
            with condition:
                while waits_in_a_loop and not items:
                    condition.wait()
                if not waits_in_a_loop:
                    condition.wait()
                got.append(items.pop())

        def produce():
            with condition:
                items.append("item")
                if notify:
                    condition.notify()

        world.actor("consumer", consume)
        world.actor("producer", produce)
        world.run()
        return tuple(got)

    return run


def test_a_condition_that_is_looked_at_and_notified_hands_everything_over():
    counted = complete(hand_over(waits_in_a_loop=True, notify=True))
    # Producer first; consumer first; and then either of them may have the lock first.
    assert set(counted) == {("item",)}


@pytest.mark.parametrize(("loop", "notify"), [(False, True), (True, False)])
def test_a_wakeup_that_comes_before_the_wait_or_never_is_lost(loop, notify):
    found = violation_of(hand_over(waits_in_a_loop=loop, notify=notify)).counterexample
    assert found.violation.guarantee == "answers"
    assert [actor for actor, _ in found.violation.evidence["blocked"]] == ["consumer"]
    assert "resume" in found.violation.summary
    assert found.conflict_class == "lost-wakeup"
    assert found.replays == "10/10"


@pytest.mark.parametrize(("notify", "woken"), [("notify", 1), ("notify_all", 2)])
def test_notify_wakes_who_has_waited_longest_and_notify_all_everybody(notify, woken):
    def run(world):
        condition, came, went = threading.Condition(), [], []

        def sleeper(name):
            with condition:
                came.append(name)
                condition.wait()
                went.append(name)

        def waker():
            world.wait_until(lambda: len(came) == 2)
            with condition:
                getattr(condition, notify)()

        for name in "ab":
            world.actor(name, sleeper, name, daemon=True)
        world.actor("waker", waker)
        world.run()
        assert set(went) == set(came[:woken])
        return tuple(came), tuple(went)

    outcomes = set(complete(run, memory="declared"))  # the lists are the test's own
    if woken == 1:
        assert outcomes == {(("a", "b"), ("a",)), (("b", "a"), ("b",))}
    else:
        orders = [("a", "b"), ("b", "a")]
        assert outcomes == {(came, went) for came in orders for went in orders}


@pytest.mark.parametrize(("timeout", "answer"), [(1, (False, 1)), (60, (True, 5))])
def test_a_timed_wait_holds_the_lock_again_whether_notified_or_not(timeout, answer):
    def run(world):
        condition = threading.Condition()

        def sleeper():
            with condition, condition:  # held twice: both come back
                woken = condition.wait(timeout)
                return woken, world.clock.now()

        def waker():
            sleep(5)
            with condition:
                condition.notify()

        world.actor("sleeper", sleeper)
        world.actor("waker", waker)
        return world.run()["sleeper"]

    assert set(complete(run)) == {answer}


def test_a_condition_refuses_who_does_not_hold_its_lock():
    def run(world):
        def flow():
            condition = threading.Condition(threading.Lock())
            with pytest.raises(RuntimeError, match="un-acquired"):
                condition.notify()
            with pytest.raises(RuntimeError, match="un-acquired"):
                condition.wait()
            return "refused"

        world.actor("a", flow)
        return world.run()["a"]

    assert set(complete(run)) == {"refused"}


# -- barriers ----------------------------------------------------------------------------------


def rounds(parties, count, action=None):
    def run(world):
        barrier, numbers = threading.Barrier(parties, action), []

        def flow():
            numbers.extend(barrier.wait() for _ in range(count))

        for name in "abc"[:parties]:
            world.actor(name, flow)
        world.run()
        return tuple(numbers)

    return run


def test_a_barrier_lets_nobody_into_the_next_round_before_all_have_left_the_last():
    counted = complete(rounds(2, 2), memory="declared")  # the lists are the test's own
    assert set(counted) == {(1, 0, 1, 0)}
    # Each round: one of two arrives first, then only it can pass.
    assert counted.total() == 2 * 2
    for numbers in complete(rounds(3, 1), memory="declared"):
        assert sorted(numbers) == [0, 1, 2]


def test_the_action_of_a_barrier_runs_once_a_round_before_anybody_leaves():
    acted = []

    def run(world):
        acted.clear()
        numbers = rounds(2, 2, lambda: acted.append("acted"))(world)
        return numbers, tuple(acted)

    counted = complete(run, memory="declared")  # the lists are the test's own
    assert set(counted) == {((1, 0, 1, 0), ("acted", "acted"))}


def test_who_gives_up_breaks_the_barrier_for_everybody():
    def run(world):
        barrier = threading.Barrier(2)

        def impatient():
            with pytest.raises(threading.BrokenBarrierError):
                barrier.wait(1)
            return "gave up"

        def late():
            sleep(5)
            with pytest.raises(threading.BrokenBarrierError):
                barrier.wait()
            return barrier.broken

        world.actor("impatient", impatient)
        world.actor("late", late)
        return tuple(world.run().values())

    assert set(complete(run)) == {("gave up", True)}


def test_a_barrier_that_is_one_short_is_no_answer():
    def body(world):
        world.actor("a", threading.Barrier(2).wait)
        world.run()

    assert violation_of(body).counterexample.violation.guarantee == "answers"


# -- queues ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: queue.Queue(), {(1, 2)}),
        (lambda: queue.SimpleQueue(), {(1, 2)}),
        (lambda: queue.LifoQueue(), {(1, 2), (2, 1)}),
        (lambda: queue.PriorityQueue(), {(1, 2)}),
    ],
)
def test_a_queue_hands_everything_over_in_its_order(make, got):
    def run(world):
        things = make()

        def put():
            things.put(1)
            things.put(2)

        world.actor("putter", put)
        world.actor("getter", lambda: (things.get(), things.get()))
        return world.run()["getter"]

    assert set(complete(run)) == got


def test_two_getters_never_get_the_same_and_an_empty_queue_answers_nobody():
    def run(world):
        things = queue.Queue()
        world.actor("putter", things.put, "only")
        for name in "ab":
            world.actor(name, things.get, daemon=True)
        answers = world.run()
        return tuple(name for name in "ab" if answers.get(name) == "only")

    assert set(complete(run)) == {("a",), ("b",)}

    def body(world):
        world.actor("a", queue.Queue().get)
        world.run()

    assert "get" in violation_of(body).counterexample.violation.summary


def test_a_full_queue_lets_nobody_put_before_something_was_taken():
    def run(world):
        things, order = queue.Queue(maxsize=1), []

        def put():
            for number in range(2):
                things.put(number)
                order.append(f"put {number}")

        def get():
            order.extend(f"got {things.get()}" for _ in range(2))

        world.actor("putter", put)
        world.actor("getter", get)
        world.run()
        return tuple(order)

    orders = set(complete(run, memory="declared"))  # the list is the test's own
    assert orders == {("put 0", "got 0", "put 1", "got 1")}


def test_joining_a_queue_waits_for_what_was_taken_and_a_timed_get_ends_in_virtual_time():
    def run(world):
        things = queue.Queue()
        things.put("job")

        def work():
            things.get()
            sleep(3)
            things.task_done()
            with pytest.raises(ValueError, match="task_done"):
                things.task_done()

        def flow():
            things.join()
            done_at = world.clock.now()
            with pytest.raises(queue.Empty):
                things.get(timeout=2)
            with pytest.raises(queue.Empty):
                things.get_nowait()
            return done_at, world.clock.now()

        world.actor("worker", work)
        world.actor("user", flow)
        return world.run()["user"]

    assert set(complete(run)) == {(3, 5)}


# -- polls -------------------------------------------------------------------------------------


def test_who_polls_an_empty_queue_waits_and_the_search_ends():
    def run(world):
        things = queue.Queue()

        def poll():
            while things.empty():
                pass
            while True:
                try:
                    return things.get_nowait()
                except queue.Empty:
                    continue

        world.actor("poller", poll)
        world.actor("putter", things.put, "thing")
        return world.run()["poller"]

    # It asks before the thing is there, up to four times, or after.
    assert complete(run) == {"thing": 5}


def test_a_daemon_that_polls_may_stay_without_an_answer_and_a_user_gives_up_as_its_code_says():
    def run(world):
        things = queue.Queue()

        def poll():
            while things.empty():
                pass

        def three_times():
            return sum(things.empty() for _ in range(3))

        threading.Thread(target=poll, daemon=True).start()
        world.actor("user", three_times)
        return world.run()["user"]

    assert set(complete(run)) == {3}

    def body(world):
        done = threading.Event()

        def poll():
            while not done.is_set():
                pass

        world.actor("user", poll)
        world.run()

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.UNKNOWN
    assert "code that polls should wait" in "".join(result.reasons)


# -- futures -----------------------------------------------------------------------------------


def single_flight(world, *, tells):
    """Whoever comes first loads, the other waits for its future."""
    client = world.existing_cache.client(decode_responses=True)
    client.set("x", "value")
    flights, lock, loads = {}, threading.Lock(), []

    def get():
        with lock:
            mine = "x" not in flights
            future = flights.setdefault("x", Future())
        if mine:
            loads.append(1)
            value = client.get("x")
            if tells:
                future.set_result(value)
            return value
        return future.result()

    world.actor("a", get)
    world.actor("b", get)
    return world.run(), len(loads)


def test_a_future_lets_nobody_through_before_it_is_done():
    outcomes = complete(lambda world: str(single_flight(world, tells=True)))
    assert set(outcomes) == {str(({"a": "value", "b": "value"}, 1))}
    lost = violation_of(lambda world: single_flight(world, tells=False)).counterexample
    assert "result of" in lost.violation.summary
    assert lost.replays == "10/10"


def test_a_result_that_comes_too_late_is_a_timeout_in_virtual_time():
    def run(world):
        def flow():
            with ThreadPoolExecutor() as pool:
                slow = pool.submit(sleep, 5)
                done, waiting = wait([slow], timeout=1)
                assert (done, waiting) == (set(), {slow})
                with pytest.raises(TimeoutError):
                    slow.result(timeout=1)
                with pytest.raises(TimeoutError):
                    list(as_completed([slow], timeout=1))
                given_up_at = world.clock.now()
                return given_up_at, slow.result(timeout=60), world.clock.now()

        world.actor("a", flow)
        return world.run()["a"]

    assert set(complete(run)) == {(3, None, 5)}


def test_a_job_that_waits_for_another_one_of_its_own_pool_needs_a_second_worker():
    def body(world, workers):
        def flow():
            with ThreadPoolExecutor(workers) as pool:
                return pool.submit(lambda: pool.submit(int, 7).result()).result()

        world.actor("alice", flow)
        assert world.run().get("alice", 7) == 7

    found = violation_of(lambda world: body(world, 1)).counterexample
    waiting = {actor for actor, _ in found.violation.evidence["blocked"]}
    assert waiting == {"alice", "alice/1", "alice/1/1"}
    assert found.conflict_class == "deadlock"
    twin = check(lambda world: body(world, 2), search="all-schedules")
    assert twin.verdict is Verdict.HOLDS, twin.reasons
    assert "a pool's worker that became idle last takes the next job" in twin.coverage


# -- made before the check, and found ------------------------------------------------------------

EARLY = """
import threading
import queue
import concurrent.futures
from threading import Condition, Thread

JOBS = queue.Queue()
POOL = concurrent.futures.ThreadPoolExecutor(1)
LOCK = threading.Lock()
SAME = [LOCK]
READY = Condition(LOCK)

class Worker(Thread):
    gate = threading.Semaphore(1)

    def run(self):
        with self.gate:
            JOBS.put("worked")

def make():
    barrier = threading.Barrier(1)
    def meet():
        return barrier.wait()
    return meet

meet = make()

def locally():
    import threading as t
    from queue import Queue
    lock, things = t.Lock(), Queue()
    with lock:
        things.put("local")
    return things.get()

def flow():
    Worker(daemon=True).start()
    with SAME[0]:
        assert LOCK.locked()
    with READY:
        READY.notify()
    assert meet() == 0
    return JOBS.get(), POOL.submit(locally).result(), JOBS.empty()
"""


def test_what_was_made_at_import_in_class_bodies_and_closures_is_under_control(module):
    exec(compile(EARLY, "early.py", "exec"), module.__dict__)

    def run(world):
        world.actor("alice", module.flow)
        world.actor("bob", module.flow, node="b")  # another process: it has its own of everything
        answer = ("worked", "local", True)
        assert world.run() == {"alice": answer, "bob": answer}

    result = check(run, search="random", executions=either(20, 100))
    # Random search proves nothing, so this means: no error, no wait that nobody ends, no hang.
    assert [reason[:27] for reason in result.reasons] == ["random search found nothing"]
    assert type(module.JOBS) is queue.Queue
    assert module.JOBS.empty(), "nothing is left in it"
    assert isinstance(module.LOCK, type(threading.Lock()))
    assert module.SAME[0] is module.LOCK
    assert module.POOL.submit(int, 3).result() == 3
    module.POOL.shutdown()


def test_a_queue_that_was_filled_at_import_holds_the_same_in_every_execution(module):
    exec("import queue\nJOBS = queue.Queue()\nJOBS.put('only')", module.__dict__)

    def run(world):
        for name in "ab":
            world.actor(name, lambda: module.JOBS.get(), daemon=True)
        answers = world.run()
        return tuple(name for name in "ab" if answers.get(name) == "only")

    assert set(complete(run)) == {("a",), ("b",)}
    assert list(module.JOBS.queue) == ["only"]
