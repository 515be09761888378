"""Records connections that fail outside of executions: at import, in conftest files, in fixtures.

Code that looks for its cache there, and goes on without one, shows every check what it does without
a cache. Inside of an execution the same attempt is a hazard (`runtime.process.escape_detection`).

A connection is attributed to the innermost code of the project on the thread's stack. A failed
attempt of code under test rules out a GO. Those of conftest files, tests and tools are told beside
it: tests look for servers to skip themselves, and tools report to servers of their own.
"""

import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from os.path import realpath, relpath
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.failed_connections import FailedConnections
from pytest_supercache.core.folders import is_in_packages
from pytest_supercache.plugin.items import is_ours, test_file_patterns
from pytest_supercache.plugin.project_table import names_in, read_table

if TYPE_CHECKING:
    from types import CodeType, FrameType, ModuleType

ABSENT = "absent"
"""The setting for servers that the code under test may fail to find."""

PARTS = ("in_vain", "in_vain_as_said", "in_vain_besides")
"""The parts of ``verdict.json``: what rules out a GO, what the setting excuses, what is told."""

CONNECTION_FAILURES: "pytest.StashKey[ConnectionFailures]" = pytest.StashKey()

_OUTPUT = "supercache_in_vain"
_OF_TESTS = frozenset({"test", "tests", "testing"})
_REPORTING = "logging"
"""The module of the standard library whose connections only carry messages away."""

_US = "pytest_supercache"


@dataclass(frozen=True, slots=True)
class Who:
    """The code that has tried to connect, and the line where it called what connects."""

    module: str
    code: "CodeType | None"
    line: int
    is_of_project: bool

    @property
    def function(self) -> tuple[str, object]:
        """What stays the same when it tries again."""
        return self.module, self.code


@dataclass(frozen=True, slots=True)
class Failed:
    """A connection that failed."""

    who: Who
    address: str
    error: str


class ConnectionFailures:
    """The failed connections of a run, outside of executions."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._connections = FailedConnections(self)
        self._failed: dict[object, Failed] = {}
        self._told: dict[str, set[str]] = {part: set() for part in PARTS}  # by other processes
        self._is_of_checks = True  # what goes on may be what a check needs
        self._wide = 0  # fixtures that outlive their test and are being set up

    # -- what goes on --------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Hear what an explored item needs; an ordinary test looks for servers as it likes."""
        self._is_of_checks = is_ours(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Hear what a tool of tests refuses from now on."""
        self._connections.listen()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Hear an item no more once it has run."""
        self._is_of_checks = False

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: "pytest.FixtureDef[Any]"
    ) -> Generator[None, object, object]:
        """Hear the fixtures that a later item may share, whichever item comes first."""
        self._connections.listen()
        is_wide = fixturedef.scope != "function"
        self._wide += is_wide
        try:
            return (yield)
        finally:
            self._wide -= is_wide

    # -- connections ---------------------------------------------------------------------------

    def listen(self) -> None:
        """Listen from now on, until the run is over."""
        self._connections.listen()
        self._config.add_cleanup(self._connections.stop)

    def failed(self, address: str, port: object, error: str) -> object:
        """Note a failed connection, unless an execution hears it or it is an ordinary test's."""
        if _is_heard_by_execution():
            return None
        frame = sys._getframe(1)
        who = _who(frame)
        is_wanted = self._is_of_checks or self._wide or _is_importing(frame)
        if who is None or not is_wanted:
            return None
        key = (who.function, port)
        self._failed[key] = Failed(who, address, error)
        return key

    def refused(self, address: str, port: object, error: Exception) -> None:
        """Note a connection that a tool of tests has refused, in an execution or outside."""
        if (escapes := _escapes()) is not None:
            escapes.name_refused(address, error)
        self.failed(address, port, f"{type(error).__name__} of a tool")

    def connected(self, port: object, who: object) -> None:
        """Forget that code has failed once it has reached its server."""
        if not self._failed:
            return
        if who is None:
            found = _who(sys._getframe(1))
            who = None if found is None else (found.function, port)
        self._failed.pop(who, None)

    # -- what is told --------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """On a worker of xdist: send to the controller what was heard here."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_OUTPUT] = self.part()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn what a worker of xdist has heard."""
        self.learn((getattr(node, "workeroutput", None) or {}).get(_OUTPUT, {}))

    def part(self) -> dict[str, list[str]]:
        """Return the parts of ``verdict.json``."""
        absent = absent_servers(read_table(self._config.rootpath))
        found = {name: set(told) for name, told in self._told.items()}
        for failed in self._failed.values():
            found[self._kind_of(failed, absent)].add(self._shown(failed))
        return {name: sorted(texts) for name, texts in found.items()}

    def learn(self, part: dict[str, list[str]]) -> None:
        """Merge what another process has sent."""
        for name, texts in part.items():
            self._told[name] |= set(texts)

    def _kind_of(self, failed: Failed, absent: tuple[str, ...]) -> str:
        if not failed.who.is_of_project or self._is_of_tests(failed.who):
            return "in_vain_besides"
        return "in_vain_as_said" if failed.address in absent else "in_vain"

    def _is_of_tests(self, who: Who) -> bool:
        """Say whether a file is a conftest, a test module, or lies beside them in ``tests``."""
        path = PurePath(self._path_of(who))
        patterns = test_file_patterns(self._config)
        return (
            path.name == "conftest.py"
            or any(fnmatch(path.name, pattern.rpartition("/")[2]) for pattern in patterns)
            or not _OF_TESTS.isdisjoint(path.parts)
        )

    def _path_of(self, who: Who) -> str:
        """Return the path of a file from the root; of one elsewhere, the path of its module."""
        assert who.code is not None, "code of the project stands in a file"
        root, file = realpath(self._config.rootpath), realpath(who.code.co_filename)
        if Path(file).is_relative_to(root) and not is_in_packages(file):
            return Path(relpath(file, root)).as_posix()
        return f"{who.module.replace('.', '/')}.py"

    def _shown(self, failed: Failed) -> str:
        who = failed.who
        by = f"{self._path_of(who)}:{who.line}" if who.is_of_project else who.module or "a thread"
        return f"{by} ({failed.address}: {failed.error})"


def begin(config: pytest.Config) -> None:
    """Listen from now on, until the run is over."""
    failures = config.stash[CONNECTION_FAILURES] = ConnectionFailures(config)
    failures.listen()


def absent_servers(table: dict[str, Any]) -> tuple[str, ...]:
    """Return the servers that may be missing, as the project's settings say.

    Raises:
        UsageError: the setting is no list of addresses.
    """
    return names_in(table, ABSENT, "addresses as a verdict shows them, as in ['localhost:4317']")


def _escapes() -> "ModuleType | None":
    """Return the module that hears executions, if there has been one."""
    return sys.modules.get(f"{_US}.runtime.process.escape_detection")


def _is_heard_by_execution() -> bool:
    """Say whether the calling thread runs code under test in an execution, which hears it."""
    calling = sys.modules.get(f"{_US}.runtime.kernel.calling")
    return calling is not None and (calling.here.actor is not None or calling.here.is_importing)


def _who(frame: "FrameType | None") -> Who | None:
    """Return who has called: the innermost code of the project, else the innermost tool.

    None is this package, which starts servers. A logger is a tool, whoever uses it.
    """
    from pytest_supercache.runtime.kernel.under_test import is_under_test_name

    tool = ""
    for at in _callers(frame):
        name = str(at.f_globals.get("__name__"))
        if name.partition(".")[0] == _US and not is_under_test_name(name):
            return None
        if name.partition(".")[0] == _REPORTING:
            return Who(name, None, 0, is_of_project=False)
        if is_under_test_name(name):
            if _is_of_project(name, at.f_code.co_filename):
                return Who(name, at.f_code, at.f_lineno, is_of_project=True)
            tool = tool or name
    return Who(tool, None, 0, is_of_project=False)


def _callers(frame: "FrameType | None") -> Iterator["FrameType"]:
    """Yield the frames above the functions of this package that have heard of a connection."""
    own = (__name__, FailedConnections.__module__)
    while frame is not None and frame.f_globals.get("__name__") in own:
        frame = frame.f_back
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_importing(frame: "FrameType | None") -> bool:
    """Say whether a module of the project is being imported on this thread."""
    from pytest_supercache.runtime.kernel.under_test import is_under_test_name

    return any(
        at.f_code.co_name == "<module>"
        and is_under_test_name(str(at.f_globals.get("__name__")))
        and _is_of_project(str(at.f_globals.get("__name__")), at.f_code.co_filename)
        for at in _callers(frame)
    )


def _is_of_project(name: str, file: str) -> bool:
    """Say whether a module is the project's own: not installed, or installed from this machine."""
    if name == "__main__" or not file.endswith(".py"):
        return False
    if not is_in_packages(file):
        return True
    return _is_installed_from_here(name.partition(".")[0])


@cache
def _is_installed_from_here(top: str) -> bool:
    """Say whether a package was installed from a folder or a file, as tox does (PEP 610)."""
    for name in packages_distributions().get(top, ()):
        with suppress(PackageNotFoundError):
            if '"file:' in (distribution(name).read_text("direct_url.json") or ""):
                return True
    return False
