"""Holds the folders and module prefixes that tell this package from code under test.

They decide which frames are skipped, and how locks and hazards are named. No other module may ask
for its own ``__file__``: the answer would change when the file is moved.
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
AIO = "pytest_supercache.runtime.aio."
"""Prefix of the module names of a sub-package."""
