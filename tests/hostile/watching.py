"""Notices what reading an input does besides reading it: other files, imports, code, processes.

An audit hook cannot be removed, so there is one for the process, and it looks only while asked.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar

import pytest
import ruamel.yaml

import pytest_supercache

PACKAGE = Path(pytest_supercache.__file__).parent
YAML = Path(ruamel.yaml.__file__).parent
"""It looks for plug-ins of its own whenever it is used."""

FOREIGN = (
    "compile", "ctypes.", "exec", "fcntl.", "ftplib.", "http.", "import", "marshal.", "os.",
    "pickle.", "pty.", "shutil.", "smtplib.", "socket.", "sqlite3.",
    "subprocess.", "tempfile.", "urllib.", "webbrowser.",
)  # fmt: skip
"""Events that no reader of inputs has a reason for; one that ends in a dot is a family."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class _Watch:
    """What is watched at the moment, if anything."""

    folder: Path | None = None
    seen: ClassVar[list[str]] = []  # of the process, as its only hook is
    is_installed = False


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if _Watch.folder is not None:
        _look(event, arguments)


def _outside_checks(hook: FunctionType) -> FunctionType:
    """Return a hook that is no code under test: it is called in every check of this process, too.

    A check looks into what its body calls unless that belongs to a tool, by the module's name.
    """
    known = {"__name__": pytest.__name__, "_Watch": _Watch, "_look": _look}
    return FunctionType(hook.__code__, known)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _notice_open(*arguments)
    elif event in {"os.listdir", "os.scandir"}:
        if not (_is_inside(arguments[0]) or Path(os.fsdecode(arguments[0])) == YAML):
            _Watch.seen.append(f"{event} {arguments[0]!r:.100}")
    elif event.startswith(FOREIGN):
        _Watch.seen.append(f"{event} {arguments!r:.100}")


def _notice_open(path: Any, mode: str | None, flags: int) -> None:
    if isinstance(path, int):
        return  # a descriptor that was opened before
    is_ours = Path(os.fsdecode(path)).is_relative_to(PACKAGE)
    if flags & _WRITING or not (is_ours or _is_inside(path)):
        _Watch.seen.append(f"open {os.fsdecode(path)!r:.100} {mode} {flags:o}")


def _is_inside(path: Any) -> bool:
    assert _Watch.folder is not None, "asked while something is watched"
    return Path(os.path.realpath(os.fsdecode(path))).is_relative_to(_Watch.folder)


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Yield a list of what is done meanwhile besides reading files in ``folder``."""
    if not _Watch.is_installed:
        sys.addaudithook(_outside_checks(_notice))
        _Watch.is_installed = True
    _Watch.seen = []
    _Watch.folder = Path(os.path.realpath(folder))
    try:
        yield _Watch.seen
    finally:
        _Watch.folder = None
