"""Refuses settings that are meant for this plugin and never read: misspelt or misplaced ones.

pytest warns of unknown names in its own table at most, and says nothing of tables of others.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_supercache.core.inputs import InputError, read_text
from pytest_supercache.gate.project_table import is_meant_as_ours

_FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg")
"""The files, but for pyproject.toml, in which projects keep the settings of their tools."""

_NAME = re.compile(r"^[ \t]*\"?(\w+)\"?[ \t]*[=:]", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*\[+[ \t]*(?:tools?[.:])?([\w-]+)[^\]\n]*\]", re.MULTILINE)


def refuse_misplaced(config: pytest.Config) -> None:
    """Refuse them, since a GO would rest on less than the project asks for.

    Raises:
        UsageError: naming them.
    """
    if names := sorted(set(_unknown_names(config))):
        raise pytest.UsageError(
            f"{config.inipath or 'the command line'}: {', '.join(names)}: nobody reads a setting "
            "of this name. `pytest --help` lists those that begin with supercache_; any other one "
            "belongs into [tool.supercache] of pyproject.toml"
        )
    for name in _FILES:
        for table in _tables_in(config, name):
            raise pytest.UsageError(
                f"{config.rootpath / name} has a table {table}, which nobody reads: write "
                "[tool.supercache] into pyproject.toml"
            )


def _unknown_names(config: pytest.Config) -> Iterator[str]:
    """Yield the names in pytest's settings that begin like ours, and that pytest does not know."""
    replaced = config.getoption("override_ini", None) or ()
    given = {one.partition("=")[0].strip() for one in replaced}
    if config.inipath is not None:
        given |= set(_NAME.findall(_text(config.inipath)))
    for name in given:
        parts = name.split("_")
        begins = ("_".join(parts[:count]) for count in range(1, len(parts)))
        if any(map(is_meant_as_ours, begins)) and not _is_known(config, name):
            yield name


def _is_known(config: pytest.Config, name: str) -> bool:
    try:
        config.getini(name)
    except (ValueError, KeyError):
        return False
    return True


def _tables_in(config: pytest.Config, name: str) -> Iterator[str]:
    for heading in _HEADING.finditer(_text(config.rootpath / name)):
        if is_meant_as_ours(heading[1]):
            yield heading[0].strip()


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, InputError):
        return ""
