"""Collects the source lines of steps, each once: where they are, and the code around them.

No path of the machine gets into a report: a file of the project is named from its root, a library's
from the folder where packages are installed, anything else by its name alone.
"""

import linecache
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from textwrap import dedent

from pytest_supercache.core.folders import PACKAGES
from pytest_supercache.core.masking import masked
from pytest_supercache.core.trace import SourceLine
from pytest_supercache.report.plain import Plain, plain

AROUND = 3
"""How many lines are shown before and after."""

CODE_MAX = 160
"""The most characters of a line of code."""


class Sources:
    """The lines that the steps of one counterexample name by their number.

    Args:
        root: the folder from which files of the project are named; None: it is not known.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._numbers: dict[SourceLine, int] = {}

    def numbers(self, lines: Sequence[SourceLine]) -> list[Plain]:
        """Return the numbers of lines; new ones are added."""
        return [self._numbers.setdefault(line, len(self._numbers)) for line in lines]

    @property
    def rows(self) -> list[Plain]:
        """Each line as JSON-safe data, at its number."""
        return [self._row(line) for line in self._numbers]

    def _row(self, source: SourceLine) -> Plain:
        first, code = max(1, source.line - AROUND), list[str]()
        with suppress(ValueError):  # a name that no file of this system can have
            code = linecache.getlines(source.file)[first - 1 : source.line + AROUND]
        return plain(
            {
                "path": path_shown(masked(source.file), self._root),
                "line": source.line,
                "function": source.function,
                "first": first,
                "code": [line.rstrip()[:CODE_MAX] for line in dedent("".join(code)).splitlines()],
            }
        )


def path_shown(file: str, root: Path | None) -> str:
    """Return the path of a file as a report names it."""
    path = PurePath(file)
    for at, part in enumerate(path.parts):
        if part in PACKAGES:
            return PurePath(*path.parts[at + 1 :]).as_posix()
    if root is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return path.name
