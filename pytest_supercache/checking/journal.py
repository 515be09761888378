"""Keeps what the parts of a divided search have found, so that a later run can go on from there.

A search that is divided after the same number of runs, with the same knowledge of the code, has the
same frontier. What was taken in since, in the same order, leads to the frontier that was lost.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from pytest_supercache.checking.reduction_check import Tally
from pytest_supercache.checking.runner import Observations
from pytest_supercache.core.inputs import InputError
from pytest_supercache.core.plain import read_plain, write_plain
from pytest_supercache.search.frontier import Explored, Leaf

JOURNAL_BYTES_MAX = 64 << 20
"""The size at which a journal grows no more: what comes later is executed again."""


class KeptLines(Protocol):
    """Where the lines of one journal are kept; one process has them at a time."""

    def open(self, most: int, /) -> Sequence[bytes] | None:
        """Return the lines, ``most`` bytes at most, or None if another process holds them."""

    def append(self, line: bytes) -> None:
        """Keep one line more."""

    def cut(self, count: int) -> None:
        """Keep only the first lines."""

    def problem(self) -> str | None:
        """Return why lines could not be kept; None: they were."""

    def close(self) -> None:
        """Leave them for another process; without a line, nothing remains."""


class OthersLines:
    """The lines of a journal that another process has: none is read, and none is kept."""

    def open(self, _most: int, /) -> Sequence[bytes]:
        """Return none."""
        return ()

    def append(self, line: bytes) -> None:
        """Keep nothing."""

    def cut(self, count: int) -> None:
        """Keep nothing."""

    def problem(self) -> str:
        """Return why lines are not kept."""
        return "another run keeps the same search, or did so less than a minute ago"

    def close(self) -> None:
        """Leave nothing."""


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
    """The journal of one search.

    Each line begins with a digest of the rest. What follows a line that is not whole, because its
    process was killed, is cut off.

    Args:
        lines: where it is kept; there need not be any.
        of_others: what was written since another search of the same item was kept, in words.
    """

    def __init__(self, lines: KeptLines, *, of_others: str = "") -> None:
        self._kept = lines
        self._of_others = of_others
        self._is_new = True
        self._lines = list[str]()
        self._size = 0

    def open(self) -> bool:
        """Read what is there; say whether this journal can be written, by this process alone."""
        found = self._kept.open(JOURNAL_BYTES_MAX)
        if found is None:
            return False
        for line in found:
            text = _text_of(line)
            if text is None:
                break
            self._lines.append(text)
        if len(self._lines) < len(found):
            self._kept.cut(len(self._lines))
        self._size = sum(map(_size_of, self._lines))
        self._is_new = not self._lines
        return True

    @property
    def division(self) -> Division | None:
        """When the search was divided; None: the journal is empty."""
        with suppress(InputError):
            return read_plain(Division, self._lines[0]) if self._lines else None
        return None

    @property
    def passed_over(self) -> str:
        """What was written since a search was kept that this one does not go on with, in words."""
        return self._of_others if self._is_new else ""

    @property
    def problem(self) -> str | None:
        """Why what was executed is not kept; None: it is."""
        return self._kept.problem()

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
        """Leave it for another run."""
        self._kept.close()

    def _write(self, text: str) -> None:
        if self._size + _size_of(text) > JOURNAL_BYTES_MAX:
            return
        data = text.encode("ascii")
        self._kept.append(_digest(data) + b" " + data)
        self._lines.append(text)
        self._size += _size_of(text)

    def _cut(self, lines: int) -> None:
        if lines < len(self._lines):
            del self._lines[lines:]
            self._size = sum(map(_size_of, self._lines))
            self._kept.cut(lines)


_DIGEST_LENGTH = 16


def _size_of(text: str) -> int:
    return _DIGEST_LENGTH + 2 + len(text)


def _digest(data: bytes) -> bytes:
    return sha256(data).hexdigest()[:_DIGEST_LENGTH].encode()


def _text_of(line: bytes) -> str | None:
    """Return the text of a line; None: it is not as it was written."""
    digest, _, data = line.partition(b" ")
    if digest != _digest(data):
        return None
    with suppress(UnicodeDecodeError):
        return data.decode("ascii")
    return None
