"""Keeps the lines of journals in files of a folder."""

import fcntl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

STORE_BYTES_MAX = 512 << 20
"""The size that all journals of a folder may have together; the oldest ones go first."""

SUFFIX = ".journal"


class FileLines:
    """The lines of a file that no other process writes meanwhile.

    A last line without an end, because its process was killed, is cut off.

    Args:
        path: of the file; there need not be one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._ends = [0]
        """Where each line begins, and the last one ends."""

    def open(self, most: int) -> Sequence[bytes] | None:
        """Return the lines, ``most`` bytes at most, or None if another process holds them."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        self._file = file
        file.seek(0)
        lines = file.read(most).split(b"\n")[:-1]
        for line in lines:
            self._ends.append(self._ends[-1] + len(line) + 1)
        self.cut(len(lines))
        return lines

    def append(self, line: bytes) -> None:
        """Keep one line more."""
        if self._file is not None:
            self._file.write(line + b"\n")
            self._file.flush()
            self._ends.append(self._file.tell())

    def cut(self, count: int) -> None:
        """Keep only the first lines."""
        del self._ends[count + 1 :]
        if self._file is not None:
            self._file.truncate(self._ends[-1])
            self._file.seek(self._ends[-1])

    def problem(self) -> str | None:
        """Return nothing: a file that cannot be written is an error at once."""

    def close(self) -> None:
        """Leave the file for another process; without a line, there is none."""
        if self._file is not None:
            if len(self._ends) == 1:
                self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def forget_oldest(folder: Path) -> None:
    """Remove the journals that were not written for longest, until the others are not too large."""
    found = list[tuple[float, int, Path]]()
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    left = STORE_BYTES_MAX
    for _, size, path in sorted(found, reverse=True):
        left -= size
        if left < 0:
            with suppress(OSError):
                path.unlink()
