"""Names folders of the machine: of temporary files, of packages, and those behind links."""

import os
import re
import tempfile
from functools import cache
from pathlib import PurePath

PACKAGES = frozenset({"site-packages", "dist-packages"})
"""The names of the folders where packages are installed."""

_IN_PACKAGES = re.compile(rf"(?:^|[\\/])(?:{'|'.join(sorted(PACKAGES))})(?:[\\/]|$)")


def is_in_packages(path: PurePath | str) -> bool:
    """Say whether a path is in a folder where packages are installed."""
    return _IN_PACKAGES.search(str(path)) is not None


@cache
def real_path(file: str) -> str:
    """Return ``os.path.realpath`` of a file, for thousands of files in few folders.

    What was found is kept until :func:`forget_links`.
    """
    folder, name = os.path.split(file)
    path = os.path.join(_real_folder(folder), name)  # noqa: PTH118 - a Path costs ten times this
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114 - likewise


@cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def forget_links() -> None:
    """Forget what :func:`real_path` has found: links may have changed."""
    real_path.cache_clear()
    _real_folder.cache_clear()


def temporary_folder() -> str | None:
    """Return the folder; None: Python has tried to write a file in it, and the disk is full."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None
