"""Where a project's root and its verdict are, as a program finds them from the current folder.

`supercache verdict` looks where this says. A gate run may write elsewhere: its arguments and
options (``scenarios``, ``-c``, ``--rootdir``) have a say in that, and the command does not know
them. So the run asks here, too, which file would be read, and leaves word there. Files of settings
are read by `iniconfig`, as pytest reads them.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iniconfig import IniConfig, ParseError

from pytest_supercache.core.inputs import InputError, parse_toml, read_text

VERDICT = "verdict.json"
_PYPROJECT = "pyproject.toml"

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The root as pytest finds it without arguments, and what its file of settings says."""

    root: Path
    settings: Settings = field(default_factory=dict)

    def verdict_file(self, table: Mapping[str, Any]) -> Path:
        """Return where a run without options leaves its verdict; ``table`` is the project's."""
        return report_folder(self.root, table, self.settings.get("supercache_report")) / VERDICT


def report_folder(root: Path, table: Mapping[str, Any], asked: object = None) -> Path:
    """Return where reports go; a relative name is meant from the project's root."""
    return root / str(asked or table.get("report") or "reports")


def place_from(started: Path) -> Place:
    """Find the project around a folder, by the rules of pytest.

    Raises:
        InputError: a file of settings cannot be read.
    """
    folders = (started, *started.parents)
    for folder in folders:
        for name, settings_of in _FILES.items():
            path = folder / name
            settings = settings_of(path) if path.is_file() else None
            if settings is not None:
                return Place(root=folder, settings=settings)
    for mark in (_PYPROJECT, "setup.py"):
        for folder in folders:
            if (folder / mark).is_file():
                return Place(root=folder)
    return Place(root=started)


def _of_pytest_toml(path: Path) -> Settings | None:
    table = _toml(path).get("pytest")
    return table if isinstance(table, dict) else {}


def _of_pyproject(path: Path) -> Settings | None:
    tools = _toml(path).get("tool")
    table = tools.get("pytest") if isinstance(tools, dict) else None
    if not isinstance(table, dict):
        return None
    with_types = {name: value for name, value in table.items() if name != "ini_options"}
    options = with_types or table.get("ini_options")
    return options if options is None or isinstance(options, dict) else {}


def _of_section(section: str) -> Callable[[Path], Settings | None]:
    def read(path: Path) -> Settings | None:
        try:
            sections = IniConfig(path, data=read_text(path)).sections
        except ParseError as error:
            raise InputError(str(error)) from error
        return sections.get(section)

    return read


def _of_pytest_ini(path: Path) -> Settings | None:
    return _of_section("pytest")(path) or {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: {error}") from error


_FILES: dict[str, Callable[[Path], Settings | None]] = {
    "pytest.toml": _of_pytest_toml,
    ".pytest.toml": _of_pytest_toml,
    "pytest.ini": _of_pytest_ini,
    ".pytest.ini": _of_pytest_ini,
    _PYPROJECT: _of_pyproject,
    "tox.ini": _of_section("pytest"),
    "setup.cfg": _of_section("tool:pytest"),
}
"""What pytest looks for in each folder, in its order; the first that is about pytest counts."""
