"""Finds scenario files, or others, below some paths, whether or not pytest collects them.

Folders of version control, virtual environments and installed packages are skipped; links that
leave the root are reported and not followed. The walk ends after a number of entries, so that the
same tree gives the same result on every machine.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_supercache.core.inputs import InputError, read_text
from pytest_supercache.scenario.names import is_hidden_link

ENTRIES_MAX = 500_000
"""The most files and folders that are visited; these take about two seconds."""

_NOT_OURS = {".git", ".hg", ".svn", ".bzr", ".jj"}
_INTERPRETERS = ("bin/python", "Scripts/python.exe", "conda-meta/history")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """The files below some paths, and what could not be visited."""

    files: tuple[Path, ...] = ()  # what has such a name, whatever it is
    unread: tuple[Path, ...] = ()  # folders that cannot be listed
    outside: tuple[Path, ...] = ()  # links to folders that are not below the root nor the paths
    is_whole: bool = True  # False: there were more than ENTRIES_MAX entries


def find_files(
    paths: Iterable[Path],
    root: Path,
    is_wanted: Callable[[str], bool],
    is_left_out: Callable[[Path], bool],
    way_to: Callable[[Path], Hashable] = lambda _: None,
) -> FoundFiles:
    """Find files below ``paths`` by their names; paths that ``is_left_out`` are not entered.

    A folder that links lead to is entered once for each distinct ``way_to`` it.
    """
    files, unread, outside = dict[Path, None](), list[Path](), list[Path]()
    paths = list(paths)
    bases = [Path(os.path.realpath(base)) for base in (root, *paths)]
    folders, looked_at = [path for path in paths if path.is_dir()], 0
    seen = set[tuple[str, Hashable]]()
    files |= {path: None for path in paths if is_wanted(path.name)}
    while folders:
        folder = folders.pop()
        real = os.path.realpath(folder)
        visit = (real, way_to(folder))
        if visit in seen:
            continue
        seen.add(visit)
        if not any(Path(real).is_relative_to(base) for base in bases):
            outside.append(folder)
            continue
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            unread.append(folder)
            continue
        looked_at += len(entries)
        if looked_at > ENTRIES_MAX:
            return FoundFiles(files=tuple(files), unread=tuple(unread), is_whole=False)
        kept = list(_kept(entries, is_wanted, is_left_out))
        files |= {path: None for path, _ in kept if is_wanted(path.name)}
        folders += [path for path, is_folder in kept if is_folder]
    return FoundFiles(
        files=tuple(sorted(files)), unread=tuple(sorted(unread)), outside=tuple(sorted(outside))
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _kept(
    entries: list[os.DirEntry[str]],
    is_wanted: Callable[[str], bool],
    is_left_out: Callable[[Path], bool],
) -> Iterator[tuple[Path, bool]]:
    """Yield the wanted files and folders among ``entries``, each with whether it is a folder."""
    has_packages = any(entry.name == "package.json" for entry in entries)
    for entry in entries:
        is_folder = _is_folder(entry)
        if not (is_folder or is_wanted(entry.name)) or entry.name in _NOT_OURS:
            continue
        path = Path(entry.path)
        is_installed = is_folder and (
            (entry.name == "node_modules" and has_packages)
            or _is_environment(path)
            or _is_linked_work_tree(path)
        )
        if not (is_installed or is_hidden_link(path) or is_left_out(path)):
            yield path, is_folder


def _is_environment(folder: Path) -> bool:
    """Say whether a folder is a Python environment, and does not only look like one to pytest."""
    has_mark = any(os.path.lexists(folder / name) for name in ("pyvenv.cfg", "conda-meta"))
    return has_mark and any(os.path.lexists(folder / name) for name in _INTERPRETERS)


def _is_linked_work_tree(folder: Path) -> bool:
    """Say whether a folder is a linked work tree of a repository (`git worktree add`).

    A repository inside of a repository, too, has a file ``.git``, but no common folder.
    """
    try:
        said = read_text(folder / ".git").removeprefix("gitdir:").strip()
        return (folder / said / "commondir").is_file()
    except (InputError, OSError, ValueError):
        return False
