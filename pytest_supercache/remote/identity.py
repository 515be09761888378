"""Tells what processes must have in common if one is to search for the other.

Pickles carry names of functions, and a search rests on all code that it calls. So the interpreter,
all distributions, this package, and the files of the project have to be the same.
"""

import os
import platform
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePath

from pytest_supercache.core.folders import PACKAGES, is_in_packages, is_installed, real_path

PACKAGE = str(Path(__file__).parent.parent)
"""The folder of this package."""

_SUFFIXES = frozenset({
    ".cfg", ".env", ".ini", ".json", ".lua", ".py", ".pyd", ".so", ".sql", ".toml", ".yaml", ".yml",
})  # fmt: skip
"""The files of a project that decide what its code does; others are data, logs and pages."""

_WRITTEN = frozenset({
    ".db", ".err", ".html", ".lock", ".log", ".out", ".pid", ".png", ".prof", ".pyc", ".sock",
    ".sqlite", ".sqlite3", ".svg", ".tmp", ".xml",
})  # fmt: skip
"""Suffixes of files that runs of tests write; any other file may be data that code reads."""

_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Which files of a project count."""

    roots: tuple[str, ...] = ()
    """Folders, with all that is in them."""
    left_out: tuple[str, ...] = ()
    """Folders in them that runs write."""
    others: tuple[str, ...] = ()
    with_data: bool = False
    """Whether data counts as well: every file but those that runs write."""

    def paths(self) -> Iterator[str]:
        """Yield the paths; folders that no project keeps its code in are passed over."""
        yield from self.others
        for root in self.roots:
            for folder, folders, names in os.walk(root):
                folders[:] = sorted(name for name in folders if self._counts(folder, name))
                yield from (
                    f"{folder}{os.sep}{name}" for name in sorted(names) if self._is_read(name)
                )

    def _is_read(self, name: str) -> bool:
        suffix = PurePath(name).suffix
        if self.with_data and not name.startswith("."):
            return suffix not in _WRITTEN
        return suffix in _SUFFIXES or name == ".env"

    def _counts(self, folder: str, name: str) -> bool:
        path = f"{folder}{os.sep}{name}"
        return not (
            name.startswith(".")
            or name in {"__pycache__", "node_modules", *PACKAGES}
            or path in self.left_out
            or os.path.lexists(f"{path}{os.sep}pyvenv.cfg")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Interpreter, distributions with their versions, and files with their digests."""

    python: str
    distributions: Mapping[str, str]
    files: Mapping[str, str]

    def digest(self) -> str:
        """Return a digest of everything."""
        every = (self.python, sorted(self.distributions.items()), sorted(self.files.items()))
        return sha256(repr(every).encode("utf-8", "surrogateescape")).hexdigest()

    def differences(self, there: "Identity") -> list[str]:
        """Return what another process has that differs, in words; ``self`` is this process's."""
        python = f"{there.python}, here {self.python}"
        return [
            *([] if self.python == there.python else [python]),
            *_differing(self.distributions, there.distributions, _version),
            *_differing(self.files, there.files, _file),
        ]


class OwnIdentity:
    """The identity of this process, which imports more and more modules.

    Args:
        files: which files of the project count beside those of imported modules. They count as they
            are now, and a module's file as it is when this is asked after its import.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.identity = identity_of(files)

    def update(self) -> None:
        """Take in the files of modules that were imported meanwhile."""
        known = self.identity.files
        self.files = replace(self.files, others=_imported_files(self.files.others))
        new = {path: digest_of(path) for path in self.files.others if path not in known}
        self.identity = replace(self.identity, files={**known, **new})


def identity_of(files: Files) -> Identity:
    """Return the identity of this process."""
    own = ((f"pytest_supercache{path[len(PACKAGE) :]}", path) for path in _sources(PACKAGE))
    every = (*own, *((path, path) for path in files.paths()))
    return Identity(
        python=_python(),
        distributions=_installed(),
        files={name: digest_of(path) for name, path in every},
    )


def _python() -> str:
    """Name the interpreter; with ``-O`` it executes no asserts."""
    optimized = f" -{'O' * sys.flags.optimize}" if sys.flags.optimize else ""
    return f"{platform.python_implementation()} {platform.python_version()}{optimized}"


def _installed() -> dict[str, str]:
    """Return the versions of installed distributions; a project may have its own metadata."""
    found = dict[str, str]()
    for one in distributions():
        if is_in_packages(str(one.locate_file(""))):
            found.setdefault(*name_and_version(one))
    return found


def name_and_version(installed: Distribution) -> tuple[str, str]:
    """Return the name of a distribution, in lower case, and its version; it is parsed once."""
    told = installed.metadata
    return str(told["Name"]).lower(), str(told["Version"])


def _sources(package: str) -> Iterable[str]:
    return (path for path in Files(roots=(package,)).paths() if path.endswith(".py"))


def digest_of(path: str) -> str:
    """Return a digest of a file, also of one that is missing, or no regular file."""
    file = Path(path)
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # to read a pipe would wait for a writer
            return "no regular file"
        return sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as error:
        return f"not readable: {error.strerror}"


def _differing(
    here: Mapping[str, str], there: Mapping[str, str], said: Callable[..., str]
) -> Iterator[str]:
    names = [name for name in sorted({*here, *there}) if here.get(name) != there.get(name)]
    yield from (said(name, here.get(name), there.get(name)) for name in names[:_SHOWN_MAX])
    if len(names) > _SHOWN_MAX:
        yield f"and {len(names) - _SHOWN_MAX} more of these"


def _version(name: str, here: str | None, there: str | None) -> str:
    return f"{name} {there or 'is missing'}, here {here or 'there is none'}"


def _file(name: str, here: str | None, there: str | None) -> str:
    if here is None or there is None:
        return f"{name} is only {'there' if here is None else 'here'}"
    return f"{name} differs"


def _file_of(module: object) -> str:
    """Return the file of a module without running its code; "": it has none."""
    try:
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:  # it is no module
        return ""
    return file if type(file) is str else ""


def _imported_files(before: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files of imported modules that are not installed, and those known before."""
    files = set(map(_file_of, list(sys.modules.values())))
    return (
        *before,
        *(
            file
            for file in sorted(files.difference(before))
            if Path(file).is_absolute()
            and not is_installed(real_path(file))
            and not file.startswith(f"{PACKAGE}{os.sep}")
        ),
    )
