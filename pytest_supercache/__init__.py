"""pytest-supercache: every interleaving of your users' cache operations, on the real code.

Names are loaded when they are first used: pytest imports this package in every run, also where no
scenario is near.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_supercache.checking import check
    from pytest_supercache.core.errors import SupercacheError
    from pytest_supercache.core.operation import Commit, History, Operation
    from pytest_supercache.core.result import CheckResult, Counterexample
    from pytest_supercache.core.settings import Assume
    from pytest_supercache.core.verdict import Label, Verdict, Violation
    from pytest_supercache.oracle.guarantee import Guarantee, check_history
    from pytest_supercache.oracle.session import READ_YOUR_WRITES
    from pytest_supercache.oracle.settled import COHERENT_WHEN_SETTLED
    from pytest_supercache.plugin.exploring import explore
    from pytest_supercache.registry import system, verb, watch
    from pytest_supercache.world import World

__all__ = [
    "COHERENT_WHEN_SETTLED",
    "READ_YOUR_WRITES",
    "Assume",
    "CheckResult",
    "Commit",
    "Counterexample",
    "Guarantee",
    "History",
    "Label",
    "Operation",
    "SupercacheError",
    "Verdict",
    "Violation",
    "World",
    "check",
    "check_history",
    "explore",
    "system",
    "verb",
    "watch",
]

_HOMES = {
    "COHERENT_WHEN_SETTLED": "oracle.settled",
    "READ_YOUR_WRITES": "oracle.session",
    "Assume": "core.settings",
    "CheckResult": "core.result",
    "Commit": "core.operation",
    "Counterexample": "core.result",
    "Guarantee": "oracle.guarantee",
    "History": "core.operation",
    "Label": "core.verdict",
    "Operation": "core.operation",
    "SupercacheError": "core.errors",
    "Verdict": "core.verdict",
    "Violation": "core.verdict",
    "World": "world",
    "check": "checking",
    "check_history": "oracle.guarantee",
    "explore": "plugin.exploring",
    "system": "registry",
    "verb": "registry",
    "watch": "registry",
}

try:
    __version__ = version("pytest-supercache")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
