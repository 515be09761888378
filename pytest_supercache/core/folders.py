"""Names folders of the machine: of temporary files, of packages, and those behind links."""

import os
import re
import sysconfig
import tempfile
from pathlib import Path, PurePath

PACKAGES = frozenset({"site-packages", "dist-packages"})
"""The names of the folders where packages are installed."""

_OF_PYTHON = tuple(
    f"{os.path.realpath(sysconfig.get_path(name))}{os.sep}" for name in ("stdlib", "platstdlib")
)
_OWN = f"{Path(__file__).parents[1]}{os.sep}"
_IN_PACKAGES = re.compile(rf"(?:^|[\\/])(?:{'|'.join(sorted(PACKAGES))})(?:[\\/]|$)")


def is_in_packages(path: PurePath | str) -> bool:
    """Say whether a path is in a folder where packages are installed."""
    return _IN_PACKAGES.search(str(path)) is not None


def is_installed(path: str) -> bool:
    """Say whether a path, without links, is among installed packages or the interpreter's own."""
    return path.startswith(_OF_PYTHON) or is_in_packages(path)


_real_paths = dict[str, str]()
_real_folders = dict[str, str]()


def real_path(file: str) -> str:
    """Return ``os.path.realpath`` of a file, for thousands of files in few folders.

    What was found is kept until :func:`forget_links`.
    """
    found = _real_paths.get(file)
    if found is None:
        folder, name = os.path.split(file)
        real = _real_folders.get(folder)
        if real is None:
            real = _real_folders[folder] = os.path.realpath(folder).rstrip(os.sep)
        found = f"{real}{os.sep}{name}"
        if Path(found).is_symlink():
            found = os.path.realpath(found)
        _real_paths[file] = found
    return found


def forget_links() -> None:
    """Forget what :func:`real_path` has found, for links may have changed.

    Those of packages, and of this one, stay as they are while a process has imported them.
    """
    for known in (_real_paths, _real_folders):
        for path in [one for one in known if not (one.startswith(_OWN) or is_installed(one))]:
            del known[path]


def temporary_folder() -> str | None:
    """Return the folder; None: Python has tried to write a file in it, and the disk is full."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None
