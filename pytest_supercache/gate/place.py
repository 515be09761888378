"""Finds the root of a project and its verdict from the current folder, by pytest's rules.

`supercache verdict` looks where this says. A gate run may write elsewhere: its arguments and
options (``scenarios``, ``-c``, ``--rootdir``) have a say in that, and the command does not know
them. So the run asks here, too, which file would be read, and leaves word there. Files of settings
are read by `iniconfig`, as pytest reads them.
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iniconfig import IniConfig, ParseError

from pytest_supercache.core.inputs import InputError, parse_toml, read_text
from pytest_supercache.core.masking import quoted
from pytest_supercache.gate.project_table import read_table

VERDICT = "verdict.json"
_PYPROJECT = "pyproject.toml"

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRoot:
    """The root as pytest finds it without arguments, and what its file of settings says."""

    root: Path
    settings: Settings = field(default_factory=dict)

    def verdict_file(self, table: Mapping[str, Any]) -> Path:
        """Return where a run without options leaves its verdict; ``table`` is the project's."""
        return report_folder(self.root, table, self.settings.get("supercache_report")) / VERDICT


def report_folder(root: Path, table: Mapping[str, Any], asked: object = None) -> Path:
    """Return where reports go; a relative name is meant from the project's root.

    Raises:
        InputError: no folder can have that name.
    """
    name = str(asked or table.get("report") or "reports")
    if "\0" in name:
        raise InputError(f"report = {quoted(name)}: expected the path of a folder, without \\0")
    return root / name


def way_to_root(file: Path, root: Path) -> str | None:
    """Return how a root is reached from the folder of a file; None: from another drive.

    A link in the place of the file is not followed: whoever writes the file replaces it.
    """
    folder = os.path.realpath(file.parent)
    try:
        return Path(os.path.relpath(os.path.realpath(root), folder)).as_posix()
    except ValueError:
        return None


def other_root(
    file: Path, way: object, place: ProjectRoot, table: Mapping[str, Any]
) -> Path | None:
    """Return the project root that a verdict belongs to, if it is not the current one.

    The way begins where the file is, whichever links lead to it. A file that was carried elsewhere
    says nothing by that: another root has files of a project, or the file is where the root here
    would have its own.
    """
    if not isinstance(way, str):
        return None
    own, real = Path(os.path.realpath(place.root)), Path(os.path.realpath(file))
    told = Path(os.path.realpath(real.parent / way))
    is_in_place = os.path.realpath(place.verdict_file(table)) == str(real)
    is_root = any(os.path.lexists(told / name) for name in _MARKS)
    return told if told != own and (is_in_place or is_root) else None


def place_at(root: Path) -> ProjectRoot:
    """Return a root that is given, with the settings of pytest that are in force there.

    Raises:
        InputError: a file of settings cannot be read.
    """
    return ProjectRoot(root=root, settings=place_from(root).settings)


def verdicts_below(root: Path) -> Iterator[Path]:
    """Yield the verdicts of projects in the folders of a root, and in their folders."""
    for folder in sorted({*root.glob("[!.]*/"), *root.glob("[!.]*/[!.]*/")}):
        if any((folder / name).is_file() for name in _MARKS):
            with suppress(InputError, OSError):
                file = place_at(folder).verdict_file(read_table(folder))
                if file.is_file() and file.is_relative_to(folder):
                    yield file


def place_from(started: Path) -> ProjectRoot:
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
                return ProjectRoot(root=folder, settings=settings)
    for mark in (_PYPROJECT, "setup.py"):
        for folder in folders:
            if (folder / mark).is_file():
                return ProjectRoot(root=folder)
    return ProjectRoot(root=started)


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

_MARKS = (*_FILES, "setup.py", "gate.lock")
"""A folder with one of these may be the root of a project."""
