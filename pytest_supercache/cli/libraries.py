"""Imports click and iniconfig so that no module in the project's folder can shadow them.

``python -m`` looks for modules in the current folder first, where a project may have a package of
its own with such a name.
"""

import sys
from importlib import import_module
from os.path import realpath


def _import_installed(*names: str) -> None:
    """Import libraries from elsewhere than the current folder, if they are there."""
    path, here = sys.path[:], realpath(".")
    sys.path[:] = [folder for folder in path if realpath(folder) != here]
    try:
        for name in names:
            import_module(name)
    except ImportError:  # they are kept in this folder
        pass
    finally:
        sys.path[:] = path


_import_installed("click", "iniconfig")
