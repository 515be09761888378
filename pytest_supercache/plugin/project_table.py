"""Reads ``[tool.supercache]`` for a run; a mistake in it is a UsageError of pytest."""

from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.inputs import InputError
from pytest_supercache.gate import project_table


def read_table(root: Path) -> dict[str, Any]:
    """Read the table of the project in a folder; a missing file means an empty table.

    Raises:
        UsageError: the file cannot be read, or the value is no table.
    """
    try:
        return project_table.read_table(root)
    except InputError as error:
        raise pytest.UsageError(str(error)) from error


def names_in(table: dict[str, Any], setting: str, expected: str) -> tuple[str, ...]:
    """Return the names that a setting lists; none if it is not given.

    Raises:
        UsageError: it is no list of names.
    """
    try:
        return project_table.names_in(table, setting, expected)
    except InputError as error:
        raise pytest.UsageError(str(error)) from error
