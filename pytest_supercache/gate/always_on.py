"""Finds a project that has its gate always on, and whose settings a run would not read.

Which folder is pytest's root depends on arguments, options and ini files. A run that does not read
``gate = true`` would end with exit status 0 where the gate would have refused it.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_supercache.core.inputs import InputError
from pytest_supercache.gate.project_table import (
    KNOWN_ISSUES,
    LOCK,
    SETTINGS,
    is_of_the_gate,
    read_table,
)

FILES = (LOCK, KNOWN_ISSUES, SETTINGS)
"""The files that may have rules of a project."""
_REPOSITORIES = (".git", ".hg", ".svn", ".jj")


def is_on_around(root: Path, starts: Iterable[Path]) -> bool:
    """Say whether the gate is always on in a project around a root that is not its own.

    That is a folder on the way to one of ``starts``. One above the root counts only if the root has
    no rules of its own.
    """
    root = Path(os.path.realpath(root))
    ways = [between(root, Path(os.path.realpath(start))) for start in starts]
    folders = {*(folder for way in ways for folder in way), *above(root)} - {root}
    if has_rules(root):
        folders = {folder for folder in folders if not root.is_relative_to(folder)}
    return any(_is_on(folder) for folder in folders if folder.is_dir())


def above(root: Path) -> Iterator[Path]:
    """Yield the folders above a root, up to the top of its repository."""
    for folder in (root, *root.parents):
        if folder != root:
            yield folder
        if any(os.path.lexists(folder / name) for name in _REPOSITORIES):
            return


def top_of(root: Path) -> Path:
    """Return the top of the repository around a root; the root itself outside of any."""
    *_, top = (root, *above(root))
    return root if top == Path(top.anchor) else top


def between(root: Path, start: Path) -> Iterator[Path]:
    """Yield ``start`` and what is above it or the root, up to the first folder above both."""
    for end, other in ((start, root), (root, start)):
        for folder in (end, *end.parents):
            if folder != root:
                yield folder
            if other.is_relative_to(folder):
                break


def has_rules(root: Path) -> bool:
    """Say whether a folder has a file with rules, or one that cannot be read and may have some."""
    try:
        return any(is_of_the_gate(root / name) for name in FILES)
    except InputError:  # whoever reads it says so
        return True


def _is_on(folder: Path) -> bool:
    try:
        return bool(read_table(folder).get("gate"))
    except InputError:  # a gate run that may have to read it is refused
        return False
