"""Records accesses by path: a file is a location, and all entries of a folder are one.

Files and folders are named by the last part of the path: the rest may differ in every run.
Entries count where one user lists, makes or removes a folder, and another one passes it: most
folders are only on the way to files.
"""

import os
import re
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.layers.stack import FOLDER_PREFIX
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.steps import Together

LOOKING_AT_FILES = (os.stat, os.lstat, os.access, os.readlink)
"""Functions that look at a file without opening it, where code has imported them by name."""

_BY_DESCRIPTOR = {
    "read": (False,), "pread": (False,), "readv": (False,), "fstat": (False,), "write": (True,),
    "pwrite": (True,), "writev": (True,), "ftruncate": (True,), "sendfile": (True, False),
    "copy_file_range": (False, True), "splice": (False, True),
}  # fmt: skip

BY_DESCRIPTOR = {
    getattr(os, name): writes for name, writes in _BY_DESCRIPTOR.items() if hasattr(os, name)
}
"""Functions whose first arguments are file descriptors -> whether they write to these files."""

LOADING_METHODS = frozenset({"load_cert_chain", "load_dh_params", "load_verify_locations"})
"""Methods of `ssl`, in C, that read files by their paths; no audit event reports them."""

LOADING_FUNCTION = ssl.create_default_context
"""It calls these methods."""

_PATH_MAX = 4_096

MAKING_FILES = (os.mkfifo, os.mknod) if hasattr(os, "mkfifo") else ()
"""Functions that make a file without opening it; no audit event reports them."""

_OF_THE_INTERPRETER = (".pyc", "__pycache__")
_DEVICES = frozenset({"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"})

_DELETED = " (deleted)"
"""How the path of an open file ends that has no name, such as a `tempfile.TemporaryFile`."""

_STDERR = 2
"""The highest number of a standard stream, which may lead into a pipe."""

_TEMPORARY = "temporary folder"
"""Stands for all folders with a name that differs in every run."""

_RANDOM = re.compile(r"tmp[a-z0-9_]{8}")


def touch_file(
    accesses: Accesses, path: Any, *, writes: bool, makes: bool = False
) -> Footprint | None:
    """Touch a file by its path; a descriptor is ignored: its file was opened before.

    Args:
        accesses: those of the execution.
        path: the file's, or a folder's.
        writes: others may find it changed.
        makes: others may find an entry of its folder that was not there, or miss one that was.

    Returns:
        The footprint of the file if it is shared; else None.
    """
    full, shared = _full(path), None
    if full is None:
        return None
    with Together(accesses):
        if not full.name.startswith(FOLDER_PREFIX):
            accesses.note_file(str(full), writes=writes)
            for name in _names_of_file(accesses, full, makes=makes):
                shared = accesses.touch(accesses.file(name), WHOLE, writes=writes) or shared
            for link in filter(os.path.islink, full.parents):
                accesses.touch(accesses.file(f"file {link.name}"), WHOLE, writes=False)
        if _counts(accesses, full.parent, changes=False):
            part = WHOLE if _RANDOM.search(full.name) else f"[{full.name!r}]"
            accesses.touch(accesses.file(_named(full.parent)), part, writes=makes)
    return shared


def _names_of_file(accesses: Accesses, path: Path, *, makes: bool) -> list[str]:
    """Return the names of a file: its own, a link's target, and one for all hard links."""
    is_random = _RANDOM.fullmatch(path.name) is not None
    own = accesses.temporary_file(path.name, makes=makes) if is_random else f"file {path.name}"
    names = [own]
    with suppress(OSError):
        if is_link := path.is_symlink():
            names.append(f"file {path.readlink().name}")
        if (path.stat() if is_link else path.lstat()).st_nlink > 1 and path.is_file():
            names.append("files with hard links")
    return names


def touch_loaded(accesses: Accesses, arguments: tuple[Any, ...]) -> None:
    """Touch the files that code of C reads by their paths; a certificate itself is no path."""
    with Together(accesses):
        for argument in arguments:
            if _may_be_path(argument):
                touch_file(accesses, argument, writes=False)


def _may_be_path(value: Any) -> bool:
    if not isinstance(value, str | bytes | os.PathLike):
        return False
    name = os.fsdecode(value)
    return 0 < len(name) < _PATH_MAX and not {"\0", "\n"} & set(name)


def touch_descriptor(accesses: Accesses, number: int, *, writes: bool) -> None:
    """Touch a file by its descriptor, where the system tells its path.

    All pipes are one: reads consume, and their own numbers differ in every run.
    """
    with suppress(OSError):
        path = path_of(number)
        if path.is_file():
            touch_file(accesses, path, writes=writes)
        elif path.name.endswith(_DELETED):  # the names of such files differ in every run
            accesses.touch(accesses.file("files without a name"), WHOLE, writes=writes)
        elif path.name.startswith("pipe:") and number > _STDERR:
            accesses.touch(accesses.file("pipe"), WHOLE, writes=True)


def path_of(number: int) -> Path:
    """Return the path of an open file.

    Raises:
        OSError: the system does not tell it.
    """
    return Path(f"/proc/self/fd/{number}").readlink()


def touch_folder(accesses: Accesses, path: Any, *, writes: bool) -> None:
    """Touch all entries of a folder, by its path, that is listed, made or removed."""
    full = _full(path)
    if full is not None and _counts(accesses, full, changes=True):
        accesses.note_file(str(full), writes=writes)
        accesses.touch(accesses.file(_named(full)), WHOLE, writes=writes)


def is_gone_or_contested(accesses: Accesses, path: Any) -> bool:
    """Say whether making a folder has an effect: it is missing, or another actor may remove it."""
    full = _full(path)
    return full is not None and (not full.is_dir() or _named(full) in accesses.sharing.folders)


def is_folder(path: Any) -> bool:
    """Say whether a path leads to a folder."""
    return (full := _full(path)) is not None and full.is_dir()


def _counts(accesses: Accesses, folder: Path, *, changes: bool) -> bool:
    """Note that a user passes a folder; say whether its entries count."""
    actor = accesses.actor()
    return actor is not None and accesses.sharing.is_folder_shared(
        _named(folder), str(folder), actor.name, changes=changes
    )


def _full(path: Any) -> Path | None:
    """Return an absolute path; None for other types, compiled modules, and devices."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    full = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 - absolute() keeps "..", resolve() follows links
    is_no_file = full.name.endswith(_OF_THE_INTERPRETER) or str(full) in _DEVICES
    return None if is_no_file else full


def _named(folder: Path) -> str:
    is_random = str(folder.parent) == tempfile.tempdir or _RANDOM.search(folder.name)
    return _TEMPORARY if is_random else f"folder {folder.name}"
