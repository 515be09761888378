"""What a reproducer replays before it searches: one recorded schedule."""

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
"""The schedule that a reproducer replays at the moment."""

FLOW = "supercache_flow"
"""The attribute of a test that holds what it replays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a reproducer holds."""

    token: str
    modules: tuple[ModuleType, ...]  # with fixtures of the project


def attempted(node: pytest.Item, check: "Callable[[], CheckResult]") -> "CheckResult":
    """Check; for a reproducer replay first, and search when that shows no violation."""
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
    """Return what a reproducer replays; None: the item is none."""
    recorded = getattr(getattr(node, "obj", None), FLOW, None)
    return recorded if isinstance(recorded, Recorded) else None


def is_recorded(item: pytest.Item) -> bool:
    """Say whether an item is worth running: a reproducer runs what its token names, no other."""
    recorded = recorded_of(item)
    if recorded is None or not hasattr(item.obj, "is_explored"):  # type: ignore[attr-defined]
        return True
    named = read_token(recorded.token)[0]
    before, found, _ = named.rpartition(f"::{masked(item.name)}")
    return bool(found) and is_id_of(named, f"{before}::{item.name}")
