"""What a process of ours has started ends with it, also when that is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_supercache.core.lifeline import Lifeline
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from pytest_supercache.layers.servers import start_server
from tests.processes import is_running

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

WORKERS = """
import os, signal, threading
from pytest_supercache.checking.workers import forks

def wait(path):
    open(path, "w").write(str(os.getpid()))
    while True:
        signal.pause()

def begin():
    with forks(2, wait) as place:
        place("one"), place("two")
        while not all(os.path.exists(name) and open(name).read() for name in ("one", "two")):
            pass
        print(open("one").read(), open("two").read(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

begin()
"""

SERVER = """
import os, signal, threading
from pytest_supercache.layers.servers import start_server

kept = []
starts = threading.Thread(target=lambda: kept.append(start_server("redis-server")))
starts.start()
starts.join()  # a server outlives the thread that has started it
kept[0].reset()
print(kept[0]._process.pid, kept[0].socket, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

WORKER_OF_XDIST = """
import signal
from pytest_supercache.core.lifeline import interrupt_when_orphaned
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupt_when_orphaned()
print("ready", flush=True)
signal.pause()
"""

CONTROLLER = """
import os, signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""".replace("WORKER", repr(WORKER_OF_XDIST))


def killed(program, folder):
    """Run a program that kills itself; return what it has printed."""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return ended.stdout.split()


def is_gone_soon(process):
    end = real_seconds() + 30.0  # at once, if the machine has nothing else to do
    while is_running(process) and real_seconds() < end:
        real_sleep(0.01)
    return not is_running(process)


def test_workers_end_with_a_run_that_is_killed(tmp_path):
    workers = list(map(int, killed(WORKERS, tmp_path)))
    assert len(set(workers)) == 2
    assert all(map(is_gone_soon, workers))


def test_a_worker_of_xdist_is_interrupted_when_its_controller_is_killed(tmp_path):
    (worker,) = killed(CONTROLLER, tmp_path)
    assert is_gone_soon(int(worker))


@pytest.mark.redis_server
def test_a_server_ends_with_a_run_that_is_killed_and_its_folder_is_removed(tmp_path):
    process, socket = killed(SERVER, tmp_path)
    assert is_gone_soon(int(process))
    end = real_seconds() + 30.0  # at once, if the machine has nothing else to do
    while Path(socket).parent.exists() and real_seconds() < end:
        real_sleep(0.01)
    assert not Path(socket).parent.exists()


@pytest.mark.redis_server
def test_a_fork_that_ends_leaves_the_server_of_its_parent_alone():
    server = start_server("redis-server")
    try:
        child = os.fork()
        if not child:
            server.close()
            os._exit(0)
        os.waitpid(child, 0)
        server.reset()
        assert Path(server.socket).exists()
    finally:
        server.close()
    assert not Path(server.socket).parent.exists()


def test_a_lifeline_is_cut_by_its_holder_only():
    lifeline = Lifeline()
    child = os.fork()
    if not child:
        lifeline.cut()
        os._exit(lifeline.is_held)
    assert os.waitpid(child, 0)[1] == 0
    assert lifeline.is_held
    assert not lifeline.is_cut(within=0)
    lifeline.cut()
    assert lifeline.is_cut(within=0)
    lifeline.drop_far_end()
