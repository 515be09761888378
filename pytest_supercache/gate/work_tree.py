"""Lists what differs in a work tree from its commit: each file that git names, with a digest.

The bound is a number of bytes, so that the same tree gives the same result: a large file, and each
file beyond the bound, is identified by its size and its time of last change.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pytest_supercache.gate.contents import IndexEntry, index_entries, with_other_contents
from pytest_supercache.gate.git import GitOutput, NoAnswerError, answer, ask, git
from pytest_supercache.scenario.names import is_scenario_file

FILE_BYTES_MAX = 16 * 2**20
BYTES_MAX = 256 * 2**20
_BYTES_AT_LEAST = 16 * 2**10  # that a file counts for, so that many small ones have an end, too
REPOSITORIES_MAX = 1_000  # in each other
_CACHES = frozenset({"__pycache__", ".pytest_cache", ".hypothesis"})
"""The folders of caches of Python, pytest and Hypothesis."""

_STATUS = (
    "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all",
    "--ignore-submodules=none",
)  # fmt: skip
_FILTERED = ("ls-files", "-z", "--", ":(exclude,attr:!filter)")
_WITH_IDENT = ("ls-files", "-z", "--", ":(attr:ident)")
_NOT_BY_LFS = ":(exclude,attr:filter=lfs)"
_FILTERS_OF_LFS = ("config", "-z", "--get-regexp", r"^filter\.lfs\.(clean|process)$")
_NEW = ("ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
"""New files that only this clone ignores, and all others that the project does not ignore."""
_SKIPPED, _UNTRACKED = b"S", b"??"
_SUBMODULE = b"160000"
_INDEX = ("ls-files", "-z", "-v", "--stage")

NOT_THERE = "not checked out"
"""Stands for the digest of what git has and was told to leave out: no change, but a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTree:
    """The files that differ, by their paths from the top of the repository."""

    top: Path
    files: dict[str, str] = field(default_factory=dict)
    untracked: frozenset[str] = frozenset()  # those of them that git does not have


def differing(folder: Path) -> WorkTree:
    """Return what differs in the repository around a folder.

    Raises:
        NoAnswerError: git does not say, or there are too many repositories in it.
    """
    return _differing(folder, _Bounds(bytes=BYTES_MAX, repositories=REPOSITORIES_MAX))


@dataclass(slots=True, kw_only=True)
class _Bounds:
    """The bytes and repositories that may still be read."""

    bytes: int
    repositories: int


def _differing(folder: Path, bounds: _Bounds) -> WorkTree:
    bounds.repositories -= 1
    if bounds.repositories < 0:
        why = f"there are more than {REPOSITORIES_MAX} repositories in each other"
        raise NoAnswerError(GitOutput(why=why, is_error=True))
    root = _top_of(folder)
    status = answer(root, *_what_counts(root), *_STATUS)
    index = list(index_entries(answer(root, *_INDEX)))
    absent = frozenset(_absent(index, root))
    unseen = [*absent, *_present(_converted(root), root), *_unseen(index, root)]
    new = [*filter(_may_be_code, _ignored_here(root)), *_new_rules(index, root)]
    found = {**dict.fromkeys(new, True), **dict.fromkeys(unseen, False), **_entries(status)}
    rest = [entry for entry in index if entry.name not in found]
    found |= dict.fromkeys(with_other_contents(root, rest), False)
    files = dict[str, str]()
    for name in sorted(found):
        digest = NOT_THERE if name in absent else _digest(root / os.fsdecode(name), bounds)
        if not _is_submodule_as_committed(root, name, digest):
            files[_text(name)] = digest
    untracked = frozenset(_text(name) for name, is_untracked in found.items() if is_untracked)
    return WorkTree(top=root, files=files, untracked=untracked)


def _top_of(folder: Path) -> Path:
    """Return the top of the work tree around a folder.

    Raises:
        NoAnswerError: git does not say.
    """
    top = answer(folder, "rev-parse", "--show-toplevel")
    return Path(os.fsdecode(top.rstrip(b"\r\n")))


def written_since(folder: Path, moment: int) -> tuple[Path, list[str]] | None:
    """Return the top of a repository, and its files that were written after a moment.

    The moment is in nanoseconds since the epoch. Such files need not have changed: the content
    before is unknown. None: git fails.
    """
    try:
        root = _top_of(folder)
        index = answer(root, "ls-files", "-z", "-v", "--recurse-submodules")
    except NoAnswerError:
        return None
    entries = [(entry[:1].upper(), entry[2:]) for entry in filter(None, index.split(b"\0"))]
    return root, [
        _text(name)
        for tag, name in entries
        if _written_at(root / os.fsdecode(name), is_expected=tag != _SKIPPED) > moment
    ]


def _written_at(path: Path, *, is_expected: bool) -> int:
    """Return when a file was last written, in nanoseconds; for a deleted file, its folder.

    0 for what is no file, and for a missing file that is not expected to exist.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return _written_at_folder(path.parent) if is_expected else 0
    except OSError:
        return 0
    return 0 if stat.S_ISDIR(found.st_mode) else _stamp(found)


def _written_at_folder(folder: Path) -> int:
    for path in (folder, *folder.parents):
        with suppress(OSError):
            return _stamp(path.stat())
    return 0


def _stamp(found: os.stat_result) -> int:
    """Return the change time, which programs cannot set; Windows has only the write time."""
    return found.st_mtime_ns if os.name == "nt" else found.st_ctime_ns


def _entries(status: bytes) -> dict[bytes, bool]:
    """Return the paths that git lists, and whether each is untracked.

    A file that is removed from the index and still exists is listed twice: its commit has it.
    """
    found = dict[bytes, bool]()
    for entry in filter(None, status.split(b"\0")):
        kind, name = entry[:2], entry[3:]
        if kind != _UNTRACKED:
            found[name] = False
        elif _may_be_code(name):
            found.setdefault(name, True)
    return found


def _may_be_code(name: bytes) -> bool:
    """Say whether a new file is not of a cache of Python, pytest or Hypothesis."""
    return not _CACHES & set(_text(name).split("/")) or is_scenario_file(_text(name))


def _ignored_here(root: Path) -> Iterator[bytes]:
    """Yield the new files if this clone has rules of its own (`.git/info/exclude`).

    The project's rules are in its `.gitignore` files; others hide code from the person who reads
    the verdict.
    """
    place = answer(root, "rev-parse", "--git-path", "info/exclude").rstrip(b"\r\n")
    try:
        rules = (root / os.fsdecode(place)).read_bytes().splitlines()
    except OSError:
        return
    if any(rule.strip() and not rule.startswith(b"#") for rule in rules):
        yield from filter(None, answer(root, *_NEW).split(b"\0"))


def _what_counts(root: Path) -> Iterator[str]:
    """Yield the words by which git takes for different what the file system keeps apart.

    These are `Shop.py` and `shop.py`, a link and a file with its text, a program and a file that
    cannot be run. Git's settings about them say what some file system could do.
    """
    apart = {
        "ignoreCase=false": not os.path.lexists(root / ".GIT"),
        "symlinks=true": os.name == "posix",
        "fileMode=true": os.name == "posix" and _keeps_modes(root),
    }
    for setting, is_kept in apart.items():
        yield from ("-c", f"core.{setting}") if is_kept else ()


def _keeps_modes(root: Path) -> bool:
    """Say whether a file of git itself is not shown as a program, as each file may be elsewhere."""
    git_file = root / ".git"
    head = git_file / "HEAD" if git_file.is_dir() else git_file
    return not os.access(head, os.X_OK)


def _new_rules(index: list[IndexEntry], root: Path) -> Iterator[bytes]:
    """Yield the new `.gitignore` files in folders of which git has a file.

    Such a file may ignore itself, and with it whatever is new beside it.
    """
    names = {entry.name for entry in index}
    for folder in {folder for name in names for folder in _folders_above(name)}:
        rules = os.path.join(folder, b".gitignore")  # noqa: PTH118 - bytes
        if rules not in names and os.path.lexists(os.path.join(os.fsencode(root), rules)):  # noqa: PTH118 - bytes
            yield rules


def _folders_above(name: bytes) -> Iterator[bytes]:
    while name:
        name = name.rpartition(b"/")[0]
        yield name


def _converted(root: Path) -> bytes:
    """Return the names of the files that git stores in a converted form.

    That of LFS still distinguishes all contents, as long as LFS makes it.
    """
    excluded = [_NOT_BY_LFS] if _is_lfs_itself(root) else []
    return answer(root, *_FILTERED, *excluded) + answer(root, *_WITH_IDENT)


def _is_lfs_itself(root: Path) -> bool:
    """Say whether no program but that of LFS filters the files with ``filter=lfs``."""
    settings = (ask(root, *_FILTERS_OF_LFS).output or b"").split(b"\0")
    programs = [setting.partition(b"\n")[2] for setting in settings if setting]
    return all(program.split()[:1] == [b"git-lfs"] for program in programs)


def _present(names: bytes, root: Path) -> Iterator[bytes]:
    for name in filter(None, names.split(b"\0")):
        if os.path.lexists(root / os.fsdecode(name)):
            yield name


def _unseen(index: list[IndexEntry], root: Path) -> Iterator[bytes]:
    """Yield the tracked paths that are there and at which git does not look, or not closely.

    It was told to skip them, or they lie in the place of a submodule: a repository there may have
    been told to skip some, too, and what is none is not looked at.
    """
    for entry in index:
        path = root / os.fsdecode(entry.name)
        is_skipped = entry.tag.upper() == _SKIPPED
        is_submodule = entry.mode == _SUBMODULE and _is_filled(path)
        if entry.tag.islower() or is_submodule or (is_skipped and os.path.lexists(path)):
            yield entry.name


def _absent(index: list[IndexEntry], root: Path) -> Iterator[bytes]:
    """Yield the tracked paths that are not checked out, and of which git tells no change.

    A sparse checkout has left them out, or they are submodules that nobody has initialised.
    """
    for entry in index:
        path = root / os.fsdecode(entry.name)
        is_skipped = entry.tag.upper() == _SKIPPED and not os.path.lexists(path)
        is_submodule = entry.mode == _SUBMODULE and path.is_dir()
        if is_skipped or (is_submodule and not _is_filled(path)):
            yield entry.name


def _is_filled(folder: Path) -> bool:
    """Say whether a path is a folder that has anything in it, or cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def _digest(path: Path, bounds: _Bounds) -> str:
    """Return the digest of a path, in one line.

    Raises:
        NoAnswerError: git fails in a repository there.
    """
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return f"link {_hash(os.fsencode(path.readlink()))}"
        if stat.S_ISDIR(found.st_mode):
            return _of_repository(path, bounds)
        if not stat.S_ISREG(found.st_mode):
            return "no file"  # a pipe, a device: never opened
        return _of_file(path, found, bounds)
    except FileNotFoundError:
        return "gone"
    except OSError as error:
        return f"cannot be read ({type(error).__name__})"


def _of_file(path: Path, found: os.stat_result, bounds: _Bounds) -> str:
    mode = "program " if found.st_mode & stat.S_IXUSR else ""
    size = found.st_size
    if size > min(FILE_BYTES_MAX, bounds.bytes):
        return f"{mode}{size} bytes of {found.st_mtime_ns}"
    bounds.bytes -= max(size, _BYTES_AT_LEAST)
    with path.open("rb") as file:
        return f"{mode}{_hash(file.read(size + 1))}"  # it may grow meanwhile


def _is_submodule_as_committed(root: Path, name: bytes, digest: str) -> bool:
    """Say whether git lists a submodule only because of the caches of Python in it."""
    commit, separator, files = digest.removeprefix("commit ").partition(" ")
    if not separator or files != _NOTHING:
        return False
    return git(root, "rev-parse", f"HEAD:{os.fsdecode(name)}") == commit


def _of_repository(path: Path, bounds: _Bounds) -> str:
    """Return a digest of an inner repository: its commit, and what differs from that."""
    if _top_of(path).resolve() != path.resolve():  # the repository around it
        return _of_folder(path, bounds)
    inner = _differing(path, bounds)
    commit = git(path, "rev-parse", "HEAD") or "no commit"
    return f"commit {commit} {_hash(repr(sorted(inner.files.items())).encode())}"


def _of_folder(path: Path, bounds: _Bounds) -> str:
    """Return a digest of a folder that is no repository: of its files, without caches of Python."""
    found = []
    for at, folders, names in os.walk(path):
        folders[:] = sorted({*folders} - _CACHES)
        for name in sorted([*names, *(one for one in folders if (Path(at) / one).is_symlink())]):
            file = Path(at) / name
            found.append((os.fsencode(file.relative_to(path)), _digest(file, bounds)))
    return f"folder {_hash(repr(found).encode())}"


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()


_NOTHING = _hash(repr([]).encode())
"""The digest of a repository in which nothing differs."""
