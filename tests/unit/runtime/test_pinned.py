"""Each process of a test run stays on a core of its own."""

import multiprocessing
import os

import pytest

from pytest_supercache.runtime.process.pinned import pinned


def core_of(number):
    cores = sorted(os.sched_getaffinity(0))
    return cores[number % len(cores)]


@pytest.mark.parametrize(
    ("worker", "number"), [(None, 0), ("gw0", 0), ("gw1", 1), ("gw5", 5), ("main", 0)]
)
def test_workers_of_xdist_take_turns_with_the_cores_and_give_them_back(monkeypatch, worker, number):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker is not None:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    allowed = os.sched_getaffinity(0)
    expected = core_of(number)
    with pinned():
        assert os.sched_getaffinity(0) == {expected}
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("number", [1, 2, 5])
def test_workers_of_a_pool_take_turns_too(monkeypatch, number):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setattr(multiprocessing.current_process(), "name", f"ForkProcess-{number}")
    expected = core_of(number)
    with pinned():
        assert os.sched_getaffinity(0) == {expected}
