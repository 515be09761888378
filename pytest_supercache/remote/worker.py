"""Runs in a worker of Dask: hands each call to a child process, which it starts if none is idle."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from multiprocessing import Pipe
from pathlib import Path
from typing import IO

from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.remote.program import NotCalledError, Program

OF_THE_MACHINE = frozenset({
    "HOME", "HOSTNAME", "LD_LIBRARY_PATH", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL",
    "TEMP", "TERM", "TMP", "TMPDIR", "USER", "VIRTUAL_ENV", "XDG_RUNTIME_DIR", "_",
})  # fmt: skip
"""Variables of the environment that each machine has of its own."""

END_SECONDS = 5.0
"""How long a child may take to end, with all that its pytest has opened, before it is killed."""

_TOLD_MAX = 2000
"""How many characters of a child's last output are told."""


def running(module: str, descriptor: int) -> list[str]:
    """Return a command that runs a module of this package; what it sends has its real name."""
    code = f"from pytest_supercache.remote.{module} import main; main({descriptor})"
    return [sys.executable, "-P", "-c", code]


def started_beside(module: str, descriptor: int) -> "subprocess.Popen[bytes]":
    """Start a process of this package beside this one, which has the other end of a pipe."""
    return subprocess.Popen(
        running(module, descriptor),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # what its client logs; what that raises is told
        pass_fds=[descriptor],
        start_new_session=True,  # Ctrl-C is for this process, which then ends the other one
    )


class _Child:
    """A child process and the connection to it."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.connection, theirs = Pipe()
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child
        machine = {name: value for name, value in os.environ.items() if name in OF_THE_MACHINE}
        with theirs:
            self.process = subprocess.Popen(
                running("child", theirs.fileno()),
                cwd=program.folder,
                env={**machine, **dict(program.variables), "PYTHONPATH": _joined(program.path)},
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )

    def begin(self) -> None:
        """Let it be its program.

        Raises:
            NotCalledError: it refuses, or has ended.
        """
        try:
            self.connection.send(self.program)
            refused = self.connection.recv()
        except (EOFError, OSError):
            refused = self._last_words()
        if refused is not None:
            self.end()
            raise NotCalledError(refused)

    def answer(self, call: bytes) -> bytes | None:
        """Return the answer to a call; None: it had ended before, because it was idle.

        Raises:
            NotCalledError: it has died.
        """
        try:
            self.connection.send_bytes(call)
            return self.connection.recv_bytes()
        except (EOFError, OSError):
            if self.process.wait() == 0:
                self.end()
                return None
            refused = self._last_words()
            self.end()
            raise NotCalledError(refused) from None

    def _last_words(self) -> str:
        status = self.process.wait()
        self._output.seek(0)
        said = self._output.read().decode(errors="replace").strip()[-_TOLD_MAX:]
        return f"a child process ended with {status}: {said or 'it said nothing'}"

    def ask_to_end(self) -> None:
        """Let it close what it has opened, such as servers of the code under test, and end."""
        self.process.terminate()

    def end(self, within: float = END_SECONDS) -> None:
        """Wait for its end, for a time; then kill it."""
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.connection.close()
        self._output.close()


_idle: defaultdict[Program, list[_Child]] = defaultdict(list)
_all: set[_Child] = set()
_ended: set[str] = set()  # runs
_lock = threading.Lock()


def call_in_child(program: Program, call: bytes) -> bytes:
    """Return the pickled answer to a pickled call.

    Raises:
        NotCalledError: no child could answer it.
    """
    while True:
        with _lock:
            idle = _idle[program]
            child = idle.pop() if idle else None
        if child is None:
            child = _started(program)
        try:
            answer = child.answer(call)
        except BaseException:
            _forget(child)
            raise
        if answer is None:
            _forget(child)
            continue
        with _lock:
            if child in _all:
                _idle[program].append(child)
        return answer


def _forget(child: _Child) -> None:
    with _lock:
        _all.discard(child)


def _started(program: Program) -> _Child:
    if not Path(program.folder).is_dir():
        raise NotCalledError(f"there is no folder {program.folder}")
    with _lock:
        if program.run in _ended:
            raise NotCalledError("the run is over")
        child = _Child(program)
        _all.add(child)
    try:
        child.begin()
    except BaseException:
        _forget(child)
        raise
    return child


async def end_children(run: str) -> None:
    """End the children of a run that is over; meanwhile the worker goes on."""
    with _lock:
        _ended.add(run)
        for program in [program for program in _idle if program.run == run]:
            del _idle[program]
        ended = [child for child in _all if child.program.run == run]
        _all.difference_update(ended)
    await asyncio.to_thread(_end, ended)


def _end(ended: list[_Child]) -> None:
    for child in ended:
        child.ask_to_end()
    limit = real_seconds() + END_SECONDS
    for child in ended:
        child.end(max(limit - real_seconds(), 0.0))


def _joined(path: tuple[str, ...]) -> str:
    return os.pathsep.join(path)
