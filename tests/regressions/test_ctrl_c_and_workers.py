"""Ctrl-C ends a run at every line by which its workers are started, asked and ended.

It was lost, or left a lock held, so that the run waited for ever: kill 167 of seed 291126.
"""

import os
import signal
import subprocess
import sys

import pytest

from pytest_supercache.core.real_clock import real_sleep
from pytest_supercache.runtime.process import interrupt
from tests.selection import either

pytestmark = pytest.mark.python

AT_EVERY_LINE = """
import faulthandler, os, signal, sys

from pytest_supercache.checking.submitted import until_done
from pytest_supercache.checking.workers import end_all, forks
from pytest_supercache.runtime.process.interrupt import repeat_dropped_ctrl_c

FILES = ("/checking/", "/concurrent/", "/multiprocessing/", "/contextlib.py", "/lifeline.py",
         "/threading.py", "/interrupt.py")
lines = 0

def traced(frame, event, _):
    def line(frame, event, _):
        global lines
        if event == "line":
            lines += 1
            if lines == at:
                os.killpg(os.getpgid(0), signal.SIGINT)
        return line
    return line if any(name in frame.f_code.co_filename for name in FILES) else None

def work():
    sys.settrace(traced)
    try:
        with forks(2, abs) as ask:
            answers = [ask(-number) for number in range(4)]
            assert [until_done(answer).result() for answer in answers] == [0, 1, 2, 3]
        while at < lines:  # Python has dropped it, and it comes again
            signal.pause()
    finally:
        sys.settrace(None)
        end_all()

def run():
    try:
        work()
    except KeyboardInterrupt:
        return 2
    return 0

def child():
    os.setsid()
    repeat_dropped_ctrl_c()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.dump_traceback_later(60, exit=True)
    sys.exit(run())

first, step = map(int, sys.argv[1:])
at, status = first, 2
while status == 2:
    process = os.fork()
    if process == 0:
        child()
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        os.killpg(process, 0)
        print("left behind at", at)
    except ProcessLookupError:
        pass
    at += step
print("ended with", status, "after", (at - first) // step)
"""


def test_ctrl_c_at_any_line_ends_the_workers_and_is_raised():
    """The last run is the twin: nobody has pressed it, and it ends with 0."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EVERY_LINE, "1", either("193", "7")],
        capture_output=True, text=True, check=False, timeout=1_200,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    (told,) = done.stdout.splitlines()
    assert told.startswith("ended with 0 after "), done.stderr
    assert int(told.split()[-1]) > 5


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """Also where these tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press():
    signal.raise_signal(signal.SIGINT)


def test_a_deferred_ctrl_c_is_raised_when_the_block_is_over():
    done = []

    def deferred_twice():
        with interrupt.ctrl_c_deferred():
            with interrupt.ctrl_c_deferred():
                press()
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        deferred_twice()
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_block_without_ctrl_c_raises_nothing():
    with interrupt.ctrl_c_deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_a_fork_in_the_block_ignores_it():
    with interrupt.ctrl_c_deferred():
        process = os.fork()
        if process == 0:
            press()
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


class PressesCtrlC:
    def __del__(self):
        press()


def test_a_dropped_ctrl_c_comes_again():
    def goes_on():
        PressesCtrlC()
        real_sleep(60)

    stop = interrupt.repeat_dropped_ctrl_c()
    try:
        with pytest.raises(KeyboardInterrupt):
            goes_on()
    finally:
        stop()


def test_another_dropped_error_does_not(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: reported.append(what.exc_type))

    class Breaks:
        def __del__(self):
            raise LookupError

    stop = interrupt.repeat_dropped_ctrl_c()
    Breaks()
    stop()
    assert reported == [LookupError]
