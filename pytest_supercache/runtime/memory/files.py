"""Records accesses to files just before they are opened, listed, renamed or removed.

Audit events report that. Two folders of one name are taken for one, and so are files of one name
in two folders.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pytest_supercache.runtime.kernel import audit
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.paths import (
    is_folder,
    is_gone_or_contested,
    path_of,
    touch_file,
    touch_folder,
)
from pytest_supercache.runtime.memory.steps import Together

_LISTS = frozenset({"os.listdir", "os.scandir"})
_CHANGES_ALL = frozenset({"os.rename", "os.link", "os.symlink"})
_CHANGES_FIRST = frozenset(
    {"os.remove", "os.truncate", "os.rmdir", "os.mkdir", "os.utime", "os.chmod", "os.chown",
     "os.setxattr", "os.removexattr"}
)  # fmt: skip
_KEEPS_ENTRIES = frozenset(
    {"os.truncate", "os.utime", "os.chmod", "os.chown", "os.setxattr", "os.removexattr"}
)
_LOOKS = frozenset({"os.getxattr", "os.listxattr"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def listen() -> None:
    """Subscribe to audit events of all files that are opened or changed; this cannot be undone."""
    audit.listen(_HEARD, _heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    accesses = Current.accesses
    if accesses is None or here.actor is None:
        return
    if (touch := _BY_EVENT.get(event)) is not None:
        touch(accesses, *arguments)
    elif event in _LISTS:
        if not _is_import(sys._getframe(2)):
            touch_folder(accesses, _path_of(arguments[0]), writes=False)
    elif event in _LOOKS:
        if sys._getframe(2).f_globals.get("__name__") != "shutil":  # it copies what it has read
            touch_file(accesses, _path_of(arguments[0]), writes=False)
    else:
        with Together(accesses):
            for path in arguments[: 2 if event in _CHANGES_ALL else 1]:
                _change(accesses, event, _path_of(path))


def _path_of(given: Any) -> Any:
    """Return the path that a function was given, which may be a descriptor, or nothing."""
    with suppress(OSError):
        return path_of(given) if type(given) is int else given or os.curdir
    return os.curdir


def _open(accesses: Accesses, path: Any, mode: Any, flags: int) -> None:
    if _is_import(sys._getframe(3)):
        return
    writes = any(letter in mode for letter in "wax+") if mode else bool(flags & _WRITING)
    makes = any(letter in mode for letter in "wax") if mode else bool(flags & os.O_CREAT)
    touch_file(accesses, path, writes=writes, makes=makes)


def _bind(accesses: Accesses, _socket: Any, address: Any) -> None:
    """Touch the file that a socket makes if its address is a path."""
    touch_file(accesses, address, writes=True, makes=True)


def _change(accesses: Accesses, event: str, path: Any) -> None:
    """Touch a path that is changed; if it is a folder made or removed, its entries as well."""
    touch_file(accesses, path, writes=True, makes=event not in _KEEPS_ENTRIES)
    changes_all = is_gone_or_contested(accesses, path) if event == "os.mkdir" else is_folder(path)
    if changes_all and event not in _KEEPS_ENTRIES:
        touch_folder(accesses, path, writes=True)


def _is_import(frame: Any) -> bool:
    """Say whether it is the import of a module that lists a folder, or opens a file."""
    return str(frame.f_globals.get("__name__")).startswith("importlib.")


_BY_EVENT: dict[str, Callable[..., None]] = {"open": _open, "socket.bind": _bind}
_HEARD = {*_BY_EVENT, *_LISTS, *_LOOKS, *_CHANGES_ALL, *_CHANGES_FIRST}
