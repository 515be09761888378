"""``[tool.supercache]`` of pyproject.toml, as it is: what its names mean is said elsewhere."""

import tomllib
from pathlib import Path
from typing import Any

import pytest


def read_table(root: Path) -> dict[str, Any]:
    """Read the table of the project in a folder; no file means an empty one.

    Raises:
        UsageError: the file cannot be read, or what is there is no table.
    """
    path = root / "pyproject.toml"
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"{path}: {error}") from error
    table = tools.get("supercache", {})
    if not isinstance(table, dict):
        raise pytest.UsageError(f"{path}: supercache = {table!r}: expected a table")
    return dict(table)
