"""Finds modules that were imported from an outdated copy of the project: installed, or compiled.

What pip installs from a folder, or from a package that was built of it, is a copy, which knows its
project. A later change of the project changes no copy, and a test imports the copy all the same. A
compiled module cannot be compared, but it must be no older than its source.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from glob import escape
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname
from zipfile import BadZipFile, ZipFile

from pytest_supercache.core.folders import PACKAGES, is_in_packages, is_installed, real_path
from pytest_supercache.core.inputs import InputError, parse_json, parse_toml, read_bytes, read_text
from pytest_supercache.gate.git import ask

PACKAGED = ("pyproject.toml", "setup.py", "setup.cfg")
"""Files of a folder whose modules may be installed from it."""

_COMPILED = (*EXTENSION_SUFFIXES, ".pyc")
_SOURCES = (".py", ".pyx")
_NAME = re.compile(r"(?:^|[(,])\s*name\s*=\s*[\"']?([\w.-]+)", re.MULTILINE)
_PRODUCTS = frozenset({
    "build", "_build", "dist", "out", "target", "bazel-bin", "bazel-out", "__pypackages__",
    ".build", ".eggs", ".nox", ".tox",
})  # fmt: skip
"""Folders that a project is built into."""
_BUILT = _PRODUCTS | PACKAGES | {"node_modules", "__pycache__"}
_DEPTH_MAX = 3
_FOLDERS_MAX = 10_000
"""How far below the root projects are looked for."""
_DATA_MAX = 500
"""The most files of a package that are compared although they are no code."""

Outdated = tuple[str, str, str]
"""A file of the project, what was imported in its place, and what that is."""


def outdated(root: str, top: str) -> Iterator[Outdated]:
    """Yield the modules of the project whose outdated copies were imported.

    Args:
        root: the root of the run.
        top: the folder of the repository, whose other projects may be installed, too.
    """
    for known in (_project_of, _archive_of):
        known.cache_clear()
    files = imported_files()
    projects = _projects(Path(root))
    yield from _in_packages(projects, top, files)
    yield from _in_checkouts_beside(projects, root, files)
    for file in files:
        if _is_below(file, root) and _BUILT.isdisjoint(Path(file).relative_to(root).parts):
            yield from _behind(Path(file))
        real = real_path(file)
        if _is_below(real, top) and not is_in_packages(real):
            yield from _built_before(Path(real), top)


def _in_packages(projects: list[Path], top: str, files: set[str]) -> Iterator[Outdated]:
    """Yield the imported modules of packages that were made of a project of the repository."""
    for copy in distributions():
        source = _installed_from(copy)
        if source is not None and source.is_relative_to(top) and not _is_editable(copy):
            yield from _outdated_in(source, copy, files)
    for project in projects:
        with suppress(PackageNotFoundError, ValueError):
            copy = distribution(_name_of(project))
            source = _installed_from(copy)
            if source in {None, project}:
                yield from _other_entry_points(project, copy)
            if source is None:
                yield from _outdated_in(project, copy, files)
            elif source != project and _is_editable(copy):
                yield from _of_another_checkout(project, source, files)


def _direct(copy: Distribution) -> dict[str, Any]:
    """Return what an installer noted of the place that a package was installed from (PEP 610)."""
    with suppress(OSError, InputError, ValueError):
        said = parse_json(copy.read_text("direct_url.json") or "{}")
        return said if isinstance(said, dict) else {}
    return {}


def _is_editable(copy: Distribution) -> bool:
    return bool(_value(_direct(copy).get("dir_info"), "editable"))


def _installed_from(copy: Distribution) -> Path | None:
    """Return the folder that a package was installed from; None: from something else."""
    said = _direct(copy)
    url = urlparse(str(said.get("url", "")))
    if url.scheme != "file" or not isinstance(said.get("dir_info"), dict):
        return None
    return Path(os.path.realpath(url2pathname(url.path)))


def _projects(root: Path) -> list[Path]:
    """Return the folders of projects at the root, and not far below it."""
    found, waiting, seen = list[Path](), [(root, 0)], 0
    while waiting and seen < _FOLDERS_MAX:
        folder, depth = waiting.pop(0)
        seen += 1
        if any((folder / name).is_file() for name in PACKAGED):
            found.append(folder)
        if depth < _DEPTH_MAX:
            waiting += [(one, depth + 1) for one in _folders_in(folder)]
    return found


def _folders_in(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [
            Path(entry.path)
            for entry in sorted(entries, key=lambda entry: entry.name)
            if entry.is_dir(follow_symlinks=False)
            and not (entry.name.startswith(".") or entry.name in _BUILT)
        ]
    return []


def _name_of(project: Path) -> str:
    """Return the name under which a project is installed; "" if it is not told."""
    with suppress(OSError, InputError, ValueError):
        settings = parse_toml(read_text(project / PACKAGED[0]))
        for table in (settings, settings.get("tool", {})):
            for part in ("project", "poetry", "flit"):
                if name := _value(_value(table, part), "name"):
                    return str(name)
    for file in PACKAGED[1:]:
        with suppress(OSError, InputError):
            if told := _NAME.search(read_text(project / file)):
                return told[1]
    return ""


def _value(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, dict) else None


def _outdated_in(source: Path, copy: Distribution, files: set[str]) -> Iterator[Outdated]:
    """Yield the imported modules of a package, and its data, that are not what its project has."""
    installed = os.path.realpath(str(copy.locate_file("")))
    own = {str(one) for one in copy.files or ()}
    places = {Path(os.path.relpath(real_path(file), installed)).as_posix(): file for file in files}
    imported = {within: places[within] for within in places.keys() & own}
    data = {within: f"{installed}{os.sep}{within}" for within in _data_of(own, imported)}
    for within, file in (imported | data).items():
        sources = list(_sources(source, within))
        if sources and all(_is_outdated(Path(real_path(file)), one) for one in sources):
            yield str(sources[0]), file, " which is installed,"
        elif not sources and within in imported and _was_removed(source, within):
            yield str(source / within), file, " which is installed, and was removed here,"


def _data_of(own: set[str], imported: Iterable[str]) -> list[str]:
    """Return the files of a package that are no code, if any of its modules was imported."""
    folders = {within.partition("/")[0] for within in imported}
    code = (*_SOURCES, *_COMPILED, ".pyi", ".pth", "py.typed")
    data = (one for one in sorted(own) if "/" in one and not one.endswith(code))
    return [one for one in data if one.partition("/")[0] in folders][:_DATA_MAX]


def _was_removed(source: Path, within: str) -> bool:
    """Say whether git knows that the project has had a file; what a build makes, it has not."""
    pattern = f":(glob)**/{escape(within)}"
    asked = ask(source, "log", "-1", "--format=%h", "--diff-filter=D", "--", pattern)
    return bool(asked.text)


def _other_entry_points(project: Path, copy: Distribution) -> Iterator[Outdated]:
    """Yield the settings of a project whose entry points are not those that are installed.

    Scripts are passed over: no code looks for them.
    """
    told: Any = {}
    with suppress(OSError, InputError, ValueError):
        told = _value(
            _value(parse_toml(read_text(project / PACKAGED[0])), "project"), "entry-points"
        )
    tables = told.items() if isinstance(told, dict) else ()
    for group, names in ((group, names) for group, names in tables if isinstance(names, dict)):
        known = {one.name: one.value for one in copy.entry_points if one.group == group}
        if known != {name: str(value).replace(" ", "") for name, value in names.items()}:
            file = f"{copy.locate_file('')}/entry_points.txt of {copy.name}"
            yield str(project / PACKAGED[0]), file, " which is installed,"
            return


def _of_another_checkout(project: Path, other: Path, files: set[str]) -> Iterator[Outdated]:
    """Yield the imported modules of another checkout that are not what this one has."""
    for file in map(real_path, files):
        if _is_below(file, str(other)) and not _is_below(file, str(project)):
            own = project / Path(file).relative_to(other)
            if own.is_file() and _is_outdated(Path(file), own):
                yield str(own), file, " which is installed,"


def _in_checkouts_beside(projects: list[Path], root: str, files: set[str]) -> Iterator[Outdated]:
    """Yield the imported modules of other checkouts, which nothing but a path leads to."""
    if not projects:
        return  # else each folder of thousands of modules would be looked at
    real = map(real_path, files)
    beside = [one for one in real if not (_is_below(one, root) or is_installed(one))]
    others = {found for one in beside if (found := _project_of(Path(one).parent)) is not None}
    for other in others:
        for project in projects:
            if _known_by(project) == _known_by(other):
                yield from _of_another_checkout(project, other, files)


def _known_by(project: Path) -> str | list[bytes | None]:
    """Return what two checkouts of a project have in common: its name, else its settings."""
    return _name_of(project) or [_content(project / name) for name in PACKAGED]


@cache
def _project_of(folder: Path) -> Path | None:
    """Return the innermost folder of a project that a folder is, or lies in."""
    if any((folder / name).is_file() for name in PACKAGED):
        return folder
    return None if folder.parent == folder else _project_of(folder.parent)


def _built_before(file: Path, top: str) -> Iterator[Outdated]:
    """Yield the source of a module that was imported from what a project was built into."""
    archive = _archive_of(file.parent)
    below = [one for one in file.parents if one.is_relative_to(top) and str(one) != top]
    products = [one for one in below if one.name in _PRODUCTS]
    product = products[-1] if products else archive
    project = None if product is None else _project_of(product.parent)
    if project is not None:
        within = Path(os.path.relpath(file, _folder_on_path(file))).as_posix()
        sources = [one for one in _sources(project, within) if _is_found_as(one, within)]
        if sources and all(_is_outdated(file, one) for one in sources):
            yield str(sources[0]), str(file), " which was built before,"


def _is_found_as(source: Path, within: str) -> bool:
    """Say whether a file is imported by this path: not as a part of a package around it."""
    folder = source.parents[Path(within).as_posix().count("/")]
    return not (folder / "__init__.py").exists() and folder.name not in {"test", "tests"}


@cache
def _archive_of(folder: Path) -> Path | None:
    """Return the file that a folder is in; None: there is none."""
    return next((one for one in (folder, *folder.parents) if one.is_file()), None)


def _folder_on_path(file: Path) -> Path:
    """Return the folder on the way to a module that it was imported from."""
    searched = set(map(os.path.realpath, sys.path))
    return next((one for one in file.parents if str(one) in searched), file.parent)


def _sources(project: Path, within: str) -> Iterator[Path]:
    """Yield the files of a project that a file of its package may have been made of."""
    names = [within]
    for suffix in _COMPILED:
        if within.endswith(suffix):
            names = [f"{within.removesuffix(suffix)}{one}" for one in _SOURCES]
            break
    for name in names:
        for pattern in ("", "*/", "*/*/"):
            for path in sorted(project.glob(f"{pattern}{escape(name)}")):
                parts = path.relative_to(project).parts
                if not (_BUILT & set(parts) or any(part.startswith(".") for part in parts)):
                    yield path


def _is_outdated(copy: Path, source: Path) -> bool:
    if copy.name.endswith(_COMPILED):
        return _written_at(source) > _written_at(copy)
    return _content(copy) != _content(source)


def _behind(file: Path) -> Iterator[Outdated]:
    """Yield the source of a module that was imported compiled, or of which there is a package."""
    stem = file.name.partition(".")[0]
    if file.name.endswith(tuple(EXTENSION_SUFFIXES)):
        sources = [file.with_name(f"{stem}{suffix}") for suffix in _SOURCES]
        changed = [one for one in sources if one.is_file() and _is_outdated(file, one)]
        yield from ((str(one), str(file), " which was compiled before,") for one in changed)
    if file.name == "__init__.py":
        module = file.parent.with_name(f"{file.parent.name}.py")
        if b"def " in (_content(module) or b"") and _content(module) != _content(file):
            yield str(module), str(file), ""


def _written_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _content(path: Path) -> bytes | None:
    """Return the text of a file, which an archive may have; None: it cannot be read."""
    archive = _archive_of(path.parent)
    with suppress(OSError, InputError, KeyError, BadZipFile):
        if archive is None:
            return read_bytes(path)
        with ZipFile(archive) as members:
            return members.read(path.relative_to(archive).as_posix())
    return None


def imported_files() -> set[str]:
    """Return the files of the modules that this process has imported."""
    files = map(file_of, sys.modules.copy().values())
    return {file for file in files if file is not None}


def _is_below(file: str, folder: str) -> bool:
    return file.startswith(f"{folder.rstrip(os.sep)}{os.sep}")


def file_of(module: object) -> str | None:
    """Return the file of a module; None: it has none."""
    if type(module) is ModuleType:  # almost all of thousands
        members = module.__dict__
    else:
        from pytest_supercache.runtime.kernel.under_test import members_of

        members = members_of(module)
    file = members.get("__file__")
    return file if isinstance(file, str) else None
