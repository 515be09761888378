"""A check stays on a core: where it begins, or on one that no other check has claimed."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import pytest

from pytest_supercache.runtime.process import pinned as module
from pytest_supercache.runtime.process.pinned import (
    core_of_this_thread,
    give_up_claim,
    pinned,
)

CORES = sorted(os.sched_getaffinity(0))

CLAIM = """
import sys
from pytest_supercache.runtime.process import pinned as module

module._CLAIM, *cores = sys.argv[1:]
print([module._claim(int(core)) for core in cores], flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _claims_of_this_test(monkeypatch):
    """Keep apart from the checks of other tests, which claim cores meanwhile."""
    monkeypatch.setattr(module, "_CLAIM", f"a test of process {os.getpid()} is pinned to core")


@contextmanager
def claimed(*cores):
    """Claim cores in another process; yield that process."""
    program = [sys.executable, "-c", CLAIM, module._CLAIM, *map(str, cores)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(program, text=True, **pipes) as process:
        assert process.stdout.readline() == f"{[True] * len(cores)}\n"
        yield process


@pytest.fixture
def two_cores(monkeypatch):
    """Stand in for a machine with the cores 0 and 1, of which a thread runs on 1.

    It is the list of what the thread was pinned to: sets of cores.
    """
    pinned_to = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: pinned_to.append(cores))
    monkeypatch.setattr(module, "core_of_this_thread", lambda: 1)
    return pinned_to


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


def test_a_check_that_begins_on_a_claimed_core_runs_on_another_one(two_cores):
    with claimed(1), pinned():
        assert two_cores == [{0}]


@pytest.mark.parametrize("cores", [(), (0,), (0, 1)])
def test_a_check_stays_where_it_begins_if_that_core_is_free_or_all_are_claimed(two_cores, cores):
    with claimed(*cores), pinned():
        assert two_cores == [{1}]


def test_two_checks_claim_two_cores(two_cores):
    with pinned(), pinned():
        assert two_cores == [{1}, {0}]


@pytest.mark.parametrize("end", ["it ends", "it is killed"])
def test_a_claim_ends_with_its_process(two_cores, end):
    with claimed(1) as process:
        process.kill() if end == "it is killed" else process.stdin.close()
        process.wait()
        with pinned():
            assert two_cores == [{1}]


def test_a_claim_ends_with_its_check(two_cores):
    with pinned():
        pass
    with claimed(1):
        assert two_cores == [{1}, {0, 1}]


def test_a_check_that_only_waits_gives_up_its_claim_and_stays_where_it_is(two_cores):
    with pinned():
        give_up_claim()
        with claimed(1):
            assert two_cores == [{1}]


def test_a_fork_does_not_keep_the_claim(two_cores):
    with pinned(), ProcessPoolExecutor(1, get_context("fork")) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        give_up_claim()
        with claimed(1):
            assert two_cores == [{1}]


def test_a_claim_needs_no_socket_that_tests_may_forbid(monkeypatch):
    def refused(*_):
        raise RuntimeError("a test must not use sockets")

    monkeypatch.setattr(socket, "socket", refused)
    with pinned():
        assert len(os.sched_getaffinity(0)) == 1


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
