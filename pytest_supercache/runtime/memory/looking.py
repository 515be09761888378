"""Records that a file is looked at without being opened, by code under test or for it by a library.

No audit event reports that. So functions of `os` have stand-ins for the length of a check: what
`pathlib`, `os.path` and others look up of a file, they ask these.
"""

import glob
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.kernel.under_test import is_standard_name, is_under_test_name
from pytest_supercache.runtime.memory.calls import touching
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import top
from pytest_supercache.runtime.memory.entering import CALLING_FOR_C
from pytest_supercache.runtime.memory.paths import touch_file

_LOOKING = ("stat", "lstat", "access", "readlink")
_ABILITIES = (
    os.supports_dir_fd, os.supports_effective_ids, os.supports_fd, os.supports_follow_symlinks,
)  # fmt: skip
"""Sets of functions by which code asks what a function can do."""


@contextmanager
def looks_noticed() -> Iterator[None]:
    """Touch each file that is looked at until the end of the block."""
    with Patches() as patches:
        for name in _LOOKING:
            patches.wrap(os, name, _touching_file)
        globber = vars(glob).get("_StringGlobber")  # Python 3.13 keeps the function there
        if "lstat" in vars(globber or object):
            patches.put(globber, "lstat", staticmethod(os.lstat))
        stand_ins = {vars(os)[name] for name in _LOOKING}
        for able in _ABILITIES:
            able.update(one for one in stand_ins if one.__wrapped__ in able)
        try:
            yield
        finally:
            for able in _ABILITIES:
                able.difference_update(stand_ins)


def _touching_file(look: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(look)
    def stand_in(path: Any, *arguments: Any, **options: Any) -> Any:
        accesses = Current.accesses
        is_noticed = accesses is not None and here.actor is not None and here.in_hook is False
        if is_noticed and _looks_for_code(sys._getframe(1)):
            touch_file(accesses, path, writes=False)
        return look(path, *arguments, **options)

    return stand_in


def _looks_for_code(frame: FrameType | None) -> bool:
    """Say whether code under test looks at a file, or a library that it has called."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if frame.f_code is touching.__code__:
            return True
        if not (name in CALLING_FOR_C or is_standard_name(top(name))):
            return is_under_test_name(name) or top(name) != "pytest_supercache"
        frame = frame.f_back
    return False
