"""``python -m pytest_supercache.cli``: the same as ``supercache``."""

from pytest_supercache.cli import main

main()
