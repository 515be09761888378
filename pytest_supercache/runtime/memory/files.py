"""Files are memory too: what is opened, renamed or removed is a location named after the file.

The folder is left out of the name, because it may be another one in every run; files of one name
in two folders are taken for one.
"""

import os
import sys
from functools import cache
from typing import Any

from pytest_supercache.runtime.calling import here
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.touching import touch_file

_CHANGES_ALL = frozenset({"os.rename", "os.link", "os.symlink"})
_CHANGES_FIRST = frozenset({"os.remove", "os.truncate", "os.rmdir", "os.mkdir"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@cache
def listen() -> None:
    """Hear of every file that this process opens or changes; this cannot be taken back."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if Current.accesses is None or here.actor is None:
        return
    if event == "open":
        path, mode, flags = arguments
        is_written = any(letter in mode for letter in "wax+") if mode else bool(flags & _WRITING)
        _touch(path, writes=is_written)
    elif event in _CHANGES_ALL:
        _touch(arguments[0], writes=True)
        _touch(arguments[1], writes=True)
    elif event in _CHANGES_FIRST:
        _touch(arguments[0], writes=True)


def _touch(path: Any, *, writes: bool) -> None:
    if Current.accesses is not None:
        touch_file(Current.accesses, path, writes=writes)
