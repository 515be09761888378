"""Ctrl-C that Python forgets, because a destructor was running, ends the check all the same."""

import signal
from typing import Any

import pytest

from pytest_supercache import World, check
from pytest_supercache.core.trace import Execution
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.oracle.guarantee import Guarantee

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class PressesCtrlC:
    """Something that is destroyed at a bad moment."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


class Judging:
    """A guarantee that is judged on the main thread; at one execution something is destroyed."""

    def __init__(self, at: int, *, fails: bool = False) -> None:
        self.judged = 0
        self._at = at
        self._fails = fails
        self.guarantee = Guarantee("judged", self.judge)

    def judge(self, _: Execution) -> None:
        self.judged += 1
        if self.judged == self._at:
            PressesCtrlC()
            if self._fails:
                raise SystemError("what became of it")


def body(world: World) -> None:
    for name in "ab":
        world.actor(name, lambda: world.step("look", reads="x"))
    world.run()


def checked(judging: Judging) -> Any:
    return check(body, search="all-schedules", guarantees=[judging.guarantee])


def handler() -> Any:
    return signal.getsignal(signal.SIGINT)


def test_it_ends_the_check_before_the_next_execution() -> None:
    judging = Judging(at=2)
    with pytest.raises(KeyboardInterrupt):
        checked(judging)
    assert judging.judged == 2
    assert handler() is signal.default_int_handler


def test_it_ends_the_check_after_the_last_execution() -> None:
    whole = Judging(at=0)
    assert checked(whole).verdict is Verdict.HOLDS
    judging = Judging(at=whole.judged)
    with pytest.raises(KeyboardInterrupt):
        checked(judging)
    assert judging.judged == whole.judged
    assert handler() is signal.default_int_handler


def test_it_is_not_taken_for_the_error_that_it_leads_to() -> None:
    with pytest.raises(KeyboardInterrupt):
        checked(Judging(at=2, fails=True))


def test_who_has_a_handler_keeps_it() -> None:
    heard: list[int] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)

    signal.signal(signal.SIGINT, hear)
    try:
        assert checked(Judging(at=2)).verdict is Verdict.HOLDS
        assert handler() is hear
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT]
