"""The recorded schedule that a reproducer replays before it searches."""

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from pytest_supercache.core.masking import is_id_of, masked
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_supercache.core.result import CheckResult
    from pytest_supercache.core.schedule import Schedule

REPLAYED: pytest.StashKey["Schedule"] = pytest.StashKey()
"""The schedule that a reproducer is replaying."""

FLOW = "supercache_flow"
"""The attribute of a test with its `Recorded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The recording in a reproducer: its token, and the modules with fixtures."""

    token: str
    modules: tuple[ModuleType, ...]  # with fixtures of the project


def attempted(node: pytest.Item, check: "Callable[[], CheckResult]") -> "CheckResult":
    """Check an item; a reproducer replays first, and searches if the replay shows no violation."""
    recorded = recorded_of(node)
    if recorded is None:
        return check()
    node.stash[REPLAYED] = read_token(recorded.token)[1]
    try:
        result = check()
    finally:
        del node.stash[REPLAYED]
    return result if result.verdict is Verdict.VIOLATED else check()


def recorded_of(node: pytest.Item) -> Recorded | None:
    """Return the recording of a reproducer; None: the item is no reproducer."""
    recorded = getattr(getattr(node, "obj", None), FLOW, None)
    return recorded if isinstance(recorded, Recorded) else None


def is_recorded(item: pytest.Item) -> bool:
    """Say whether a reproducer's item is the one that its token names; True for any other item."""
    recorded = recorded_of(item)
    if recorded is None or not hasattr(getattr(item, "obj", None), "is_explored"):
        return True
    named = read_token(recorded.token)[0]
    before, found, _ = named.rpartition(f"::{masked(item.name)}")
    return bool(found) and is_id_of(named, f"{before}::{item.name}")
