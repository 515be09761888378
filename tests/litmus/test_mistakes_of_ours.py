"""An error of the package itself inside a check is UNKNOWN with a report, never a traceback."""

import logging
import queue
import re
import threading
import unittest
from collections.abc import Callable
from typing import Any

import pytest
from _pytest import outcomes

from pytest_supercache import SupercacheError, Verdict, check
from pytest_supercache.checking import check as checking
from pytest_supercache.checking import strategy
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.walk import SystematicWalk


def racing(world: Any) -> None:
    client = world.existing_cache.client()
    world.actor("reader", lambda: client.get("k") and None)
    world.actor("writer", lambda: client.set("k", 1) and None)
    world.run()


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (checking, "take_turns"),
        (Exhaustive, "_absorb"),
        (SystematicWalk, "_go_on"),
        (checking, "repeat_first"),
    ],
)
def test_a_mistake_anywhere_in_a_check_is_unknown_and_says_what_where_and_in_which_versions(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(owner, name, None)
    with caplog.at_level(logging.DEBUG, logger="pytest_supercache"):
        result = check(racing)
    assert result.verdict is Verdict.UNKNOWN
    (reason,) = result.reasons
    assert "pytest-supercache itself has failed" in reason
    assert "TypeError: 'NoneType' object is not callable" in reason
    assert re.search(r" at [a-z_/]+\.py:\d+ in \w+ < ", reason)
    assert "pytest-supercache " in reason.partition(";")[2]
    assert "Traceback" not in reason
    assert "Traceback" in caplog.text


def look_at_a_queue(world: Any) -> None:
    world.actor("alice", queue.Queue().qsize)
    world.run()


def test_a_private_name_that_a_library_has_no_longer_is_no_error_of_the_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(queue.Queue, "_qsize")
    result = check(look_at_a_queue)
    assert result.verdict is Verdict.UNKNOWN
    assert "pytest-supercache itself has failed" in result.reasons[0]
    assert "object has no attribute '_qsize'" in result.reasons[0]


def ask_its_own(world: Any) -> None:
    world.actor("alice", lambda: world._gone)
    world.run()


def ask_a_module(world: Any) -> None:
    world.actor("alice", lambda: threading._gone)
    world.run()


@pytest.mark.parametrize("body", [ask_its_own, ask_a_module])
def test_a_private_name_that_the_code_itself_asks_for_is_its_error(body: Any) -> None:
    result = check(body)
    assert result.verdict is Verdict.VIOLATED
    assert "_gone" in result.counterexample.violation.summary


def test_a_check_after_such_a_mistake_is_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setattr(
            SystematicWalk, "_go_on", None
        )  # in an execution, while its threads are there
        assert check(racing).verdict is Verdict.UNKNOWN
    assert check(racing).verdict is Verdict.HOLDS


def test_what_calls_itself_for_ever_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(*given: Any) -> Any:
        return again(*given)

    monkeypatch.setattr(strategy, "sampler", again)
    (reason,) = check(racing, search="random").reasons
    assert reason.count("in again") == 1
    assert "RecursionError" in reason


def test_an_error_of_the_code_under_test_is_a_violation_as_ever() -> None:
    def crashing(world: Any) -> None:
        world.actor("reader", raising(KeyError("lost")))
        world.actor("writer", lambda: None)
        world.run()

    assert check(crashing).verdict is Verdict.VIOLATED


def test_a_failed_assertion_of_the_body_is_a_violation_as_ever() -> None:
    def asserting(world: Any) -> None:
        racing(world)
        raise AssertionError

    assert check(asserting).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    "error",
    [
        SupercacheError("correct it"),
        KeyboardInterrupt(),
        outcomes.Exit("enough"),
        outcomes.Skipped("not today"),
        unittest.SkipTest("nor here"),
    ],
)
def test_what_the_caller_must_hear_passes(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "take_turns", raising(error))
    with pytest.raises(type(error)):
        check(racing)
