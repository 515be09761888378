"""Rules of the gate that a run does not read, by where it was started and what it runs."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest


def refuse_unread(config: pytest.Config) -> None:
    """Refuse a root whose rules let more through than others on the way to the arguments.

    Raises:
        SupercacheError: a file of the gate would not be read.
    """
    from pytest_supercache.gate.unread_rules import refuse_unread_rules

    here = config.invocation_params.dir
    given = [here / argument.partition("::")[0] for argument in config.args]
    there = [Path(os.path.normpath(path)) for path in given if path.exists()]
    refuse_unread_rules(config.rootpath, [here, *there])


def unread(config: pytest.Config, files: Iterable[str]) -> list[str]:
    """Return such rules on the way to files that were run, with what they ask for."""
    from pytest_supercache.gate.unread_rules import unread_rules

    root = config.rootpath
    found = unread_rules(root, (root / file for file in files))
    return sorted(f"{Path(os.path.relpath(path, root)).as_posix()} ({why})" for path, why in found)
