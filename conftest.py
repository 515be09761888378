"""What the repository's own tests need from the machine: pytester, and real servers if any."""

import os
import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester", "tests.selection"]

PROGRAMS = {
    "redis_server": "redis-server",
    "valkey_server": "valkey-server",
    "chromium": "chromium",
    "postgresql": "postgres",
    "memcached": "memcached",
    "npm": "npm",
    "java": "java",
}
_DEBIAN = [str(path) for path in sorted(Path("/usr/lib").glob("postgresql/*/bin"))]
PACKAGES = {
    "postgres": "postgresql",
    "java": "default-jre-headless",
}  # where Debian calls it otherwise

_deselected: dict[str, list[str]] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need a server which is not here; in CI that is an error."""
    for mark, program in PROGRAMS.items():
        needing = [item for item in items if item.get_closest_marker(mark)]
        if not needing or find_program(program):
            continue
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            raise pytest.UsageError(
                f"CI is set, but there is no {program} for {len(needing)} tests: "
                f"install it (Debian: apt-get install {PACKAGES.get(program, program)})"
            )
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]
        _deselected[program] = sorted({item.location[0] for item in needing})


def find_program(name: str) -> str | None:
    """Return the path of a program; Debian keeps those of PostgreSQL off the usual one."""
    places = [os.environ.get("PATH", os.defpath), *_DEBIAN]
    return shutil.which(name, path=os.pathsep.join(places))


def pytest_report_collectionfinish() -> list[str]:
    """Name what was left out, a line for each server."""
    return [
        f"deselected: {', '.join(files)}: install {program} to run them"
        for program, files in _deselected.items()
    ]
