"""What was recorded is enough: a pure replay says of every actor at every choice if it could go on.

A search relies on it: it never runs user code to learn whether a step could have come earlier.
"""

import queue
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import cache
from time import sleep  # noqa: TID251 - what code under test does

import pytest

from pytest_supercache.checking.environment import open_environment
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.waiting import Waits, allows
from pytest_supercache.layers.servers import start_server
from pytest_supercache.runtime.kernel.state import ExecutionState
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.events import Dependence, events_of, order
from tests.laws.former_enabledness import differences, former_may_take


def conditions(world):
    condition, ready = threading.Condition(), []

    def consume():
        with condition:
            condition.wait_for(lambda: ready, timeout=5)

    def produce():
        with condition:
            ready.append(1)
            condition.notify_all()

    world.actor("consumer", consume)
    world.actor("producer", produce)


def barriers(world):
    barrier = threading.Barrier(2)

    def meet():
        barrier.wait()
        barrier.wait()

    world.actor("a", meet)
    world.actor("b", meet)


def queues(world):
    things, room = queue.Queue(1), threading.BoundedSemaphore(1)

    def put():
        things.put(1)
        with room:
            things.put(2)

    def get():
        with room:
            things.get()
        things.get(timeout=1)
        things.task_done()

    world.actor("putter", put)
    world.actor("getter", get, daemon=True)


def threads(world):
    def child(seconds):
        sleep(seconds)

    def flow():
        started = [threading.Thread(target=child, args=(number,)) for number in range(2)]
        for thread in started:
            thread.start()
        started[1].join(0.5)
        started[0].join()

    world.actor("alice", flow)


def pools(world):
    event = threading.Event()

    def flow():
        pool = ThreadPoolExecutor(1)
        jobs = [pool.submit(event.wait), pool.submit(int)]
        jobs[1].cancel()
        event.set()
        wait(jobs, return_when=FIRST_COMPLETED)
        pool.shutdown()

    world.actor("alice", flow)


def timers(world):
    lock = threading.Lock()

    def flow():
        timer = threading.Timer(1, lock.acquire)
        timer.start()
        lock.acquire(timeout=2)
        timer.cancel()

    world.actor("alice", flow)


PROGRAMS = [conditions, barriers, queues, threads, pools, timers]


def allowed(waits, pending):
    """Say whether the guard of a pending step lets its actor go on."""
    wait = pending.wait
    return wait is None or allows(pending.actor, wait, waits.is_set, waits.states.get)


def repeat(waits, step):
    """Repeat the effect of a recorded step."""
    waits.fire(step.fires)
    if step.wait is not None:
        waits.perform(step.actor, step.wait)


def executions_of(program):
    """Yield what a complete search of a program records."""
    found = []

    def body(world):
        program(world)
        world.run()

    with open_environment(
        start_server("fakeredis"), Exploration(ticks=1, memory="declared"), {}
    ) as environment:

        def attempt(scheduler):
            found.append(environment.execute(body, scheduler, record=True))
            return found[-1]

        AllSchedules(preemptions_max=2).explore(attempt)
    return found


recorded_of = cache(executions_of)
"""The same executions, for tests that only look at them."""


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_replay_of_what_was_recorded_tells_who_could_go_on(program):
    executions, asked, refused = recorded_of(program), 0, 0
    assert len(executions) > 1
    for execution in executions:
        assert not execution.hazards
        waits = Waits(execution.waits)
        for step in execution.race:
            for pending in step.pending:
                assert allowed(waits, pending) == pending.enabled, pending
                asked += 1
                refused += not pending.enabled
            if step.wait is not None and step.wait.object:
                before = waits.states[step.wait.object]
                assert step.wait_before in {None, before}
            repeat(waits, step)
            if step.wait_after is not None:
                assert waits.states[step.wait.object] == step.wait_after
        for pending in execution.blocked:
            assert not allowed(waits, pending)
    assert asked > refused > 0, "something waits, and something does not"


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_step_that_waits_says_what_it_touches(program):
    for execution in recorded_of(program)[:20]:
        for step in execution.race:
            wait = step.wait
            if wait is None:
                continue
            assert set(wait.sets) <= step.footprint.writes
            assert {*wait.flags, *wait.any_of} <= step.footprint.reads
            assert not wait.timer or "clock:now" in step.footprint.reads
            if wait.object:
                assert wait.object in step.footprint.reads | step.footprint.writes
            if step.wait_before != step.wait_after:
                assert wait.object in step.footprint.writes


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_runtime_and_the_search_answer_as_they_did(program, monkeypatch):
    asked, now = [0, 0], ExecutionState.may_take

    def may_take(state, actor, announced):
        answer = now(state, actor, announced)
        assert answer == former_may_take(state, actor, announced), announced
        asked[answer] += 1
        return answer

    monkeypatch.setattr(ExecutionState, "may_take", may_take)
    executions = executions_of(program)
    assert min(asked) > 0
    for execution in executions:
        dependence = Dependence()
        events, _ = events_of(execution.steps, execution.schedule.choices, dependence)
        order(events, 0, dependence)
        assert list(differences(events, execution.waiting, execution.waits)) == []
