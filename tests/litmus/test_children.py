"""Processes that code under test starts are named, and gone when the check is over."""

import ctypes
import multiprocessing
import multiprocessing.shared_memory
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from pytest_supercache import Verdict, check
from tests.processes import is_running

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

SLEEP = ["sleep", "1000"]


def run(start):
    """Check a body with two actors; one of them calls ``start`` first."""

    def body(world):
        client = world.existing_cache.client()

        def reads():
            start()
            client.get("k")

        world.actor("one", reads)
        world.actor("two", lambda: client.set("k", "v"))
        world.run()

    return check(body)


def reason(start):
    result = run(start)
    assert result.verdict is Verdict.UNKNOWN
    told = "\n".join(result.reasons)
    assert "has started a process" in told
    assert "did not arrive" not in told
    return told


def forked(child):
    """Return what forks a process that does this, and a list of the numbers of all of them."""
    numbers = []

    def start():
        number = os.fork()
        if not number:
            child()
        numbers.append(number)

    return start, numbers


def wait_for_ever():
    while True:
        signal.pause()


def test_a_fork_that_goes_on_is_named_and_ended():
    start, numbers = forked(wait_for_ever)
    assert "outlived the execution: " in reason(start)
    assert numbers
    assert not any(map(is_running, numbers))


def test_a_fork_that_comes_back_from_the_code_ends_there_and_disturbs_nobody():
    start, numbers = forked(lambda: None)
    began = time.perf_counter()
    reason(start)
    assert time.perf_counter() - began < 4  # nothing has waited for a step that was lost
    assert not any(map(is_running, numbers))


def test_a_daemon_with_a_session_of_its_own_is_ended_too(tmp_path):
    noted = tmp_path / "daemon"

    def detached():
        if os.fork():
            os._exit(0)
        os.setsid()
        noted.write_text(str(os.getpid()))
        wait_for_ever()

    def start():
        child = os.fork()
        if not child:
            detached()
        os.waitpid(child, 0)
        while not (noted.exists() and noted.read_text()):
            os.sched_yield()

    assert "outlived the execution: " in reason(start)
    assert not is_running(int(noted.read_text()))


@pytest.mark.parametrize(
    ("start", "named"),
    [
        (lambda: subprocess.Popen(SLEEP), "sleep"),
        (lambda: os.posix_spawnp("sleep", SLEEP, os.environ), "sleep"),
        (lambda: ctypes.CDLL(None).popen(b"sleep 1000", b"r"), ""),  # no audit event tells of it
        (lambda: os.forkpty()[0] or wait_for_ever(), ""),
    ],
    ids=["Popen", "posix_spawn", "code of C", "forkpty"],
)
def test_a_program_is_named_and_ended(start, named):
    begun = []
    told = reason(lambda: begun.append(start()))
    assert f"outlived the execution: {named}" in told
    assert ". It was ended" in told
    for one in begun:
        if isinstance(one, subprocess.Popen):
            assert one.wait(0) is not None


def test_a_process_that_has_ended_is_named_and_leaves_no_zombie():
    start, numbers = forked(lambda: os._exit(0))
    reason(start)
    assert not any(map(is_running, numbers))


def test_a_command_of_the_shell_is_named():
    assert "outlived" not in reason(lambda: os.system("true"))


def test_what_was_there_before_and_what_others_start_meanwhile_goes_on():
    before, meanwhile = subprocess.Popen(SLEEP), []
    begun, over = threading.Event(), threading.Event()

    def beside():  # as a fixture's pool replaces a worker
        begun.wait()
        meanwhile.append(subprocess.Popen(SLEEP))
        begun.clear()
        over.wait()

    thread = threading.Thread(target=beside)
    thread.start()

    def start():
        if not meanwhile:
            begun.set()
            while begun.is_set():
                os.sched_yield()

    try:
        run(start)
        assert len(meanwhile) == 1
        assert before.poll() is None
        assert meanwhile[0].poll() is None
    finally:
        over.set()
        thread.join()
        for process in (before, *meanwhile):
            process.kill()
            process.wait()


def test_code_that_starts_nothing_holds_and_adopts_no_orphans_afterwards():
    assert run(lambda: None).verdict is Verdict.HOLDS
    is_adopting = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(37, ctypes.byref(is_adopting), 0, 0, 0)
    assert is_adopting.value == 0


def test_a_process_of_multiprocessing_is_known_to_have_ended():
    context = multiprocessing.get_context("fork")
    told = reason(lambda: context.Process(target=wait_for_ever).start())
    assert "outlived" in told
    assert not multiprocessing.active_children()


def test_what_processes_share_is_named_and_not_the_process_that_counts_it():
    def start():
        shared = multiprocessing.shared_memory.SharedMemory(create=True, size=8)
        shared.close()
        shared.unlink()

    (told,) = run(start).reasons
    assert "shared memory" in told
    assert "bytearray" in told


KILLED = """
import os, signal, sys
from pytest_supercache import check

def body(world):
    def forks():
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            signal.pause()
    world.actor("one", forks)
    world.run()

check(body)
"""


def test_a_fork_ends_with_the_process_that_was_checking_it():
    """The pipe of the output is open for as long as one of them is there."""
    run = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE)
    out, _ = run.communicate(timeout=30)
    assert (run.returncode, out) == (-signal.SIGKILL, b"")
