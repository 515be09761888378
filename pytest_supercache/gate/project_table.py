"""Names the files of a project's gate; reads ``[tool.supercache]`` without interpreting it."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import InputError, parse_toml, read_text
from pytest_supercache.core.masking import quoted

SETTINGS = "pyproject.toml"
KNOWN_ISSUES = "known-issues.toml"
LOCK = "gate.lock"

_NAME = "supercache"
_ALIKE = 0.85
"""How much of its letters a name has in common with ours, in one order, if it is meant as it."""

_LETTERS_MIN = 6  # of the 8 in our name; most names have fewer, and are compared no further


def read_table(root: Path) -> dict[str, Any]:
    """Read the table of the project in a folder; a missing file means an empty table.

    Raises:
        InputError: the file cannot be read, the value is no table, or the table is misspelt.
    """
    settings = _settings(root)
    tools = settings.get("tool", {})
    table = tools.get(_NAME, {}) if isinstance(tools, dict) else tools
    if not isinstance(table, dict):
        raise InputError(f"{root / SETTINGS}: supercache = {quoted(table)}: expected a table")
    for named in _misspelt(settings):
        raise InputError(
            f"{root / SETTINGS} has a table [{named}], which nobody reads; ours is "
            "[tool.supercache]. Rename it, or merge it with that"
        )
    return table


def names_in(table: Mapping[str, Any], setting: str, expected: str) -> tuple[str, ...]:
    """Return the names that a setting lists; none if it is not given.

    Raises:
        InputError: it is no list of names; the message says what is expected.
    """
    given = table.get(setting, [])
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise InputError(f"[tool.supercache] {setting} = {quoted(given)}: expected {expected}")
    return tuple(given)


def is_of_the_gate(path: Path) -> bool:
    """Say whether a file exists and configures the gate: most pyproject.toml do not.

    Raises:
        InputError: the file is not TOML, so the answer is unknown.
    """
    if path.name != SETTINGS:
        return os.path.lexists(path)
    tools = _settings(path.parent).get("tool", {})
    return isinstance(tools, dict) and _NAME in tools


def is_meant_as_ours(name: str) -> bool:
    """Say whether a name is that of this package, or nearly so."""
    bare = name.lower().replace("-", "_").removeprefix("pytest_").replace("_", "")
    if len(set(bare) & set(_NAME)) < _LETTERS_MIN:
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, bare, _NAME).ratio() >= _ALIKE


def _misspelt(settings: dict[str, Any]) -> Iterator[str]:
    """Yield tables of the file that are meant as ours, by their names."""
    for name, table in settings.items():
        if isinstance(table, dict) and is_meant_as_ours(name):
            yield name
        if isinstance(table, dict) and name.lower() in {"tool", "tools"}:
            ours = (one for one in table if (name, one) != ("tool", _NAME))
            yield from (f"{name}.{one}" for one in ours if is_meant_as_ours(one))


def _settings(root: Path) -> dict[str, Any]:
    path = root / SETTINGS
    try:
        return parse_toml(read_text(path))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error
