"""``[tool.supercache]`` of pyproject.toml, as it is: what its names mean is said elsewhere."""

import tomllib
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import InputError, parse_toml, read_text


def read_table(root: Path) -> dict[str, Any]:
    """Read the table of the project in a folder; no file means an empty one.

    Raises:
        InputError: the file cannot be read, or what is there is no table.
    """
    path = root / "pyproject.toml"
    try:
        tools = parse_toml(read_text(path)).get("tool", {})
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error
    table = tools.get("supercache", {}) if isinstance(tools, dict) else tools
    if not isinstance(table, dict):
        raise InputError(f"{path}: supercache = {table!r:.200}: expected a table")
    return table
