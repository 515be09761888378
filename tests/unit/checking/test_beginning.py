"""Processes that take seconds to begin: a search is divided once one of them is ready."""

from concurrent.futures import Future
from typing import Any

import pytest

from pytest_supercache.checking.workers import Beginning


@pytest.fixture
def begun() -> list["Future[Any]"]:
    return []


@pytest.fixture
def beginning(begun: list["Future[Any]"]) -> Beginning:
    def submit(*_: Any) -> "Future[Any]":
        begun.append(Future())
        return begun[-1]

    return Beginning(submit, 2)


def test_all_of_them_are_asked_to_begin_once(
    beginning: Beginning, begun: list["Future[Any]"]
) -> None:
    assert begun == []
    assert not beginning.is_over()
    assert not beginning.is_over()
    assert len(begun) == 2


def test_one_that_is_ready_is_enough(beginning: Beginning, begun: list["Future[Any]"]) -> None:
    beginning.is_over()
    begun[1].set_result(None)
    assert beginning.is_over()


def test_those_that_refuse_are_not_ready(beginning: Beginning, begun: list["Future[Any]"]) -> None:
    """The search is not begun anew because of them: it goes on in this process."""
    beginning.is_over()
    begun[0].set_exception(ValueError("another Python"))
    begun[1].cancel()
    assert not beginning.is_over()
