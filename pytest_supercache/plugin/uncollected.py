"""Scenario files below the paths of a run that pytest did not collect, and why that may be fine.

Settings of pytest are about tests in general, and some of them nobody has written
(``norecursedirs``); so a scenario file that they leave out is named. Only what somebody has said
about scenario files, or for this run, is an answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from os import path as paths_of_os
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.inputs import InputError, read_bytes
from pytest_supercache.core.masking import quoted
from pytest_supercache.plugin.arguments import given_paths
from pytest_supercache.plugin.items import selecting
from pytest_supercache.scenario.walk import ENTRIES_MAX, FoundFiles, find_scenario_files

SETTING = "uncollected"
"""The setting that names paths whose scenario files are not collected, on purpose."""

_CHUNK = 500  # paths that git is asked about at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncollected:
    """What was not collected."""

    unexplained: tuple[str, ...] = ()  # nobody has said that it is left out
    ignored_by_git: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # by the command line
    named: tuple[str, ...] = ()  # the setting
    outside: tuple[str, ...] = ()  # links that leave the root, behind which nothing was collected

    def part(self) -> dict[str, list[str]]:
        """Return what ``verdict.json`` says of it."""
        return {
            "uncollected": list(self.unexplained),
            "uncollected_ignored": list(self.ignored_by_git),
            "uncollected_left_out": list(self.left_out),
            "uncollected_named": list(self.named),
            "uncollected_outside": list(self.outside),
        }


@dataclass(slots=True)
class ScenarioFiles:
    """The scenario files of a run: those that are there, and what was collected of them."""

    config: pytest.Config
    named: tuple[str, ...]
    found: FoundFiles = field(default_factory=FoundFiles)

    @classmethod
    def of(cls, config: pytest.Config, project: dict[str, Any]) -> "ScenarioFiles":
        """Read the setting.

        Raises:
            UsageError: it is no list of paths.
        """
        given = project.get(SETTING, [])
        if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
            raise pytest.UsageError(
                f"[tool.supercache] {SETTING} = {quoted(given)}: expected paths from the root, as "
                "in ['build']"
            )
        return cls(config, tuple(given))

    def look(self) -> None:
        """See which files there are, before any test makes more."""
        given = given_paths(self.config)
        self.found = self._find(given)

    def _find(self, paths: Iterable[Path]) -> FoundFiles:
        """Look below paths; other conftest files on the way make another folder of the same one."""
        way_to = _Conftests().__getitem__
        return find_scenario_files(paths, self.config.rootpath, self._is_named, way_to)

    def uncollected(self, collected: Iterable[str]) -> Uncollected:
        """Return which of them are not among the files that were ``collected``."""
        known = set(map(Path, collected))
        self._look_outside(known)
        started = self.config.invocation_params.dir
        above = Path(paths_of_os.commonpath([started, self.config.rootpath]))
        lost = [*_originals(set(self.found.files) - known, known, above), *self.found.unread]
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

    def _look_outside(self, collected: Iterable[Path]) -> None:
        """Look behind links that leave the root where pytest has gone, and found something."""
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
        """Write a path from the root."""
        return Path(paths_of_os.relpath(path, self.config.rootpath)).as_posix()

    def _left_out_today(self, lost: list[Path]) -> set[Path]:
        """Return what the command line of this run leaves out: the scope names its words."""
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
        """Say whether a path lies in a folder that pytest passes over by these patterns."""
        folders = [one for one in path.parents if one != self.config.rootpath]
        return any(
            fnmatch(str(one), f"*/{pattern}") if "/" in pattern else fnmatch(one.name, pattern)
            for one in folders
            if one.is_relative_to(self.config.rootpath)
            for pattern in patterns
        )

    def _ignored_by_git(self, lost: list[Path]) -> set[Path]:
        """Return what git ignores and does not have: no part of the project, but built from it."""
        if not lost:
            return set()
        from pytest_supercache.gate.git import git

        root, ignored = self.config.rootpath, set[str]()
        names = {paths_of_os.realpath(path): path for path in lost}  # it looks behind no link
        for start in range(0, len(names), _CHUNK):
            asked = list(names)[start : start + _CHUNK]
            said = git(root, "-c", "core.quotePath=off", "check-ignore", "--", *asked)
            ignored |= set((said or "").splitlines())
        return {path for name, path in names.items() if name in ignored}


def _matches(path: Path, pattern: str, flag: str) -> bool:
    if flag == "--ignore":
        return path.is_relative_to(pattern)
    return any(fnmatch(str(one), pattern) for one in (path, *path.parents))


def _originals(lost: Iterable[Path], collected: Iterable[Path], root: Path) -> Iterator[Path]:
    """Leave out copies of files that were collected, and links to them.

    A copy has the same id, and would run the same systems: the conftest files of its folders say
    the same. A file that names others (``include``) is a copy if those say the same, too.
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
    """What the conftest files of a folder and of those above it say, from the top; each text once.

    Links are not followed, as pytest follows none when it looks for them.
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
    from pytest_supercache.play.vocabulary import built_in_words
    from pytest_supercache.scenario.validate import everything_in

    return everything_in(path, built_in_words(), root)
