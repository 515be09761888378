"""Runs in a worker of Dask: hands each call to a child process, which it starts if none is idle."""

import os
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from multiprocessing import Pipe
from pathlib import Path
from typing import IO

from pytest_supercache.remote.program import NotCalledError, Program

OF_THE_MACHINE = frozenset({
    "HOME", "HOSTNAME", "LD_LIBRARY_PATH", "LOGNAME", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL",
    "TEMP", "TERM", "TMP", "TMPDIR", "USER", "VIRTUAL_ENV", "XDG_RUNTIME_DIR", "_",
})  # fmt: skip
"""Variables of the environment that each machine has of its own."""

_END_SECONDS = 5.0
"""How long a child may take to end after its connection has been closed."""

_TOLD_MAX = 2000
"""How many characters of a child's last output are told."""


def running(module: str, descriptor: int) -> list[str]:
    """Return a command that runs a module of this package; what it sends has its real name."""
    code = f"from pytest_supercache.remote.{module} import main; main({descriptor})"
    return [sys.executable, "-P", "-c", code]


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

    def end(self) -> None:
        """Close its connection and wait for its end, for a time."""
        self.connection.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._output.close()

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.wait()


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
            _all.discard(child)
            raise
        if answer is not None:
            with _lock:
                _idle[program].append(child)
            return answer
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
        _all.discard(child)
        raise
    return child


def end_children(run: str) -> None:
    """End the children of a run that is over."""
    with _lock:
        _ended.add(run)
        for program in [program for program in _idle if program.run == run]:
            del _idle[program]
        ended = [child for child in _all if child.program.run == run]
        _all.difference_update(ended)
    for child in ended:
        child.kill()


def _joined(path: tuple[str, ...]) -> str:
    return os.pathsep.join(path)
