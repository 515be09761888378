"""What the watchdog says of a step that does not arrive."""

import threading
from types import SimpleNamespace

import pytest

from pytest_supercache.runtime.kernel import watchdog
from pytest_supercache.runtime.kernel.actor import Actor, State


def _execution(*actors):
    """Return an execution of these actors, and the reasons why it proves nothing."""
    reasons = []
    controller = SimpleNamespace(
        actors={actor.name: actor for actor in actors}, phase="race", progress=1,
        hazard=reasons.append,
    )  # fmt: skip
    return SimpleNamespace(controller=controller), reasons


def _body():
    return Actor("body", None, lambda: None, direct=True)


def test_without_a_stack_it_is_said_that_there_is_none():
    execution, _ = _execution(Actor("alice", "a", lambda: None, state=State.PARKED))
    hang = watchdog._describe_hang(execution.controller, _body(), 5.0)
    assert not hang.has_stack
    told = hang.text.splitlines()[1]
    assert "no stack to show (alice is parked, body is new)" in told


def test_who_is_in_code_of_ours_alone_is_said_to_be():
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)  # all of its frames are those of `threading`
    thread.start()
    try:
        alice = Actor("alice", "a", go_on.wait, state=State.RUNNING, thread=thread)
        hang = watchdog._describe_hang(_execution(alice)[0].controller, _body(), 5.0)
    finally:
        go_on.set()
        thread.join()
    assert not hang.has_stack
    assert "  alice (running):\n    no line of the code under test" in hang.text


def test_where_code_blocks_it_is_said_what_to_do():
    go_on, begun = threading.Lock(), threading.Event()

    def wait():
        begun.set()
        with go_on:
            pass

    with go_on:
        thread = threading.Thread(target=wait)
        thread.start()
        begun.wait()
        alice = Actor("alice", "a", wait, state=State.RUNNING, thread=thread)
        hang = watchdog._describe_hang(_execution(alice)[0].controller, _body(), 5.0)
    thread.join()
    assert hang.has_stack
    assert "hold one lock of `threading` around each use of it" in hang.text.splitlines()[-1]


@pytest.mark.parametrize(("has_stack", "looks"), [(True, 1), (False, 2)])
def test_an_execution_without_a_stack_gets_twice_the_time(monkeypatch, has_stack, looks):
    seen = []

    def describe(*_arguments):
        seen.append(watchdog.Hang("it hangs", has_stack))
        return seen[-1]

    execution, reasons = _execution()
    monkeypatch.setattr(watchdog, "_describe_hang", describe)
    monkeypatch.setattr(watchdog, "_give_up", lambda *_arguments: None)
    watchdog._watch(execution, _body(), None, 0.01)
    assert (len(seen), reasons) == (looks, ["it hangs"])
