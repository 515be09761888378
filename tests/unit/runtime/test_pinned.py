"""A check stays on one core, which the kernel has chosen."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_supercache.runtime.process import pinned as module
from pytest_supercache.runtime.process.pinned import core_of_this_thread, pinned

CORES = sorted(os.sched_getaffinity(0))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("worker", [None, "gw0", "gw1"])
def test_a_check_stays_where_it_begins_whatever_the_worker_and_then_may_run_anywhere(
    monkeypatch, worker, core
):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    if worker is not None:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
    monkeypatch.setattr(module, "core_of_this_thread", lambda: core)
    allowed = os.sched_getaffinity(0)
    with pinned():
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("told", [None, CORES[-1] + 1])
def test_where_the_system_does_not_say_it_is_the_first_core(monkeypatch, told):
    monkeypatch.setattr(module, "core_of_this_thread", lambda: told)
    with pinned():
        assert os.sched_getaffinity(0) == {CORES[0]}


def on_core(core):
    os.sched_setaffinity(0, {core})
    return core_of_this_thread()


def test_each_thread_has_the_core_that_it_runs_on():
    for core in CORES:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(on_core, core).result() == core


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("7 (a) b (c) S" + " 0" * 35 + " 5 0 0", 5),
        ("7 (python) S 0 0", None),
        ("nothing", None),
    ],
)
def test_the_name_of_a_thread_may_have_spaces_and_brackets(monkeypatch, tmp_path, text, core):
    monkeypatch.setattr(module, "_STAT", tmp_path / "stat")
    assert core_of_this_thread() is None
    (tmp_path / "stat").write_text(text)
    assert core_of_this_thread() == core
