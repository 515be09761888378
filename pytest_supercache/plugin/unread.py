"""Rules of the gate that a run does not read, by where it was started and what it runs."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_supercache.plugin.arguments import given_paths


def refuse_unread(config: pytest.Config) -> None:
    """Refuse a root whose rules let more through than others on the way to the arguments.

    Raises:
        SupercacheError: a file of the gate would not be read.
    """
    from pytest_supercache.gate.unread_rules import refuse_unread_rules

    refuse_unread_rules(config.rootpath, _starts(config), known_issues_of(config))


def known_issues_of(config: pytest.Config) -> str | None:
    """Return the file of waivers that the command line or pytest's settings name."""
    given: str | None = config.getoption("supercache_known_issues")
    return given or config.getini("supercache_known_issues")


def unread(config: pytest.Config, files: Iterable[str]) -> list[str]:
    """Return such rules on the way to arguments and files that were run, and what they ask for."""
    from pytest_supercache.gate.unread_rules import unread_rules

    root = config.rootpath
    starts = [*_starts(config), *(root / file for file in files)]
    found = unread_rules(root, starts, known_issues_of(config))
    return sorted(f"{Path(os.path.relpath(path, root)).as_posix()} ({why})" for path, why in found)


def _starts(config: pytest.Config) -> list[Path]:
    """Return where pytest was started, and its arguments."""
    return [config.invocation_params.dir, *given_paths(config)]
