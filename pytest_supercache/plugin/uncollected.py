"""Finds scenario files and explored tests that pytest did not collect, and their excuses.

Settings of pytest are about tests in general, and some are defaults that no user has written
(``norecursedirs``), so a file of ours that they leave out is named. Only a setting about such
files, or an option of this run, excuses one. A module is one of ours if its text names this
package: it is not imported. A YAML file of another name counts if its text is that of a scenario.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from os import path as paths_of_os
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.inputs import InputError, read_bytes
from pytest_supercache.plugin.arguments import given_paths
from pytest_supercache.plugin.copies import imported_files
from pytest_supercache.plugin.items import is_test_module, selecting
from pytest_supercache.plugin.project_table import names_in
from pytest_supercache.plugin.unimported import (
    NAME,
    files_imported_by,
    has_explored_tests,
    is_among_tests,
)
from pytest_supercache.scenario.names import (
    is_scenario_file,
    is_text_of_scenario,
    may_be_misnamed,
)
from pytest_supercache.scenario.walk import ENTRIES_MAX, FoundFiles, find_files

SETTING = "uncollected"
"""The setting for paths whose scenario files are left out on purpose."""

_CHUNK = 500  # paths that git is asked about at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncollected:
    """The files that were not collected, by excuse."""

    unexplained: tuple[str, ...] = ()  # nobody has said that it is left out
    ignored_by_git: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # by the command line
    named: tuple[str, ...] = ()  # the setting
    outside: tuple[str, ...] = ()  # links that leave the root, behind which nothing was collected

    def part(self) -> dict[str, list[str]]:
        """Return the part of ``verdict.json`` about them."""
        return {
            "uncollected": list(self.unexplained),
            "uncollected_ignored": list(self.ignored_by_git),
            "uncollected_left_out": list(self.left_out),
            "uncollected_named": list(self.named),
            "uncollected_outside": list(self.outside),
        }


@dataclass(slots=True)
class ScenarioFiles:
    """The scenario files of a run: those that exist, and those that were collected."""

    config: pytest.Config
    named: tuple[str, ...]
    found: FoundFiles = field(default_factory=FoundFiles)

    @classmethod
    def of(cls, config: pytest.Config, project: dict[str, Any]) -> "ScenarioFiles":
        """Read the setting for paths that are left out on purpose.

        Raises:
            UsageError: the setting is no list of paths.
        """
        return cls(config, names_in(project, SETTING, "paths from the root, as in ['build']"))

    def look(self) -> None:
        """List the files, before any test makes more."""
        given = given_paths(self.config)
        self.found = self._find(given)

    def _find(self, paths: Iterable[Path]) -> FoundFiles:
        """Find scenario files; a folder counts once for each set of conftests above it."""
        way_to = _Conftests().__getitem__
        return find_files(paths, self.config.rootpath, self._is_wanted, self._is_named, way_to)

    def _is_wanted(self, name: str) -> bool:
        """Say whether a file of this name may have scenarios or explored tests."""
        is_described = self.config.getoption("supercache_describe") is not None  # without tests
        if is_scenario_file(name) or may_be_misnamed(name):
            return True
        return not is_described and name.lower().endswith(".py")

    def uncollected(self, collected: Iterable[str]) -> Uncollected:
        """Return the files that are not among the ``collected`` ones."""
        known = set(map(Path, collected))
        self._look_outside(known)
        started = self.config.invocation_params.dir
        above = Path(paths_of_os.commonpath([started, self.config.rootpath]))
        lost = [path for path in self.found.files if path not in known and self._has_ours(path)]
        lost = list(self._that_nobody_imports(lost, known))
        lost = [*_originals(lost, known, above), *self.found.unread]
        left_out = self._left_out_today(lost)
        rest = [path for path in lost if path not in left_out]
        ignored = self._ignored_by_git(rest)
        unexplained = [self._shown(path) for path in rest if path not in ignored]
        if not self.found.is_whole:
            unexplained.append(f"what lies beyond {ENTRIES_MAX} files and folders")
        return Uncollected(
            unexplained=tuple(sorted(unexplained)),
            ignored_by_git=tuple(sorted(map(self._shown, ignored))),
            left_out=tuple(sorted(map(self._shown, left_out))),
            named=self.named,
            outside=tuple(map(self._shown, self.found.outside)),
        )

    def _has_ours(self, path: Path) -> bool:
        """Say whether a file has scenarios by its name or text, or a module explored tests.

        A module of tests only has to name this package; one that is not named like tests has to
        define some, in a place where these are.
        """
        if is_scenario_file(path.name):
            return True
        if may_be_misnamed(path.name):
            return is_text_of_scenario(_content(path) or b"")
        if is_test_module(self.config, path.name):
            return NAME in (_content(path) or b"")
        return is_among_tests(path, self.config.rootpath) and has_explored_tests(path)

    def _that_nobody_imports(self, lost: list[Path], collected: set[Path]) -> Iterator[Path]:
        """Yield the files but for modules whose tests another module takes over by its imports."""
        helpers = {path for path in lost if path.name.lower().endswith(".py")}
        helpers = {path for path in helpers if not is_test_module(self.config, path.name)}
        modules = [path for path in collected if path.suffix == ".py"] if helpers else []
        root = self.config.rootpath
        loaded = set(map(paths_of_os.realpath, imported_files() if helpers else ()))
        imported = {str(file) for path in modules for file in files_imported_by(path, root)}
        imported = {paths_of_os.realpath(file) for file in imported}
        if any(paths_of_os.realpath(path) in loaded for path in modules):  # not so in a controller
            imported &= loaded  # an import that was never made takes over nothing
        for path in lost:
            if path not in helpers or paths_of_os.realpath(path) not in imported:
                yield path

    def _look_outside(self, collected: Iterable[Path]) -> None:
        """Search behind links that leave the root, if pytest has collected something there."""
        looked_behind = set[str]()
        while used := [
            link
            for link in self.found.outside
            if any(path.is_relative_to(link) for path in collected)
        ]:
            more = self._find(used)
            looked_behind |= {paths_of_os.realpath(link) for link in used}
            self.found = FoundFiles(
                files=(*self.found.files, *more.files),
                unread=(*self.found.unread, *more.unread),
                outside=tuple(
                    link
                    for link in (*self.found.outside, *more.outside)
                    if paths_of_os.realpath(link) not in looked_behind
                ),
                is_whole=self.found.is_whole and more.is_whole,
            )

    def _is_named(self, path: Path) -> bool:
        shown = self._shown(path)
        return any(fnmatch(shown, pattern.rstrip("/")) for pattern in self.named)

    def _shown(self, path: Path) -> str:
        """Return a path from the root."""
        return Path(paths_of_os.relpath(path, self.config.rootpath)).as_posix()

    def _left_out_today(self, lost: list[Path]) -> set[Path]:
        """Return the files that options of this command line leave out: the scope names these."""
        found, here = set[Path](), self.config.invocation_params.dir
        for words in selecting(self.config):
            flag, _, value = words.partition("=")
            if flag == "--lf":
                return set(lost)
            if flag == "-o norecursedirs":
                patterns = self.config.getini("norecursedirs")
                found |= {path for path in lost if self._is_passed_over(path, patterns)}
            if flag in {"--ignore", "--ignore-glob"}:
                pattern = paths_of_os.normpath(here / value)
                found |= {path for path in lost if _matches(path, pattern, flag)}
        return found

    def _is_passed_over(self, path: Path, patterns: list[str]) -> bool:
        """Say whether a path lies in a folder that matches ``norecursedirs`` patterns."""
        folders = [one for one in path.parents if one != self.config.rootpath]
        return any(
            fnmatch(str(one), f"*/{pattern}") if "/" in pattern else fnmatch(one.name, pattern)
            for one in folders
            if one.is_relative_to(self.config.rootpath)
            for pattern in patterns
        )

    def _ignored_by_git(self, lost: list[Path]) -> set[Path]:
        """Return the files that git ignores and does not track: products of the project."""
        if not lost:
            return set()
        from pytest_supercache.gate.git import git

        root, ignored = self.config.rootpath, set[str]()
        names = {paths_of_os.realpath(path): path for path in lost}  # it looks behind no link
        for start in range(0, len(names), _CHUNK):
            asked = list(names)[start : start + _CHUNK]
            said = git(root, "-c", "core.quotePath=off", "check-ignore", "-v", "--", *asked)
            ignored |= set(_ignored_by_project(said or ""))
        return {path for name, path in names.items() if name in ignored}


def _ignored_by_project(said: str) -> Iterator[str]:
    """Yield the paths that a `.gitignore` file ignores; rules of this clone excuse nothing."""
    for line in said.splitlines():
        rule, _, path = line.partition("\t")
        source, _, pattern = rule.split(":", 2)
        if Path(source).name == ".gitignore" and not pattern.startswith("!"):
            yield path


def _matches(path: Path, pattern: str, flag: str) -> bool:
    if flag == "--ignore":
        return path.is_relative_to(pattern)
    return any(fnmatch(str(one), pattern) for one in (path, *path.parents))


def _originals(lost: Iterable[Path], collected: Iterable[Path], root: Path) -> Iterator[Path]:
    """Yield the lost files that are neither copies of collected files nor links to them.

    A copy has the same id and runs the same systems, because the conftest files of its folders have
    the same contents. A file with ``include`` is a copy if the included files are equal, too.
    """
    lost, originals, conftests = sorted(lost), dict[bytes | None, list[Path]](), _Conftests()
    for path in sorted(collected) if lost else ():
        originals.setdefault(_content(path), []).append(path)
    for path in lost:
        content = _content(path)
        same = () if content is None else originals.get(content, ())
        if not any(
            conftests[path.parent] == conftests[one.parent]
            and _says(path, root) == _says(one, root)
            for one in same
        ):
            yield path


class _Conftests(dict[Path, tuple[bytes, ...]]):
    """The contents of the conftest files of a folder and its parents, from the top, each once.

    Links are not resolved, because pytest resolves none when it looks for conftest files.
    """

    def __missing__(self, folder: Path) -> tuple[bytes, ...]:
        above = () if folder.parent == folder else self[folder.parent]
        path = folder / "conftest.py"
        own = (_content(path) or bytes(path),) if path.is_file() else ()
        self[folder] = said = tuple(dict.fromkeys((*above, *own)))
        return said


def _content(path: Path) -> bytes | None:
    try:
        return read_bytes(path)
    except (InputError, OSError):
        return None


def _says(path: Path, root: Path) -> tuple[bytes, ...]:
    """Return what a scenario file includes; a module has all that it says in its own text."""
    if not (is_scenario_file(path.name) or may_be_misnamed(path.name)):
        return ()
    from pytest_supercache.play.vocabulary import built_in_words
    from pytest_supercache.scenario.validate import everything_in

    return everything_in(path, built_in_words(), root)
