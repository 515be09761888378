"""Scenarios of published libraries: only those run whose library is here, in the version they name.

`SYSTEM.in` beside a scenario lists what the system of this name needs, pinned; what does not fit is
left out. `python3 dev.py libraries` makes an environment for each `SYSTEM.lock` and runs them all.
"""

import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from pytest_supercache.declare.registry import REGISTRY

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config, items):
    """Leave out what needs other versions than those that are installed, or another server."""
    out = [item for item in items if HERE in item.path.parents and not _is_here(item)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _is_here(item: pytest.Item) -> bool:
    scenario = getattr(item, "scenario_item", None)
    if scenario is None:
        return True
    backend = REGISTRY.systems[scenario.system.name].backend
    if backend is not None and shutil.which(backend) is None:
        return False
    needs = item.path.parent / f"{scenario.system.name}.in"
    return all(map(_is_installed, needs.read_text(encoding="utf-8").split()))


def _is_installed(pin: str) -> bool:
    name, _, number = pin.partition("==")
    try:
        return version(name.partition("[")[0]) == number
    except PackageNotFoundError:
        return False
