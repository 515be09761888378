"""Locks, events and sleeps that code under test makes: who may go on, and what time it is then."""

import threading
import time
from time import perf_counter, sleep  # noqa: TID251 - what code under test does

import pytest

from pytest_supercache import Assume, Label, SupercacheError, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.runtime.process import rebinding as rebind
from pytest_supercache.runtime.process import reference_walk as places
from tests.searched import complete, violation_of
from tests.selection import few


def add_one(client):
    client.set("n", int(client.get("n") or 0) + 1)


def counted(make_guard, users="ab"):
    def run(world):
        client, guard = world.existing_cache.client(), make_guard()

        def flow():
            with guard:
                add_one(client)

        for name in users:
            world.actor(name, flow)
        world.run()
        return int(world.existing_cache.peek("n"))

    return run


class _NoGuard:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    "make", [lambda: threading.Lock(), lambda: threading.RLock(), lambda: threading.Semaphore(1)]
)
def test_a_lock_around_both_commands_loses_no_update(make):
    assert set(complete(counted(make))) == {2}


@pytest.mark.parametrize("make", [_NoGuard, lambda: threading.Semaphore(2)])
def test_without_a_lock_or_with_room_for_everyone_updates_are_lost(make):
    assert set(complete(counted(make))) == {1, 2}


def test_critical_sections_of_three_actors_have_their_six_orders():
    def run(world):
        lock, order = threading.Lock(), []

        def flow(name):
            with lock:
                order.append(name)

        for name in "abc":
            world.actor(name, flow, name)
        world.run()
        return "".join(order)

    assert set(complete(run)) == {"abc", "acb", "bac", "bca", "cab", "cba"}


def crossing(world, second_order):
    one, two = threading.Lock(), threading.Lock()

    def flow(first, second):
        with first, second:
            pass

    world.actor("a", flow, one, two)
    world.actor("b", flow, *(second_order(one, two)))
    world.run()


def test_locks_taken_in_opposite_orders_deadlock_and_nobody_is_answered():
    result = violation_of(lambda world: crossing(world, lambda one, two: (two, one)))
    found = result.counterexample
    assert found.violation.guarantee == "answers"
    assert {actor for actor, _ in found.violation.evidence["blocked"]} == {"a", "b"}
    assert found.replays == "10/10"
    assert result.label is Label.CONFLICT


def test_locks_taken_in_one_order_never_deadlock():
    result = check(
        lambda world: crossing(world, lambda one, two: (one, two)), search="all-schedules"
    )
    assert result.verdict is Verdict.HOLDS
    assert result.blocked == 0


def nested(make):
    def body(world):
        lock = make()

        def flow():
            with lock, lock:
                pass

        world.actor("a", flow)
        world.actor("b", flow)
        world.run()

    return body


def test_a_plain_lock_taken_twice_blocks_for_ever_and_a_reentrant_one_does_not():
    blocked = violation_of(nested(lambda: threading.Lock()))
    assert blocked.counterexample.violation.guarantee == "answers"
    assert blocked.label is Label.PLAIN_BUG
    result = check(nested(lambda: threading.RLock()), search="all-schedules")
    assert result.verdict is Verdict.HOLDS


def test_a_reentrant_lock_is_free_once_it_was_released_as_often_as_it_was_taken():
    def run(world, is_held_between):
        client, lock = world.existing_cache.client(), threading.RLock()

        def flow():
            with lock if is_held_between else _NoGuard():
                with lock:
                    found = int(client.get("n") or 0)
                with lock:
                    client.set("n", found + 1)

        for name in "ab":
            world.actor(name, flow)
        world.run()
        return int(world.existing_cache.peek("n"))

    assert set(complete(lambda world: run(world, is_held_between=True))) == {2}
    assert set(complete(lambda world: run(world, is_held_between=False))) == {1, 2}


def test_releasing_what_is_not_held_is_the_error_that_threading_raises():
    def run(world):
        def flow():
            with pytest.raises(RuntimeError):
                threading.Lock().release()
            return "raised"

        world.actor("a", flow)
        return world.run()["a"]

    assert set(complete(run)) == {"raised"}


def test_a_try_fails_exactly_when_the_lock_is_held():
    def run(world):
        lock = threading.Lock()

        def hold():
            with lock:
                world.step("hold", reads=())

        def attempt():
            taken = lock.acquire(blocking=False)
            if taken:
                lock.release()
            return taken

        world.actor("holder", hold)
        world.actor("other", attempt)
        return world.run()["other"]

    assert set(complete(run)) == {True, False}


def test_of_two_who_ask_in_vain_either_may_give_up_first():
    def run(world):
        gates, order = [threading.Event(), threading.Event()], []

        def flow(name, gate):
            if not gate.is_set() and not gate.is_set():  # nobody sets it
                world.step(f"{name} gives up", writes="order")
                order.append(name)

        for name, gate in zip("ab", gates, strict=True):
            world.actor(name, flow, name, gate)
        world.run()
        return "".join(order)

    assert set(complete(run)) == {"ab", "ba"}


def test_an_event_lets_nobody_through_before_it_is_set():
    def run(world):
        event, seen = threading.Event(), []

        def wait():
            event.wait()
            seen.append("through")

        def tell():
            world.step("work", reads=())
            seen.append("set")
            event.set()

        world.actor("waiter", wait)
        world.actor("teller", tell)
        world.run()
        return tuple(seen)

    assert set(complete(run)) == {("set", "through")}


def test_an_event_that_nobody_sets_is_no_answer():
    def body(world):
        world.actor("waiter", threading.Event().wait)
        world.run()

    assert violation_of(body).counterexample.violation.guarantee == "answers"


def test_a_daemon_may_wait_for_ever():
    def body(world):
        world.actor("waiter", threading.Event().wait, daemon=True)
        world.actor("user", world.step, "work", ())
        world.run()

    assert check(body, search="all-schedules").verdict is Verdict.HOLDS


def most_inside(room):
    def run(world):
        semaphore, inside, most = threading.Semaphore(room), [], []

        def flow(name):
            with semaphore:
                inside.append(name)
                most.append(len(inside))
                world.step("inside", reads=())
                inside.remove(name)

        for name in "abc"[: room + 1]:
            world.actor(name, flow, name)
        world.run()
        return max(most)

    return run


def test_a_semaphore_admits_as_many_as_it_has_room():
    for room in (1, 2):  # the counters are the test's own
        counted = complete(most_inside(room), memory="declared")
        assert set(counted) == set(range(1, room + 1))


def timed(timeout, hold):
    def run(world):
        lock = threading.Lock()

        def holder():
            with lock:
                sleep(hold)

        def other():
            begun = time.monotonic()
            taken = lock.acquire(timeout=timeout)
            if taken:
                lock.release()
            return taken, round(time.monotonic() - begun, 3)

        world.actor("holder", holder)
        world.actor("other", other)
        return world.run()["other"]

    return run


def test_a_timed_acquire_gives_up_at_its_deadline_in_virtual_time():
    # Who comes first has it at once; who comes while it is held waits to the end or gives up.
    assert set(complete(timed(timeout=1, hold=60))) == {(True, 0), (False, 1)}
    assert set(complete(timed(timeout=60, hold=1))) == {(True, 0), (True, 1)}


def test_a_lock_that_is_released_at_the_deadline_of_a_timed_acquire_may_still_be_had():
    assert set(complete(timed(timeout=1, hold=1))) == {(True, 0), (True, 1), (False, 1)}


@pytest.mark.parametrize(
    ("ticks", "pause", "most"),
    few(
        [
            (0, None, 0),
            (2, None, 2),
            ("auto", 2.5, 2),
            ("auto", None, 3),
            (1, None, 1),
            (3, None, 3),
        ],
        4,
    ),
)
def test_others_sleep_meanwhile_as_often_as_ticks_may_be_early_and_for_less_than_a_pause(
    ticks, pause, most
):
    def run(world):
        client = world.existing_cache.client()

        def is_slow():
            client.get("k")
            begun = time.monotonic()
            client.get("k")
            return round(time.monotonic() - begun)

        world.actor("is slow", is_slow)
        world.actor("sleeps", lambda: [sleep(1) for _ in range(4)])
        return world.run()["is slow"]

    assume = None if pause is None else Assume(pause=pause)
    assert set(complete(run, ticks=ticks, assume=assume)) == set(range(most + 1))


def test_an_hour_of_sleep_costs_no_real_time():
    def run(world):
        def flow():
            begun = time.monotonic()
            sleep(3600)
            return time.monotonic() - begun

        world.actor("a", flow)
        answers = world.run()
        return answers["a"], world.clock.now()

    begun = perf_counter()
    [(slept, moved)] = complete(run)
    assert (slept, moved) == (pytest.approx(3600), 3600)
    assert slept > moved  # by the two readings
    assert perf_counter() - begun < 3600


def slow_and_quick(world):
    """A refill is meant to be over within a second: true only while nobody is slow."""
    client = world.existing_cache.client(decode_responses=True)
    client.set("n", "old")

    def refill():
        value = client.get("n")
        client.set("copy", value)

    def write():
        client.set("n", "new")
        client.delete("copy")
        sleep(1)
        client.delete("copy")

    world.actor("refill", refill)
    world.actor("writer", write)
    world.run()
    assert world.existing_cache.peek("copy") in {None, "new"}


@pytest.mark.parametrize(
    ("ticks", "assume", "verdict"),
    few(
        [
            (0, None, Verdict.HOLDS),
            (1, None, Verdict.VIOLATED),
            ("auto", Assume(pause=1.0), Verdict.HOLDS),
            ("auto", Assume(pause=1.5), Verdict.VIOLATED),
            ("auto", None, Verdict.VIOLATED),
            ("auto", Assume(pause=0.5), Verdict.HOLDS),
            (2, None, Verdict.VIOLATED),
        ],
        4,
    ),
)
def test_a_delayed_second_delete_holds_only_while_nobody_is_slow(ticks, assume, verdict):
    result = check(slow_and_quick, search="all-schedules", ticks=ticks, assume=assume)
    assert result.verdict is verdict


def sleepers(world):
    woken = []

    def flow(name, seconds):
        sleep(seconds)
        woken.append(name)

    world.actor("short", flow, "short", 1)
    world.actor("long", flow, "long", 2)
    world.run()
    return tuple(woken), world.clock.now()


def test_early_ticks_let_a_shorter_sleep_end_later():
    assert set(complete(sleepers, ticks=0)) == {(("short", "long"), 2)}
    assert set(complete(sleepers, ticks=1)) >= {(("short", "long"), 2), (("long", "short"), 2)}


def test_wait_until_goes_on_exactly_when_its_condition_is_true():
    def run(world):
        client, seen = world.existing_cache.client(decode_responses=True), []
        peek = world.existing_cache.peek

        def wait():
            world.wait_until(lambda: peek("n") == "2", reads="existing_cache:n")
            seen.append(peek("n"))

        def count():
            client.set("n", 1)
            client.set("n", 2)

        world.actor("waiter", wait)
        world.actor("counter", count)
        world.run()
        return tuple(seen)

    assert set(complete(run)) == {("2",)}


def test_wait_until_something_that_never_becomes_true_is_no_answer():
    def body(world):
        world.actor("waiter", world.wait_until, lambda: False)
        world.actor("other", world.step, "work", ())
        world.run()

    assert violation_of(body).counterexample.violation.guarantee == "answers"


def test_an_exception_in_an_actor_is_no_answer_and_one_in_the_body_fails_it():
    def raising(world):
        world.actor("a", int, "no number")
        world.run()

    def failing(world):
        world.run()
        raise AssertionError("body")

    assert violation_of(raising).counterexample.violation.guarantee == "answers"
    assert violation_of(failing).counterexample.violation.guarantee == "test body"


@pytest.mark.parametrize("name", ["", "a@b", "twice"])
def test_a_name_that_cannot_stand_in_a_token_is_refused(name):
    def body(world):
        world.actor("twice", int)
        world.actor(name, int)

    with pytest.raises(SupercacheError, match=r"world\.actor"):
        check(body)


@pytest.mark.parametrize(
    ("bound", "memory", "verdict"),
    [
        (1_000, "declared", Verdict.HOLDS),
        (10, "declared", Verdict.UNKNOWN),
        (10, "auto", Verdict.HOLDS),
    ],
)
def test_a_lock_beyond_the_bound_of_the_walk_is_under_control_only_where_code_is_rewritten(
    module, monkeypatch, bound, memory, verdict
):
    """What is not looked into keeps its real lock: somebody blocks on it if its use is not seen."""
    monkeypatch.setattr(places, "PLACES_MAX", bound)
    monkeypatch.setattr(places, "is_under_test_name", module.__name__.__eq__)
    monkeypatch.setattr(rebind, "modules_under_test", lambda: [module])
    module.rows = [{"i": i} for i in range(20)]
    module.kept = {"far": {"lock": threading.Lock()}}

    def body(world):
        assert counted(lambda: module.kept["far"]["lock"])(world) == 2

    settings = Exploration(search="all-schedules", step_timeout=1.0, memory=memory)
    result = check_on(start_server("fakeredis"), body, settings, guarantees=())
    assert result.verdict is verdict
    assert ("did not arrive" in "".join(result.reasons)) is (verdict is Verdict.UNKNOWN)


def _increments(guard, nodes):
    def add(cache):
        with guard():
            cache.set("n", int(cache.get("n") or 0) + 1)

    def body(world):
        for name, node in zip(("alice", "bob"), nodes, strict=True):
            world.actor(name, add, world.existing_cache.client(), node=node)
        world.run()
        assert world.existing_cache.peek("n") == "2"

    return body


def test_a_lock_made_at_import_excludes_users_of_one_node_only(module):
    module.guard = threading.Lock()
    assert check(_increments(lambda: module.guard, "aa")).verdict is Verdict.HOLDS
    assert check(_increments(lambda: module.guard, "ab")).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("place", ["list", "dict", "default", "instance"])
def test_a_lock_is_found_wherever_a_module_keeps_it(module, place):
    lock = threading.Lock()

    class Kept:
        def __init__(self):
            self.lock = lock

    Kept.__module__ = module.__name__

    def guarded(kept=lock):
        return kept

    module.kept = {"list": [lock], "dict": {"k": lock}, "instance": Kept(), "default": guarded}[
        place
    ]
    find = {
        "list": lambda: module.kept[0],
        "dict": lambda: module.kept["k"],
        "instance": lambda: module.kept.lock,
        "default": lambda: module.kept(),
    }[place]

    def body(world):
        cache = world.existing_cache.client()

        def once():
            if not find().acquire(blocking=False):
                return "busy"
            cache.incr("n")
            find().release()
            return "done"

        world.actor("alice", once)
        world.actor("bob", once)
        assert world.run() == {"alice": "done", "bob": "done"}

    assert check(body).verdict is Verdict.VIOLATED
    assert find() is lock


def test_a_clock_that_is_a_default_argument_is_virtual(module):
    def now(clock=time.monotonic):
        return clock()

    module.now = now

    def body(world):
        def wait():
            before = module.now()
            time.sleep(10)  # noqa: TID251 - code under test sleeps
            assert module.now() - before == pytest.approx(10)

        world.actor("alice", wait)
        world.run()

    module.body = body
    assert check(body).verdict is Verdict.HOLDS


def test_a_look_at_keys_that_expire_is_no_reading_of_the_clock_by_code():
    passed = set()

    def body(world):
        client = world.existing_cache.client()

        def look():
            client.set("k", 1, ex=10)
            before = time.time()  # noqa: TID251 - code under test reads the clock
            world.origin.get("x")
            world.origin.get("y")
            return round((time.time() - before) * 1_000_000)  # noqa: TID251 - as above

        world.actor("alice", look)
        world.actor("bob", lambda: client.get("k"))
        passed.add(world.run()["alice"])

    assert check(body, ticks=1).verdict is Verdict.HOLDS
    assert passed - {None} == {1, 10_000_002}  # the second reading is later, and so is a tick
