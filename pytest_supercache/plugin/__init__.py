"""The pytest plugin: hooks only. What they call is imported when it is needed.

``pytest -p supercache``; installed, it also loads by itself. Loading it must cost an unrelated
project nothing.
"""

from pathlib import Path

import pytest

from pytest_supercache.plugin.fixtures import (
    cache_layers,
    existing_cache,
    origin,
    super_cache,
    supercache_bench,
    virtual_clock,
)
from pytest_supercache.plugin.options import add_options

__all__ = [
    "cache_layers",
    "existing_cache",
    "origin",
    "super_cache",
    "supercache_bench",
    "virtual_clock",
]

SUFFIX = ".supercache.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each also an ini name."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register what goes on during the run: findings, verdicts, servers."""
    from pytest_supercache.plugin.session import Session

    config.pluginmanager.register(Session(config), Session.NAME)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect scenario files."""
    if not file_path.name.endswith(SUFFIX):
        return None
    from pytest_supercache.plugin.collection import ScenarioFile

    collected: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return collected
