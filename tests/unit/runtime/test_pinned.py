"""A check stays on a core: where it begins, or on one that no other check has claimed."""

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pytest_supercache.runtime.process import pinned as module
from pytest_supercache.runtime.process.pinned import (
    core_of_this_thread,
    give_up_claim,
    pinned,
)

CORES = sorted(os.sched_getaffinity(0))

CHECK = """
import os, sys
from pytest_supercache.runtime.process import pinned as module

module._CLAIM, core = sys.argv[1:]
module.core_of_this_thread = lambda: int(core)
with module.pinned():
    print(*os.sched_getaffinity(0), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _claims_of_this_test(monkeypatch):
    """Keep apart from the checks of other tests, which claim cores meanwhile."""
    monkeypatch.setattr(module, "_CLAIM", f"a test of process {os.getpid()} is pinned to core")


@contextmanager
def another_check(core):
    """Start a check in another process, on a core; yield its process and where it is pinned."""
    program = [sys.executable, "-c", CHECK, module._CLAIM, str(core)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(program, text=True, **pipes) as process:
        yield process, {int(process.stdout.readline())}


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


needs_two_cores = pytest.mark.skipif(len(CORES) < 2, reason="this machine has one core")


@needs_two_cores
def test_two_checks_that_begin_on_one_core_run_on_two(monkeypatch):
    monkeypatch.setattr(module, "core_of_this_thread", lambda: CORES[-1])
    with another_check(CORES[-1]) as (_, there), pinned():
        assert there == {CORES[-1]}
        assert os.sched_getaffinity(0) == {CORES[0]}


@needs_two_cores
def test_a_check_stays_where_it_begins_when_all_cores_are_claimed(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(CORES[:2]))
    pinned_to = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: pinned_to.append(cores))
    monkeypatch.setattr(module, "core_of_this_thread", lambda: CORES[1])
    with another_check(CORES[0]), another_check(CORES[1]), pinned():
        assert pinned_to == [{CORES[1]}]


@needs_two_cores
@pytest.mark.parametrize("end", ["the block ends", "its process is killed"])
def test_a_claim_ends_with_its_check(monkeypatch, end):
    monkeypatch.setattr(module, "core_of_this_thread", lambda: CORES[0])
    with another_check(CORES[0]) as (process, _):
        if end == "its process is killed":
            process.kill()
        else:
            process.stdin.close()
        process.wait()
        with pinned():
            assert os.sched_getaffinity(0) == {CORES[0]}


@needs_two_cores
def test_a_check_that_only_waits_gives_up_its_claim_and_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(module, "core_of_this_thread", lambda: CORES[0])
    with pinned():
        give_up_claim()
        with another_check(CORES[0]) as (_, there):
            assert there == os.sched_getaffinity(0) == {CORES[0]}


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
