"""Reports that code under test reads a variable of the environment that is not as it was meant.

Conftest files and test modules set variables while they are imported, or change the current folder,
and factories and tests run when all of them have been. What one reads then may be what another one
has set.
"""

import os
import sys
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

from pytest_supercache.declare.held import OfOthers
from pytest_supercache.runtime.kernel.active import running
from pytest_supercache.runtime.kernel.audit import listen

_READ = type(os.environ).__getitem__.__code__
_OF_ALL = {one.__code__ for one in (ItemsView.__iter__, ValuesView.__iter__, type(os.environ).copy)}
"""Code that reads all variables, one after the other."""

_OTHER = (
    "the code under test reads os.environ[{!r}], which had another value when its system or test "
    "was declared: another conftest file, test module or test has set it since. Set it in the "
    "factory or in a fixture, or hand the factory what it needs by params={{...}}"
)

_ELSEWHERE = (
    "the code under test opens {!r}, and its system or test was declared in another folder: "
    "another conftest file or test module has changed it since. Name the file from `__file__`, or "
    "change the folder in a fixture"
)

_folder: str | None = None
"""The current folder, if it is that of somebody else."""


@contextmanager
def reads_reported(others: OfOthers) -> Iterator[None]:
    """Report for the length of a check who reads what is as it was for somebody else.

    Who reads all variables, to hand them on, means none.
    """
    global _folder
    _folder = others.folder
    if _folder is not None:
        listen(("open", "sqlite3.connect"), _hear)
    try:
        with _variables_reported(others.variables) if others.variables else nullcontext():
            yield
    finally:
        _folder = None


def _hear(_: str, given: tuple[Any, ...]) -> None:
    if _folder is None or not isinstance(given[0], str | bytes):
        return
    path, execution = os.fsdecode(given[0]), running()
    is_file = not path.startswith((":", "file:"))  # as sqlite3 has them
    if execution is not None and is_file and not Path(path).is_absolute():
        execution.controller.leave_control(_ELSEWHERE.format(path))


@contextmanager
def _variables_reported(variables: Mapping[str, str | None]) -> Iterator[None]:
    encode = os.environ.encodekey  # called for each read of one variable

    def encoded(key: str) -> str:
        if key in variables and _is_read_alone(sys._getframe(1)):
            execution, name = running(), os.fsencode(key)
            is_other = os.environb.get(name) == _as_bytes(variables[key])
            if execution is not None and is_other:
                execution.controller.leave_control(_OTHER.format(key))
        return encode(key)

    os.environ.encodekey = encoded
    try:
        yield
    finally:
        os.environ.encodekey = encode


def _is_read_alone(frame: FrameType) -> bool:
    caller = frame.f_back
    is_of_all = caller is not None and caller.f_code in _OF_ALL
    return frame.f_code is _READ and not is_of_all


def _as_bytes(value: str | None) -> bytes | None:
    return None if value is None else os.fsencode(value)
