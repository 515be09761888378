"""What the repository's own tests need from the machine: pytester, and a redis-server if any."""

import os
import shutil

import pytest

pytest_plugins = ["pytester"]

_deselected: list[str] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need a redis-server where there is none; in CI that is an error."""
    needing = [item for item in items if item.get_closest_marker("redis_server")]
    if not needing or shutil.which("redis-server"):
        return
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        raise pytest.UsageError(
            f"CI is set, but there is no redis-server for {len(needing)} tests: "
            "install it (Debian: apt-get install redis-server)"
        )
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]
    _deselected[:] = sorted({item.location[0] for item in needing})


def pytest_report_collectionfinish() -> str | None:
    """Name what was left out, in one line."""
    if not _deselected:
        return None
    return f"deselected: {', '.join(_deselected)}: install redis-server to run them"
