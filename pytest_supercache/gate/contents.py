"""Finds the tracked files whose content is not that of the index, whatever their times say.

Git takes a file for unchanged while its size and its times are those that it has noted, and it
notes the time in steps in which a file can be written twice. So each file is hashed here as git
hashes it; only where the result differs does git hash the file itself, because it may store
something else than what is there (other ends of lines, another encoding).
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path

from pytest_supercache.gate.git import answer

FILES_MAX = 20_000
FILE_BYTES_MAX = 16 * 2**20
BYTES_MAX = 256 * 2**20
_FIRST = frozenset({".py", ".pyi", ".pyx", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".json"})
"""The suffixes of code, scenarios and settings, which are compared before other files."""
_REGULAR = frozenset({b"100644", b"100755"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """A tracked path as the index of git has it; ``tag`` says how git looks at it."""

    tag: bytes
    mode: bytes
    id: bytes  # of the content, in hexadecimal digits
    name: bytes


def index_entries(listing: bytes) -> Iterator[IndexEntry]:
    """Yield the entries that ``git ls-files -z -v --stage`` has listed."""
    for line in filter(None, listing.split(b"\0")):
        facts, _, name = line.partition(b"\t")
        tag, mode, content, _stage = facts.split(b" ")
        yield IndexEntry(tag=tag, mode=mode, id=content, name=name)


def with_other_contents(root: Path, entries: list[IndexEntry]) -> list[bytes]:
    """Return the names of those regular files whose content is another one than in the index.

    What cannot be read counts as another content. Files beyond the bounds are left out: for
    them, git's own comparison of sizes and times has to do.

    Raises:
        NoAnswerError: git does not hash a file.
    """
    unread, other = list[bytes](), list[IndexEntry]()
    for entry, path in _within_bounds(root, entries):
        try:
            is_as_stored = _id_of(path.read_bytes(), len(entry.id)) == entry.id
        except OSError:
            unread.append(entry.name)
        else:
            other += [] if is_as_stored else [entry]
    if not other:
        return unread
    asked = b"".join(b'"%s"\n' % _escaped(entry.name) for entry in other)
    ids = answer(root, "hash-object", "--stdin-paths", given=asked).split()
    pairs = zip(other, ids, strict=True)
    return [*unread, *(entry.name for entry, found in pairs if found != entry.id)]


def _within_bounds(root: Path, entries: list[IndexEntry]) -> Iterator[tuple[IndexEntry, Path]]:
    files_left, bytes_left = FILES_MAX, BYTES_MAX
    for entry in sorted(entries, key=_may_wait):
        path = root / os.fsdecode(entry.name)
        try:
            found = path.lstat()
        except OSError:
            continue  # git says that it is gone
        if entry.mode not in _REGULAR or not stat.S_ISREG(found.st_mode):
            continue
        if found.st_size > min(FILE_BYTES_MAX, bytes_left):
            continue
        files_left, bytes_left = files_left - 1, bytes_left - found.st_size
        if files_left < 0:
            return
        yield entry, path


def _may_wait(entry: IndexEntry) -> bool:
    return os.path.splitext(os.fsdecode(entry.name))[1].lower() not in _FIRST  # noqa: PTH122 - fast


def _id_of(content: bytes, digits: int) -> bytes:
    """Return the id that git gives to a content in a repository whose ids have so many digits."""
    kind = sha1 if digits == sha1().digest_size * 2 else sha256
    return kind(b"blob %d\0%s" % (len(content), content)).hexdigest().encode()


def _escaped(name: bytes) -> bytes:
    """Return a name as git reads it between quotation marks, whatever bytes it has."""
    return b"".join(b"\\%03o" % byte for byte in name)
