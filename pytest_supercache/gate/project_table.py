"""Names the files of a project's gate; reads ``[tool.supercache]`` without interpreting it."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import InputError, parse_toml, read_text
from pytest_supercache.core.masking import quoted

SETTINGS = "pyproject.toml"
KNOWN_ISSUES = "known-issues.toml"
LOCK = "gate.lock"


def read_table(root: Path) -> dict[str, Any]:
    """Read the table of the project in a folder; a missing file means an empty table.

    Raises:
        InputError: the file cannot be read, or the value is no table.
    """
    tools = _tools(root)
    table = tools.get("supercache", {}) if isinstance(tools, dict) else tools
    if not isinstance(table, dict):
        raise InputError(f"{root / SETTINGS}: supercache = {quoted(table)}: expected a table")
    return table


def is_of_the_gate(path: Path) -> bool:
    """Say whether a file exists and configures the gate: most pyproject.toml do not.

    Raises:
        InputError: the file is not TOML, so the answer is unknown.
    """
    if path.name != SETTINGS:
        return os.path.lexists(path)
    tools = _tools(path.parent)
    return isinstance(tools, dict) and "supercache" in tools


def _tools(root: Path) -> Any:
    path = root / SETTINGS
    try:
        return parse_toml(read_text(path)).get("tool", {})
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error
