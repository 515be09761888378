"""What the repository's own tests need from the machine: pytester, and real servers if any."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester", "tests.selection"]

TESTS = Path(__file__).parent / "tests"
LEFT_OUT = "supercache_left_out"
PROGRAMS = {
    "redis_server": "redis-server",
    "valkey_server": "valkey-server",
    "chromium": "chromium",
    "postgresql": "postgres",
    "mariadb": "mariadbd",
    "memcached": "memcached",
    "npm": "npm",
    "java": "java",
}
MODULES = {"mysqlclient": "MySQLdb"}
"""What dev.py builds where a compiler is -> its module."""
_DEBIAN = ["/usr/sbin", *(str(path) for path in sorted(Path("/usr/lib").glob("postgresql/*/bin")))]
PACKAGES = {
    "postgres": "postgresql",
    "mariadbd": "mariadb-server-core",
    "java": "default-jre-headless",
    "mysqlclient": "gcc libmariadb-dev pkg-config python3-dev",  # build it
}  # where Debian calls it otherwise

_deselected: dict[str, list[str]] = {}


def pytest_configure(config: pytest.Config) -> None:
    """In CI, refuse to run the tests where a program is missing that some of them need."""
    is_worker = hasattr(config, "workerinput")
    if os.environ.get("CI", "").lower() not in {"1", "true"} or is_worker:
        return
    missing = [program for program in PROGRAMS.values() if not find_program(program)]
    if not config.getoption("--second-python"):  # which selects none of its tests
        missing += [name for name, module in MODULES.items() if find_spec(module) is None]
    if missing and any(Path(arg).resolve().is_relative_to(TESTS) for arg in config.args):
        packages = " ".join(PACKAGES.get(program, program) for program in missing)
        raise pytest.UsageError(
            f"CI is set, but there is no {', '.join(missing)}, which some tests need: install it "
            f"(Debian: apt-get install {packages})"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need a program, or a module, which is not here."""
    needed = {mark: (program, bool(find_program(program))) for mark, program in PROGRAMS.items()}
    needed |= {name: (name, find_spec(module) is not None) for name, module in MODULES.items()}
    for mark, (program, is_here) in needed.items():
        needing = [item for item in items if item.get_closest_marker(mark)]
        if not needing or is_here:
            continue
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
        _deselected[program] = sorted({item.location[0] for item in needing})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the controller of xdist, which collects nothing itself, what a worker left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[LEFT_OUT] = _deselected


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker left out: each of them leaves out the same."""
    _deselected.update(getattr(node, "workeroutput", {}).get(LEFT_OUT, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, a line for each program."""
    for program, files in _deselected.items():
        terminalreporter.write_line(
            f"deselected: {', '.join(files)}: {what_to_do(program)} to run them", yellow=True
        )


def what_to_do(program: str) -> str:
    """Say how to get what some tests need."""
    if program in MODULES:
        return f"install {PACKAGES[program]}, with which dev.py builds {program},"
    return f"install {program}"


def find_program(name: str) -> str | None:
    """Return the path of a program; Debian keeps some servers off the usual one."""
    places = [os.environ.get("PATH", os.defpath), *_DEBIAN]
    return shutil.which(name, path=os.pathsep.join(places))
