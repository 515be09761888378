"""pytest-supercache: every interleaving of your users' cache operations, on the real code.

Names are loaded when they are first used: pytest imports this package in every run, also where no
scenario is near.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_supercache.checking.check import check
    from pytest_supercache.core.errors import SupercacheError
    from pytest_supercache.core.fault import Faults
    from pytest_supercache.core.operation import Commit, History, Operation
    from pytest_supercache.core.result import CheckResult, Counterexample
    from pytest_supercache.core.settings import Assume
    from pytest_supercache.core.verdict import Label, Verdict, Violation
    from pytest_supercache.declare.registry import system, verb, watch
    from pytest_supercache.oracle.admissions import CAP_HOLDS
    from pytest_supercache.oracle.atomic_reads import READ_ATOMIC
    from pytest_supercache.oracle.dirty_reads import NO_DIRTY_READS
    from pytest_supercache.oracle.durability import DURABLE_WRITES
    from pytest_supercache.oracle.guarantee import Guarantee, check_history
    from pytest_supercache.oracle.isolation import ISOLATED_USERS
    from pytest_supercache.oracle.linearizable import LINEARIZABLE
    from pytest_supercache.oracle.loads import MAX_LOADS
    from pytest_supercache.oracle.lost_fields import NO_LOST_FIELD
    from pytest_supercache.oracle.lost_invalidation import NO_LOST_INVALIDATION
    from pytest_supercache.oracle.monotonic_reads import MONOTONIC_READS
    from pytest_supercache.oracle.monotonic_writes import MONOTONIC_WRITES
    from pytest_supercache.oracle.resurrection import NO_RESURRECTION
    from pytest_supercache.oracle.revocation import REVOCATION_HOLDS
    from pytest_supercache.oracle.sequential import SEQUENTIALLY_CONSISTENT
    from pytest_supercache.oracle.session import READ_YOUR_WRITES
    from pytest_supercache.oracle.settled import COHERENT_WHEN_SETTLED
    from pytest_supercache.oracle.staleness import BOUNDED_STALENESS
    from pytest_supercache.oracle.ttl import TTL_RESPECTED
    from pytest_supercache.plugin.exploring import explore
    from pytest_supercache.plugin.reproducing import reproduce
    from pytest_supercache.remote.executor import DaskExecutor
    from pytest_supercache.world.world import World

__all__ = [
    "BOUNDED_STALENESS",
    "CAP_HOLDS",
    "COHERENT_WHEN_SETTLED",
    "DURABLE_WRITES",
    "ISOLATED_USERS",
    "LINEARIZABLE",
    "MAX_LOADS",
    "MONOTONIC_READS",
    "MONOTONIC_WRITES",
    "NO_DIRTY_READS",
    "NO_LOST_FIELD",
    "NO_LOST_INVALIDATION",
    "NO_RESURRECTION",
    "READ_ATOMIC",
    "READ_YOUR_WRITES",
    "REVOCATION_HOLDS",
    "SEQUENTIALLY_CONSISTENT",
    "TTL_RESPECTED",
    "Assume",
    "CheckResult",
    "Commit",
    "Counterexample",
    "DaskExecutor",
    "Faults",
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
    "reproduce",
    "system",
    "verb",
    "watch",
]

_HOMES = {
    "BOUNDED_STALENESS": "oracle.staleness",
    "CAP_HOLDS": "oracle.admissions",
    "COHERENT_WHEN_SETTLED": "oracle.settled",
    "DURABLE_WRITES": "oracle.durability",
    "ISOLATED_USERS": "oracle.isolation",
    "LINEARIZABLE": "oracle.linearizable",
    "MAX_LOADS": "oracle.loads",
    "MONOTONIC_READS": "oracle.monotonic_reads",
    "MONOTONIC_WRITES": "oracle.monotonic_writes",
    "NO_DIRTY_READS": "oracle.dirty_reads",
    "NO_LOST_FIELD": "oracle.lost_fields",
    "NO_LOST_INVALIDATION": "oracle.lost_invalidation",
    "NO_RESURRECTION": "oracle.resurrection",
    "READ_ATOMIC": "oracle.atomic_reads",
    "READ_YOUR_WRITES": "oracle.session",
    "REVOCATION_HOLDS": "oracle.revocation",
    "SEQUENTIALLY_CONSISTENT": "oracle.sequential",
    "TTL_RESPECTED": "oracle.ttl",
    "Assume": "core.settings",
    "CheckResult": "core.result",
    "Commit": "core.operation",
    "Counterexample": "core.result",
    "DaskExecutor": "remote.executor",
    "Faults": "core.fault",
    "Guarantee": "oracle.guarantee",
    "History": "core.operation",
    "Label": "core.verdict",
    "Operation": "core.operation",
    "SupercacheError": "core.errors",
    "Verdict": "core.verdict",
    "Violation": "core.verdict",
    "World": "world.world",
    "check": "checking.check",
    "check_history": "oracle.guarantee",
    "explore": "plugin.exploring",
    "reproduce": "plugin.reproducing",
    "system": "declare.registry",
    "verb": "declare.registry",
    "watch": "declare.registry",
}

try:
    __version__ = version("pytest-supercache")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
