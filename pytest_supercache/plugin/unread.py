"""Finds rules of the gate that a run does not read, from its start folder and its arguments."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_supercache.plugin.arguments import given_paths


def refuse_unread(config: pytest.Config) -> None:
    """Refuse a root with laxer rules than others on the way to the arguments.

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
    """Return the unread rules on the way to arguments and run files, with their demands."""
    from pytest_supercache.gate.unread_rules import unread_rules

    root = config.rootpath
    starts = [*_starts(config), *(root / file for file in files)]
    found = unread_rules(root, starts, known_issues_of(config))
    return sorted(f"{Path(os.path.relpath(path, root)).as_posix()} ({why})" for path, why in found)


def _starts(config: pytest.Config) -> list[Path]:
    """Return the folder where pytest was started, and its arguments."""
    return [config.invocation_params.dir, *given_paths(config)]
