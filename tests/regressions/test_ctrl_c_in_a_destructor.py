"""Ctrl-C that Python forgets, because a destructor was running, ends the check all the same."""

import signal
import sys
import threading

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.oracle.guarantee import Guarantee


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """Also where these tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class PressesCtrlC:
    """Something that is destroyed at a bad moment."""

    def __del__(self):
        press()


def press():
    signal.raise_signal(signal.SIGINT)


class Judging:
    """A guarantee: judged on the main thread, where something happens at one execution."""

    def __init__(self, at, happens):
        self.judged = 0
        self._at = at
        self._happens = happens

    def judge(self, _execution):
        self.judged += 1
        if self.judged == self._at:
            self._happens()


def body(world):
    for name in "ab":
        world.actor(name, lambda: world.step("look", reads="x"))
    world.run()


def check_with(judging):
    hook = sys.unraisablehook
    try:
        guarantee = Guarantee("judged", judging.judge)
        return check(body, search="all-schedules", guarantees=[guarantee]).verdict
    finally:
        assert sys.unraisablehook is hook
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_ends_the_check_before_the_next_execution():
    judging = Judging(2, PressesCtrlC)
    with pytest.raises(KeyboardInterrupt):
        check_with(judging)
    assert judging.judged == 2


def test_it_ends_the_check_after_the_last_execution():
    whole = Judging(0, PressesCtrlC)
    assert check_with(whole) is Verdict.HOLDS
    judging = Judging(whole.judged, PressesCtrlC)
    with pytest.raises(KeyboardInterrupt):
        check_with(judging)
    assert judging.judged == whole.judged


@pytest.mark.parametrize("error", [SystemError, pytest.fail.Exception, SystemExit])
def test_it_is_not_taken_for_an_error_that_comes_after_it(error):
    def happens():
        PressesCtrlC()
        raise error("what became of it")

    with pytest.raises(KeyboardInterrupt):
        check_with(Judging(2, happens))


def test_one_that_somebody_has_handled_is_not_raised_again():
    def happens():
        with pytest.raises(KeyboardInterrupt):
            press()

    assert check_with(Judging(2, happens)) is Verdict.HOLDS


def test_another_error_in_a_destructor_is_reported_as_ever(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: reported.append(what.exc_type))

    class Breaks:
        def __del__(self):
            raise LookupError

    assert check_with(Judging(2, Breaks)) is Verdict.HOLDS
    assert reported == [LookupError]


def test_a_hook_that_is_set_meanwhile_stays(monkeypatch):
    hook = sys.unraisablehook
    guarantee = Guarantee("judged", lambda _: setattr(sys, "unraisablehook", own))

    def own(what):
        hook(what)

    monkeypatch.setattr(sys, "unraisablehook", hook)  # put back afterwards
    check(body, search="all-schedules", guarantees=[guarantee])
    assert sys.unraisablehook is own


def test_a_check_on_another_thread_leaves_it_to_the_main_one():
    hooks, verdicts = [], []

    def run():
        judging = Judging(1, lambda: hooks.append(sys.unraisablehook))
        guarantee = Guarantee("judged", judging.judge)
        verdicts.append(check(body, search="all-schedules", guarantees=[guarantee]).verdict)

    before = sys.unraisablehook
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert (hooks, verdicts) == ([before], [Verdict.HOLDS])
