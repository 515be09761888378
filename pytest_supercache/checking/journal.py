"""Keeps what the parts of a divided search have found, so that a later run can go on from there.

A search that is divided after the same number of runs, with the same knowledge of the code, has the
same frontier. What was taken in since, in the same order, leads to the frontier that was lost.
"""

import fcntl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from pytest_supercache.checking.reduction_check import Tally
from pytest_supercache.checking.runner import Observations
from pytest_supercache.core.inputs import InputError
from pytest_supercache.core.plain import read_plain, write_plain
from pytest_supercache.search.frontier import Explored, Leaf

JOURNAL_BYTES_MAX = 64 << 20
"""The size at which a journal grows no more: what comes later is executed again."""

STORE_BYTES_MAX = 512 << 20
"""The size that all journals of a folder may have together; the oldest ones go first."""

SUFFIX = ".journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """The moment at which a search was divided."""

    runs: int
    """How many runs it had begun."""
    known: str
    """A digest of what it knew of the code under test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A part that was taken in."""

    leaves: tuple[Leaf, ...]
    explored: tuple[Explored, ...]
    tally: Tally
    observations: Observations


class Journal:
    """The journal of one search, in a file that no other process writes meanwhile.

    Each line begins with a digest of the rest. What follows a line that is not whole, because its
    process was killed, is cut off.

    Args:
        path: of the file; there need not be one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._lines = list[str]()

    def open(self) -> bool:
        """Read what is there; say whether this journal can be written, by this process alone."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = file = self._path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            self._file = None
            return False
        file.seek(0)
        for line in file.read(JOURNAL_BYTES_MAX).splitlines(keepends=True):
            text = _text_of(line)
            if text is None:
                break
            self._lines.append(text)
        self._cut(len(self._lines))
        return True

    @property
    def division(self) -> Division | None:
        """When the search was divided; None: the journal is empty."""
        with suppress(InputError):
            return read_plain(Division, self._lines[0]) if self._lines else None
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._cut(0)

    def begin(self, division: Division) -> None:
        """Forget everything, and begin with a division."""
        self._cut(0)
        self._write(write_plain(division))

    def entries(self) -> Iterator[Entry]:
        """Yield the parts in the order in which they were taken in.

        What follows a part that cannot be read is cut off.
        """
        for at, text in enumerate(self._lines[1:], start=1):
            try:
                entry = read_plain(Entry, text)
            except InputError:
                self._cut(at)
                return
            yield entry

    def cut(self, entries: int) -> None:
        """Forget all parts but the first ones."""
        self._cut(1 + entries)

    def add(self, entry: Entry) -> None:
        """Keep a part, unless the journal is full."""
        self._write(write_plain(entry))

    def end(self) -> None:
        """Forget everything: the search is over."""
        self.clear()
        self.close()

    def close(self) -> None:
        """Leave it for another run; one that has nothing leaves no file."""
        if self._file is not None:
            if not self._lines:
                self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _write(self, text: str) -> None:
        data = text.encode("ascii")
        line = _digest(data) + b" " + data + b"\n"
        if self._file is None or self._file.tell() + len(line) > JOURNAL_BYTES_MAX:
            return
        self._file.write(line)
        self._file.flush()
        self._lines.append(text)

    def _cut(self, lines: int) -> None:
        del self._lines[lines:]
        if self._file is not None:
            size = sum(_DIGEST_LENGTH + 2 + len(line) for line in self._lines)
            self._file.truncate(size)
            self._file.seek(size)


_DIGEST_LENGTH = 16


def _digest(data: bytes) -> bytes:
    return sha256(data).hexdigest()[:_DIGEST_LENGTH].encode()


def _text_of(line: bytes) -> str | None:
    """Return the text of a line; None: it is not as it was written."""
    digest, _, data = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or digest != _digest(data):
        return None
    with suppress(UnicodeDecodeError):
        return data.decode("ascii")
    return None


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
