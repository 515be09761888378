"""New processes for runs of pytest, forked from one that has imported what every run imports.

Half of what a cold run costs is importing libraries that are not under test. A fork is a process of
its own in all that these tests ask for: its exit status, its signals, its memory, its environment
and, since each value of ``PYTHONHASHSEED`` and the like has a parent of its own, its hash seed.
"""

import contextlib
import gc
import importlib.metadata
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module, invalidate_caches
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

_LIBRARIES = ("pytest", "hypothesis", "redis.asyncio", "fakeredis", "freezegun", "ruamel.yaml")
_PLUGINS = ("anyio", "hypothesis", "_hypothesis_globals", "pytest_supercache")
_NOT_IMPORTED = (
    "pytest_supercache.cli.__main__", "pytest_supercache.runtime.sql.psycopg_doors",
    "pytest_supercache.runtime.sql.psycopg2_doors",
)  # fmt: skip
"""Importing the first runs a command, the others import drivers of databases."""
_MESSAGE_MAX = 1 << 20
_AT_START = ("PYTHON", "LC_", "LANG")
"""Variables that an interpreter reads when it starts begin so."""


def every_module() -> list[str]:
    """Return the names of the plugin's modules that a run may import."""
    found = pkgutil.walk_packages(import_module("pytest_supercache").__path__, "pytest_supercache.")
    return [module.name for module in found if module.name not in _NOT_IMPORTED]


class Parents:
    """The processes from which runs are forked, one for each set of such variables."""

    def __init__(self) -> None:
        self._started: dict[str, _Parent] = {}

    def start(
        self, command: Sequence[str], *, stdout: IO[str], stderr: IO[str], **_: Any
    ) -> "_Run":
        """Begin ``python -mpytest ...`` in this folder and environment; what Popen is asked for."""
        assert command[:2] == (sys.executable, "-mpytest"), command
        return self._parent().start(command[2:], stdout, stderr)

    def run(self, command: Sequence[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        """Run ``python -m pytest ...`` to its end, as `subprocess.run` does for the commands."""
        assert command[:3] == [sys.executable, "-m", "pytest"], command
        with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            status = self._parent().start(command[3:], out, err).wait()
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read())
        return subprocess.CompletedProcess(command, status, *said)

    def _parent(self) -> "_Parent":
        read = {name: value for name, value in os.environ.items() if name.startswith(_AT_START)}
        read.pop("PYTHONPATH", None)
        key = json.dumps(read, sort_keys=True)
        if key not in self._started:
            self._started[key] = _Parent()
        return self._started[key]

    def close(self) -> None:
        """End all of them."""
        for parent in self._started.values():
            parent.close()
        self._started.clear()


class _Parent:
    def __init__(self) -> None:
        self._asks, answers = socket.socketpair()
        with answers:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(answers.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[answers.fileno()],
            )  # fmt: skip

    def start(self, arguments: Sequence[str], out: IO[str], err: IO[str]) -> "_Run":
        wanted = {"arguments": arguments, "folder": str(Path.cwd()), "variables": dict(os.environ)}
        files = [out.fileno(), err.fileno()]
        socket.send_fds(self._asks, [json.dumps(wanted).encode() + b"\n"], files)
        return _Run(self._asks)

    def close(self) -> None:
        self._asks.close()
        self._process.wait()


class _Run:
    stdin = None

    def __init__(self, asks: socket.socket) -> None:
        self._asks = asks

    def wait(self) -> int:
        status = self._asks.recv(100)
        assert status, "the process that forks runs has ended"
        return int(status)


def _serve(answers: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each run; return in it what it is to run, and None at the end."""
    while True:
        message, files, _, _ = socket.recv_fds(answers, _MESSAGE_MAX, 2)
        if not message:
            return None
        while not message.endswith(b"\n"):
            message += answers.recv(_MESSAGE_MAX)
        child = os.fork()
        if not child:
            for stream, file in zip((1, 2), files, strict=True):
                os.dup2(file, stream)
            answers.close()
            os.closerange(3, max(files) + 1)
            wanted: dict[str, Any] = json.loads(message)
            return wanted
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        answers.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(wanted: dict[str, Any]) -> None:
    """Be ``python -m pytest`` with these arguments, there, with that environment."""
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["variables"])
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [wanted["folder"], *(part for part in path if part and part not in sys.path)]
    invalidate_caches()
    sys.argv = ["pytest", *wanted["arguments"]]
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)


def _ask_once() -> None:
    """Ask now what each run would: which packages are installed, which modules show the time.

    A tenth of a short run goes to the files of packages whose `assert`s pytest would rewrite; here
    they are all imported. freezegun remembers the names of the modules that it has seen.
    """
    import pytest

    from pytest_supercache.layers.clock import VirtualClock
    from pytest_supercache.runtime.process.virtual_time import frozen

    installed = list(importlib.metadata.distributions())
    replaced: Any = importlib.metadata
    replaced.distributions = lambda **_: installed
    replaced = pytest.Config
    replaced._mark_plugins_for_rewrite = lambda *_: None
    with frozen(VirtualClock()):
        pass


def _main() -> None:
    for name in _LIBRARIES:
        import_module(name)
    for name in every_module():
        import_module(name)
    for name in _PLUGINS:
        sys.modules[name].__doc__ = "PYTEST_DONT_REWRITE"  # else pytest would warn
    _ask_once()
    gc.collect()
    wanted = None
    with contextlib.suppress(ConnectionResetError), socket.socket(fileno=int(sys.argv[1])) as asked:
        wanted = _serve(asked)
    if wanted is not None:
        _become(wanted)


if __name__ == "__main__":
    _main()
