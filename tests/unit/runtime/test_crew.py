"""Threads that serve one actor after the other look new to each of them."""

import contextvars
import gc
import sys
import threading
import weakref

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.runtime.kernel.crew import DISTINCT_MAX, Crew
from pytest_supercache.runtime.kernel.thread_locals import renews_locals

NOTED = contextvars.ContextVar("noted", default="nothing")


@pytest.fixture
def crew():
    crew = Crew()
    yield crew
    crew.close()


def wait_until(condition):
    """Let other threads run until something is so."""
    for _ in range(1_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to that")


def run(crew, target):
    begun = threading.Event()

    def live():
        begun.set()
        target()

    thread = crew.thread(target=live, name="flow")
    thread.start()
    begun.wait()  # whoever starts an actor waits for a baton, too
    thread.join()
    crew.begin()
    return thread


def test_actors_of_one_execution_run_on_threads_of_their_own():
    shelves, found = {}, []

    def body(world):
        shelves.clear()

        def flow():
            found.append(shelves.setdefault(threading.get_ident(), None))
            shelves[threading.get_ident()] = "left"

        for name in ("alice", "bob"):
            world.actor(name, flow)
        world.run()

    assert check(body, stop_at_first=False).verdict is Verdict.HOLDS
    assert set(found) == {None}


def test_threads_serve_again_in_the_next_execution_and_when_there_are_very_many(crew):
    for _ in range(2):
        for _ in range(DISTINCT_MAX * 2):
            thread = crew.thread(target=len, name="flow", args=((),))
            thread.start()
            thread.join()
        crew.begin()
    assert crew.begun == DISTINCT_MAX


def test_what_a_thread_left_is_gone_for_the_next_actor(crew):
    here = threading.local()
    found = []

    def flow():
        thread = threading.current_thread()
        found.append((getattr(here, "value", None), NOTED.get(), getattr(thread, "mark", None)))
        here.value, thread.mark = "left", "left"
        NOTED.set("left")

    for _ in range(3):
        run(crew, flow)
    assert found == [(None, "nothing", None)] * 3


def test_a_thread_local_with_a_default_of_its_own_begins_anew(crew):
    class Counted(threading.local):
        def __init__(self):
            self.number = 0

    here, found = Counted(), []

    def flow():
        here.number += 1
        found.append(here.number)

    for _ in range(3):
        run(crew, flow)
    assert found == [1, 1, 1]


def test_what_a_thread_local_held_is_let_go_before_join_returns(crew):
    here, ended = threading.local(), []

    class Connection:
        def __del__(self):
            ended.append(True)

    def flow():
        here.connection = Connection()

    run(crew, flow)
    assert len(ended) == 1


def test_code_sees_itself_as_its_thread(crew):
    seen = []

    def flow():
        thread = threading.current_thread()
        seen.append((thread, thread.name, thread.is_alive(), thread in threading.enumerate()))
        assert thread.ident == threading.get_ident()
        assert thread.native_id == threading.get_native_id()

    threads = [run(crew, flow) for _ in range(2)]
    assert seen == [(thread, "flow", True, True) for thread in threads]
    assert threads[0] is not threads[1]
    assert not any(thread.is_alive() for thread in threads)


def test_threads_that_wait_for_work_are_nowhere_to_be_seen(crew):
    before = threading.enumerate()
    run(crew, lambda: None)
    assert threading.enumerate() == before


def test_two_actors_at_once_have_a_thread_each(crew):
    both, idents = threading.Barrier(3), set()

    def flow():
        idents.add(threading.get_ident())
        both.wait(60)

    threads = [crew.thread(target=flow, name=name) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    both.wait(60)
    for thread in threads:
        thread.join()
    assert len(idents) == 2


def test_a_trace_function_is_that_of_new_threads(crew):
    calls = []

    def trace(frame, event, _argument):
        calls.append(frame.f_code.co_name)

    def traced():
        pass

    run(crew, traced)
    before = threading.gettrace()
    threading.settrace(trace)
    try:
        run(crew, traced)
    finally:
        threading.settrace(before)
    assert calls.count("traced") == (before is None)
    calls.clear()
    run(crew, traced)
    assert "traced" not in calls


def test_what_a_profile_function_keeps_in_a_thread_begins_anew(crew):
    here, found = threading.local(), []

    def flow():
        found.append(here.flows)

    def profile(frame, event, _argument):
        is_flow = event == "call" and frame.f_code is flow.__code__
        here.flows = getattr(here, "flows", 0) + is_flow

    threading.setprofile(profile)
    try:
        for _ in range(3):
            run(crew, flow)
    finally:
        threading.setprofile(None)
    assert found == [1, 1, 1]


def test_an_operating_system_thread_serves_again_where_python_allows_it(crew):
    natives = []
    for _ in range(3):
        run(crew, lambda: natives.append(threading.get_native_id()))
    assert not renews_locals() or len(set(natives)) == 1


def test_python_allows_it():
    """Where it does not, all works, but slower: a new Python should be looked at."""
    assert renews_locals()


def test_several_thread_locals_and_what_their_ends_leave_are_gone(crew):
    natives, found = [], []
    many = [threading.local() for _ in range(9)]
    late = threading.local()

    class LeavesMore:
        def __del__(self):
            late.value = "left"

    def flow():
        natives.append(threading.get_native_id())
        found.append([getattr(one, "value", None) for one in (*many, late)])
        for one in many:
            one.value = LeavesMore()

    for _ in range(3):
        run(crew, flow)
    assert found == [[None] * 10] * 3
    assert not renews_locals() or len(set(natives)) == 1


def test_who_looks_at_all_that_there_is_does_not_disturb(crew):
    if sys.version_info < (3, 13):
        run(crew, lambda: None)  # there is nothing to look at
        return
    here, references, ended = threading.local(), [], []

    def flow():
        here.value = "left"
        looked = threading.local()
        looked.value = "mine"
        [watchers] = [kept for kept in gc.get_referents(looked) if isinstance(kept, set)]
        [watched] = [watcher() for watcher in watchers]
        references.append(weakref.ref(watched))
        references.append(weakref.ref(watched, ended.append))

    natives = []
    run(crew, flow)
    run(crew, lambda: natives.append(getattr(here, "value", None)))
    assert natives == [None]
    assert not ended


def test_what_others_hold_in_the_same_thread_local_stays(crew):
    here = threading.local()
    here.value = "the caller's"
    waits, seen = threading.Barrier(2), []

    def stays():
        here.value = "its own"
        waits.wait(60)
        waits.wait(60)
        seen.append(here.value)

    stayer = threading.Thread(target=stays)
    stayer.start()
    waits.wait(60)
    run(crew, lambda: setattr(here, "value", "left"))
    waits.wait(60)
    stayer.join()
    assert (seen, here.value) == (["its own"], "the caller's")


def test_a_thread_that_leaves_something_for_ever_serves_nobody_else(crew):
    natives = []

    class ComesAgain:
        def __del__(self):
            local = threading.local()
            local.value = ComesAgain()
            held.append(local)

    held = []

    def flow():
        natives.append(threading.get_native_id())
        local = threading.local()
        local.value = ComesAgain()
        held.append(local)

    run(crew, flow)
    run(crew, lambda: natives.append(threading.get_native_id()))
    ComesAgain.__del__ = lambda self: None
    held.clear()
    assert not renews_locals() or len(set(natives)) == 2


def test_threads_end_with_the_crew():
    crew = Crew()
    run(crew, lambda: None)
    crew.close()
    ended = []
    run(crew, lambda: ended.append(True))
    assert ended == [True]


def test_a_connection_in_a_thread_local_does_not_outlive_its_execution():
    here = threading.local()
    made = []

    def body(world):
        def flow():
            if not hasattr(here, "client"):
                here.client = world.existing_cache.client()
                made.append(True)
            here.client.incr("count")

        world.actor("alice", flow)
        world.actor("bob", flow)
        world.run()
        assert world.existing_cache.peek("count") == "2"

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.HOLDS
    assert len(made) % 2 == 0
    assert len(made) >= 2 * result.executions


def test_nothing_of_a_thread_is_left_when_it_passes_the_baton_on(crew):
    here, order = threading.local(), []

    class Connection:
        def __del__(self):
            order.append("let go")

    def flow():
        here.connection = Connection()
        threading.current_thread().hand_on(lambda: order.append("passed on"))

    run(crew, flow)
    wait_until(lambda: len(order) == 2)
    expected = ["let go", "passed on"] if renews_locals() else ["passed on", "let go"]
    assert order == expected


def test_a_thread_that_could_not_pass_the_baton_on_gets_no_more_work(crew, monkeypatch):
    died = []
    monkeypatch.setattr(threading, "excepthook", lambda told: died.append(told.exc_type))

    def fail():
        raise RuntimeError("can't start new thread")

    run(crew, lambda: threading.current_thread().hand_on(fail))
    wait_until(lambda: died)
    ran = []
    run(crew, lambda: ran.append(True))
    assert (died, ran) == ([RuntimeError], [True])
