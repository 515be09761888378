"""Names folders of the machine: of temporary files, and where packages are installed."""

import tempfile
from pathlib import PurePath

PACKAGES = frozenset({"site-packages", "dist-packages"})
"""The names of the folders where packages are installed."""


def is_in_packages(path: PurePath | str) -> bool:
    """Say whether a path is in a folder where packages are installed."""
    return not PACKAGES.isdisjoint(PurePath(path).parts)


def temporary_folder() -> str | None:
    """Return the folder; None: Python has tried to write a file in it, and the disk is full."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None
