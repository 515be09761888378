"""Tells the code of this package from code under test, by file and by the name of a module.

Frames are skipped, and locks and hazards are named, by these answers. No other module may ask where
its own file is: that would change with a move of the file.
"""

from pathlib import Path

_HERE = Path(__file__)
PACKAGE_FOLDER = str(_HERE.parents[2])
RUNTIME_FOLDER = str(_HERE.parents[1])

RUNTIME = "pytest_supercache.runtime."
LAYERS = "pytest_supercache.layers."
WORLD = "pytest_supercache.world."
MEMORY = "pytest_supercache.runtime.memory."
SYNC = "pytest_supercache.runtime.sync."
"""How the names of the modules of a sub-package begin."""
