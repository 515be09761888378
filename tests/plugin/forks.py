"""New processes for runs of pytest, forked from one that has imported what every run imports.

Half of what a cold run costs is importing libraries that are not under test. A fork is a process of
its own in all that these tests ask for: its exit status, its signals, its memory, its environment
and, since each value of ``PYTHONHASHSEED`` and the like has a parent of its own, its hash seed.

The workers that xdist starts for such a run are forked, too, and are its children as ever.
All of them end after the last exit handler: to free what the libraries have made would take longer
than a short run.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib.metadata
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from importlib import import_module, invalidate_caches
from pathlib import Path
from tempfile import TemporaryFile
from types import ModuleType
from typing import IO, Any

_LIBRARIES = (
    "pytest", "xdist.plugin", "xdist.looponfail", "hypothesis", "redis.asyncio", "fakeredis",
    "freezegun", "ruamel.yaml",
)  # fmt: skip
_PLUGINS = (
    "anyio", "hypothesis", "_hypothesis_globals", "pytest_supercache", "xdist", "xdist.plugin",
    "xdist.looponfail",
)  # fmt: skip
_OF_LIBRARIES = frozenset({
    "_hypothesis_globals", "_hypothesis_pytestplugin", "_pytest", "anyio", "pytest_supercache",
    "xdist",
})  # fmt: skip
"""Packages whose plugins wrap no fixture in something else."""
_NOT_IMPORTED = (
    "pytest_supercache.cli.__main__", "pytest_supercache.runtime.sql.psycopg_doors",
    "pytest_supercache.runtime.sql.psycopg2_doors",
    "pytest_supercache.runtime.sql.asyncpg_doors",
    "pytest_supercache.runtime.sql.mysqlclient_doors",
)  # fmt: skip
"""Importing the first runs a command, the others import drivers of databases."""
_MESSAGE_MAX = 1 << 20
_PR_SET_CHILD_SUBREAPER = 36
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
        self,
        command: Sequence[str],
        *,
        stdout: IO[str],
        stderr: IO[str],
        stdin: object = None,
        **_: Any,
    ) -> "_Run":
        """Begin ``python -mpytest ...`` in this folder and environment; what Popen is asked for.

        If ``stdin`` is bytes, the run reads them; otherwise it reads nothing.
        """
        assert tuple(command[:2]) == (sys.executable, "-mpytest"), command
        with TemporaryFile() as typed:
            typed.write(stdin if isinstance(stdin, bytes) else b"")
            typed.seek(0)
            files = [stdout, stderr, typed]
            return self._begin(command[2:], files, Path.cwd(), dict(os.environ))

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        **_: Any,
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``python -m pytest ...`` to its end, as `subprocess.run` does for the commands."""
        assert command[:3] == [sys.executable, "-m", "pytest"], command
        folder, variables = cwd or Path.cwd(), dict(os.environ if env is None else env)
        with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
            status = self._begin(command[3:], [out, err], folder, variables).wait()
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read())
        return subprocess.CompletedProcess(command, status, *said)

    def _begin(
        self,
        arguments: Sequence[str],
        files: Sequence[IO[Any]],
        folder: Path,
        variables: dict[str, str],
    ) -> "_Run":
        read = {name: value for name, value in variables.items() if name.startswith(_AT_START)}
        read.pop("PYTHONPATH", None)
        key = json.dumps(read, sort_keys=True)
        if key not in self._started:
            self._started[key] = _Parent(variables)
        wanted = {"arguments": arguments, "folder": str(folder), "variables": variables}
        return self._started[key].start(wanted, files)

    def close(self) -> None:
        """End all of them."""
        for parent in self._started.values():
            parent.close()
        self._started.clear()


class _Parent:
    def __init__(self, variables: dict[str, str]) -> None:
        self._asks, answers = socket.socketpair()
        with answers:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(answers.fileno())],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[answers.fileno()],
                env=variables,
            )  # fmt: skip

    def start(self, wanted: dict[str, Any], files: Sequence[IO[Any]]) -> "_Run":
        """Begin a run with these files: its standard output and error, and perhaps its input."""
        sent = [file.fileno() for file in files]
        socket.send_fds(self._asks, [json.dumps(wanted).encode() + b"\n"], sent)
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
        wanted, files = _received(answers)
        if wanted is None:
            return None
        child = os.fork()
        if not child:
            answers.close()
            _keep_only(dict(zip((1, 2, 0), files, strict=False)))
            if any(argument.startswith("-n") for argument in wanted["arguments"]):
                _let_workers_be_forked()
            return wanted
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        answers.send(str(os.waitstatus_to_exitcode(status)).encode())


def _received(asked: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Wait for what somebody wants, and for the files that it gets; None: nobody will."""
    message, files, _, _ = socket.recv_fds(asked, _MESSAGE_MAX, 3)
    while message and not message.endswith(b"\n"):
        message += asked.recv(_MESSAGE_MAX)
    return json.loads(message) if message else None, files


def _keep_only(files: dict[int, int]) -> None:
    """Move these files to their descriptors, and close all others but standard input."""
    for stream, file in files.items():
        os.dup2(file, stream)
    os.closerange(3, max(files.values()) + 1)


def _let_workers_be_forked() -> None:
    """Fork a process that forks the workers of this run, unless they shall be of another kind."""
    from execnet import gateway_io

    asks, asked = socket.socketpair()
    if not os.fork():
        asks.close()
        wanted = _fork_workers(asked)
        if wanted is not None:
            _become_worker(wanted)
        sys.exit(0)
    asked.close()
    create_io = gateway_io.create_io

    def ask(spec: Any, execmodel: Any) -> Any:
        is_usual = spec.popen and not spec.python
        return _worker(asks, execmodel) if is_usual else create_io(spec, execmodel)

    gateway_io.create_io = ask


def _fork_workers(asked: socket.socket) -> dict[str, Any] | None:
    """Fork a worker whenever the run asks for one; return None when the run has ended.

    A worker is to be a child of the run: the process between the two ends, and the run adopts it.
    """
    while True:
        wanted, files = _received(asked)
        if wanted is None:
            return None
        between = os.fork()
        if not between:
            child = os.fork()
            if child:
                asked.send(str(child).encode())
                os._exit(0)
            asked.close()
            _keep_only(dict(enumerate(files)))
            return wanted
        for file in files:
            os.close(file)
        os.waitpid(between, 0)
        asked.send(b"\n")


def _worker(asks: socket.socket, execmodel: Any) -> Any:
    """Start a worker; return what execnet speaks to."""
    from execnet.gateway_base import Popen2IO

    stdin, to_worker = os.pipe()
    from_worker, stdout = os.pipe()
    wanted = {"folder": str(Path.cwd()), "variables": dict(os.environ)}
    with _orphans_adopted():
        socket.send_fds(asks, [json.dumps(wanted).encode() + b"\n"], [stdin, stdout, 2])
        told = b""
        while not told.endswith(b"\n"):
            told += asks.recv(100)
    for file in (stdin, stdout):
        os.close(file)

    class Worker(Popen2IO):  # type: ignore[misc]
        def wait(self) -> None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(told), 0)

        def kill(self) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(told), signal.SIGKILL)

    return Worker(os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb"), execmodel)


@contextlib.contextmanager
def _orphans_adopted() -> Iterator[None]:
    """Adopt the processes whose parent has ended, if it is below this one."""
    libc = ctypes.CDLL(None, use_errno=True)
    for is_on in (1, 0):
        assert not libc.prctl(_PR_SET_CHILD_SUBREAPER, is_on, 0, 0, 0), ctypes.get_errno()
        if is_on:
            yield


def _become_worker(wanted: dict[str, Any]) -> None:
    """Be the interpreter that execnet starts for a worker, and do what it is told."""
    _enter(wanted)
    sys.argv = ["-c"]
    sys.modules["__main__"] = ModuleType("__main__")
    exec(eval(sys.stdin.readline()), vars(sys.modules["__main__"]))


def _become(wanted: dict[str, Any]) -> None:
    """Be ``python -m pytest`` with these arguments, there, with that environment."""
    _enter(wanted)
    entry = import_module("pytest.__main__")
    sys.argv = [str(entry.__file__), *wanted["arguments"]]
    # One whose code does not run: a check would search all objects for a function that is in no
    # variable, that of this code.
    main = ModuleType("__main__")
    vars(main).update({**vars(entry), "__name__": "__main__"})
    sys.modules["__main__"] = main
    del sys.modules["pytest.__main__"]
    raise SystemExit(vars(main)["_console_main"]())


def _enter(wanted: dict[str, Any]) -> None:
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["variables"])
    # multiprocessing's name of this module, whose functions a check would take for a project's.
    sys.modules.pop("__mp_main__", None)
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [wanted["folder"], *(part for part in path if part and part not in sys.path)]
    invalidate_caches()


class _Installed(importlib.metadata.PathDistribution):
    """An installed package whose metadata are read once."""

    read_text = cache(importlib.metadata.PathDistribution.read_text)
    entry_points = cached_property(importlib.metadata.PathDistribution.entry_points.fget)  # type: ignore[assignment, attr-defined]


def known_beforehand() -> list[tuple[Any, str, Any]]:
    """Return what answers for runs that ask it each time: an object, a name and the replacement.

    That is which packages are installed and which plugins they have, which of their files pytest
    rewrites (they are all imported), and which fixtures the plugins of libraries define.
    """
    import pytest
    from _pytest.fixtures import FixtureManager

    installed = [_Installed(one._path) for one in importlib.metadata.distributions()]  # type: ignore[attr-defined]
    usual = FixtureManager.pytest_plugin_registered

    def pytest_plugin_registered(self: Any, plugin: Any, plugin_name: str) -> None:
        fixtures = _fixtures_of_a_library(plugin)
        if fixtures is None:
            usual(self, plugin, plugin_name)
        elif fixtures:
            holder = ModuleType(plugin.__name__)
            vars(holder).update(fixtures)
            usual(self, holder, plugin_name)

    return [
        (importlib.metadata, "distributions", lambda **_: installed),
        (pytest.Config, "_mark_plugins_for_rewrite", lambda *_: None),
        (FixtureManager, "pytest_plugin_registered", pytest_plugin_registered),
    ]


def _fixtures_of_a_library(plugin: Any) -> dict[str, Any] | None:
    """Return the fixtures of a plugin without what else its module has; None: ask pytest.

    pytest would look at each name of each plugin in each run, and at what every object wraps.
    """
    from _pytest.fixtures import FixtureFunctionDefinition

    is_module = isinstance(plugin, ModuleType)
    owners = [plugin] if is_module else type(plugin).__mro__[:-1]
    names = [plugin.__name__ if is_module else one.__module__ for one in owners]
    if not all(name.partition(".")[0] in _OF_LIBRARIES for name in names):
        return None
    found = {
        name: value
        for one in owners
        for name, value in vars(one).items()
        if type(value) is FixtureFunctionDefinition
    }
    return found if is_module or not found else None


def _ask_once() -> None:
    """Ask now what each run would.

    freezegun remembers the modules that it has seen, fakeredis the commands that there are, the
    door of sqlite3 that there is no connection yet, and the plugin where links of packages lead.
    """
    from pytest_supercache.core.folders import real_path
    from pytest_supercache.layers.clock import VirtualClock
    from pytest_supercache.layers.servers import start_server
    from pytest_supercache.plugin.copies import imported_files
    from pytest_supercache.runtime.process.virtual_time import frozen
    from pytest_supercache.runtime.sql import sqlite_before

    for owner, name, answer in known_beforehand():
        setattr(owner, name, answer)
    with frozen(VirtualClock()):
        pass
    sqlite_before.open()
    sqlite_before.close()
    start_server("fakeredis").close()
    for file in imported_files():
        real_path(file)


class _End:
    """The end of a process, after all of its exit handlers: this one is the first that is set."""

    def __init__(self) -> None:
        self.status = 0
        atexit.register(self)

    def __call__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(self.status)


def _main() -> None:
    end = _End()
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
        try:
            _become(wanted)
        except SystemExit as ended:
            if not isinstance(ended.code, int):
                atexit.unregister(end)
                raise
            end.status = ended.code
        except BaseException:  # the interpreter tells of it, and has a status for it
            atexit.unregister(end)
            raise


if __name__ == "__main__":
    _main()
