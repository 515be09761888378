"""Finds the file of a SQLite database by what ``sqlite3.connect`` is given."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

_SCHEME = "file:"


def file_of(database: Any, *, is_uri: bool) -> tuple[str, bool] | None:
    """Return the path of a database, and whether opening it may make it; None: it has no file.

    What SQLite itself refuses has none.
    """
    if not isinstance(database, str | bytes | os.PathLike):
        return None
    path, may_make = os.fsdecode(database), True
    if is_uri and path.startswith(_SCHEME):
        path, _, query = path.removeprefix(_SCHEME).partition("#")[0].partition("?")
        options = dict(parse_qsl(query))
        mode = options.get("mode", "rwc")
        if mode == "memory" or options.get("vfs") == "memdb":
            return None
        may_make = mode == "rwc"
        path = unquote(_without_authority(path))
    return None if path in {"", ":memory:"} or "\0" in path else (path, may_make)


def is_there(path: str) -> bool:
    """Say whether a file exists; none can have a name that the system refuses."""
    try:
        Path(path).stat()
    except OSError:
        return False
    return True


def _without_authority(path: str) -> str:
    """Return the path of ``//localhost/path``, as SQLite does."""
    if not path.startswith("//"):
        return path
    _authority, slash, rest = path[2:].partition("/")
    return slash + rest
