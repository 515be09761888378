"""Finds code that this process imported before the run and whose file may have changed since.

A second run in one process (`pytest.main` twice, a notebook, a server that runs tests) imports
nothing anew: it would test what the files said then, and record what they say now.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_supercache.gate.always_on import top_of
from pytest_supercache.plugin.copies import file_of

_IMPORTED_AT = time.time_ns()
_STARTING_NS = 50_000_000  # after that, an interpreter may import the first file of a project


@dataclass(frozen=True, slots=True, kw_only=True)
class Preloaded:
    """The modules that were imported before a run, and when the process began, in nanoseconds."""

    names: frozenset[str]
    began: int

    @classmethod
    def now(cls) -> "Preloaded":
        """Return those that are imported by now; no conftest file may have frozen time yet."""
        return cls(names=frozenset(sys.modules), began=_process_began())

    def written_since(self, root: Path) -> list[str]:
        """Return the files that may have been written after their import, from the root.

        The time of an import is unknown; it was after the process began. Only files of the project
        and of the repository around it count.
        """
        base, own = os.path.realpath(top_of(root)), os.path.realpath(root)
        changed = {file for file in _files_of(self.names) if _changed_at(file) > self.began}
        files = {os.path.realpath(file) for file in changed}
        found = [file for file in files if file.startswith(f"{base}{os.sep}")]
        return sorted(Path(os.path.relpath(file, own)).as_posix() for file in found)


def _files_of(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if (file := file_of(sys.modules.get(name))) is not None:
            yield file


def _changed_at(file: str) -> int:
    """Return when a file was last changed, in nanoseconds; a file that is gone was changed."""
    try:
        found = os.stat(file)  # noqa: PTH116 - there are thousands, and a Path costs more than this
    except OSError:
        return sys.maxsize
    return found.st_mtime_ns if os.name == "nt" else found.st_ctime_ns


def _process_began() -> int:
    """Return when this process began, in nanoseconds; it may be a fork of one that has imported us.

    Without `/proc`, that is when this module was imported.
    """
    try:
        said = Path("/proc/self/stat").read_text()
        ticks = int(said.rpartition(")")[2].split()[19])
        seconds = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return _IMPORTED_AT
    return min(_IMPORTED_AT, time.time_ns() - int(seconds * 1e9) + _STARTING_NS)
