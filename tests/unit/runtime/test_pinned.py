"""Each process of a test run stays on a core of its own."""

import os

import pytest

from pytest_supercache.runtime.pinned import pinned


@pytest.mark.parametrize(
    ("worker", "number"), [(None, 0), ("gw0", 0), ("gw1", 1), ("gw5", 5), ("main", 0)]
)
def test_workers_of_xdist_take_turns_with_the_cores_and_give_them_back(monkeypatch, worker, number):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker is not None:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)
    with pinned():
        assert os.sched_getaffinity(0) == {cores[number % len(cores)]}
    assert os.sched_getaffinity(0) == allowed
