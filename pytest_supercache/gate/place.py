"""Finds the root of a project and its verdict from the current folder, by pytest's rules.

`supercache verdict` reads the file that this module finds. A gate run may write elsewhere,
depending on arguments and options (``scenarios``, ``-c``, ``--rootdir``) that the command does not
get. So the run, too, finds the file that the command would read, and records its outcome there.
Settings files are read by `iniconfig`, as pytest reads them.
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
from pytest_supercache.report.run_folders import VERDICT, top_of

_PYPROJECT = "pyproject.toml"

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRoot:
    """The root that pytest finds without arguments, and the settings in its file."""

    root: Path
    settings: Settings = field(default_factory=dict)

    def verdict_file(self, table: Mapping[str, Any]) -> Path:
        """Return the default path of the verdict; ``table`` is that of the project."""
        return report_folder(self.root, table, self.settings.get("supercache_report")) / VERDICT


def report_folder(root: Path, table: Mapping[str, Any], asked: object = None) -> Path:
    """Return the folder of reports; a relative name is relative to the project's root.

    Raises:
        InputError: no folder can have that name.
    """
    name = str(asked or table.get("report") or "reports")
    if "\0" in name:
        raise InputError(f"report = {quoted(name)}: expected the path of a folder, without \\0")
    return root / name


def way_to_root(file: Path, root: Path) -> str | None:
    """Return the path to a root, relative to the folder of a file; None: on another drive.

    A symbolic link in place of the file is not resolved: writing the file replaces the link.
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

    ``way`` is relative to the folder of reports that the file is in, with links resolved. It proves
    nothing if the file was moved: so the other root must have files of a project, or the file must
    be where the root here would have its own.
    """
    if not isinstance(way, str):
        return None
    own, real = Path(os.path.realpath(place.root)), Path(os.path.realpath(file))
    told = Path(os.path.realpath(top_of(real.parent) / way))
    is_in_place = os.path.realpath(place.verdict_file(table)) == str(real)
    is_root = any(os.path.lexists(told / name) for name in _MARKS)
    return told if told != own and (is_in_place or is_root) else None


def place_at(root: Path) -> ProjectRoot:
    """Return the project at a given root, with pytest's settings there.

    Raises:
        InputError: a settings file cannot be read.
    """
    return ProjectRoot(root=root, settings=place_from(root).settings)


def verdicts_below(root: Path) -> Iterator[Path]:
    """Yield the verdicts of projects one or two levels below a root."""
    for folder in sorted({*root.glob("[!.]*/"), *root.glob("[!.]*/[!.]*/")}):
        if any((folder / name).is_file() for name in _MARKS):
            with suppress(InputError, OSError):
                file = place_at(folder).verdict_file(read_table(folder))
                if file.is_file() and file.is_relative_to(folder):
                    yield file


def place_from(started: Path) -> ProjectRoot:
    """Find the project around a folder, by the rules of pytest.

    Raises:
        InputError: a settings file cannot be read.
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
"""The files that pytest looks for in each folder, in order; the first about pytest counts."""

_MARKS = (*_FILES, "setup.py", "gate.lock")
"""Files that mark a folder as a possible root of a project."""
