"""The flow of an item as data: what a reproducer needs to search it again.

Its digest identifies what was searched: the steps, what they were judged by, and every bound of the
search.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.settings import SAMPLERS, Exploration

if TYPE_CHECKING:
    from pytest_supercache.oracle.guarantee import Guarantee
    from pytest_supercache.scenario.scenario import Scenario, ScenarioItem

Flow = dict[str, Any]

_OPTIONS = ("ticks", "polls", "seed", "memory", "atomic")
"""Options that the command line may change, and that a search needs."""

_BOUNDS = (*_OPTIONS, "grain", "faults", "assume")
"""Settings that bound what an exhausted search covers."""

_BUDGETS = {"time", "executions", "search"}
"""Settings that decide only whether the search is exhausted."""


def flow_of_item(
    item: "ScenarioItem",
    settings: Exploration,
    node: pytest.Item,
    watched: Iterable[Any],
    folder: Path,
) -> Flow:
    """Return a scenario item as a file of its own, with its search settings, for ``folder``.

    ``watched`` is the list of calls that the project's settings watch.
    """
    from pytest_supercache.scenario.writing import written

    alone = _alone(item, settings)
    return {
        "scenario": written(alone),
        "conftests": _conftests(node, folder),
        "digest": _digest(written(_asked(alone)), watched),
    }


def flow_of_test(
    node: pytest.Item,
    settings: Exploration,
    guarantees: Iterable["Guarantee"],
    body: Callable[..., Any],
    watched: Iterable[Any],
    folder: Path,
) -> Flow | None:
    """Return where an explored test is; None: it cannot run alone (an example of ``@given``)."""
    test = getattr(node, "obj", None)
    if hasattr(test, "hypothesis") or not hasattr(test, "is_explored"):
        return None
    owner = getattr(node, "cls", None)
    name = getattr(node, "originalname", None) or node.name
    text = _text_of_test(node.name.removeprefix(name), settings, guarantees, body)
    return {
        "file": _shown(node.path, node),
        "test": f"{owner.__qualname__}.{name}" if owner else name,
        "conftests": _conftests(node, folder),
        "digest": None if text is None else _digest(text, watched),
    }


def _text_of_test(
    parameters: str,
    settings: Exploration,
    guarantees: Iterable["Guarantee"],
    body: Callable[..., Any],
) -> str | None:
    """Return the source of a test, with its bounds; None: its source is not available."""
    try:
        text = inspect.getsource(inspect.unwrap(body))
    except (OSError, TypeError):
        return None
    bounds = [f"{name}={getattr(settings, name)}" for name in _BOUNDS]
    return "\n".join([text, parameters, *bounds, *(one.name for one in guarantees)])


def _digest(text: str, watched: Iterable[Any]) -> str:
    """Return the digest of a flow, which depends on the watched calls but not on their order."""
    text = "\n".join([text, *sorted(map(_in_order, watched))])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _in_order(entry: Any) -> str:
    return repr(sorted(entry.items()) if isinstance(entry, dict) else entry)


def _asked(scenario: "Scenario") -> "Scenario":
    """Return a scenario without the fields that change no steps, judgement or bounds."""
    explore = {name: scenario.explore[name] for name in scenario.explore if name not in _BUDGETS}
    return replace(
        scenario, explore=explore, title="", id="", owner=None, severity=None, tags=(), links={}
    )


def _alone(item: "ScenarioItem", settings: Exploration) -> "Scenario":
    """Return the scenario of this item only, under its name, so that its token remains valid."""
    scenario = item.scenario
    default = Exploration()
    explore = {
        name: value
        for name, value in scenario.explore.items()
        if name != "preemptions" and not (name == "search" and value in SAMPLERS)  # never a proof
    }
    for name in _OPTIONS:
        value = getattr(settings, name)
        if value != getattr(default, name):
            explore[name] = value
    return replace(
        scenario,
        systems=(replace(item.system, stated=None),),
        assume=item.assume,
        explore=explore,
        faults=_faults(scenario, settings),
        cases=(item.case,) if item.case else (),
    )


def _faults(scenario: "Scenario", settings: Exploration) -> Any:
    from pytest_supercache.scenario.scenario import FaultsSpec

    faults = settings.faults
    if faults is None or not faults.max:
        return None
    return replace(scenario.faults or FaultsSpec(), max=faults.max)


def _conftests(node: pytest.Item, folder: Path) -> list[str]:
    """Return the conftest files that pytest would not find by itself from ``folder``."""
    root, folder = node.config.rootpath, folder.resolve()
    above = [one for one in (node.path.parent, *node.path.parents) if one.is_relative_to(root)]
    files = [one / "conftest.py" for one in dict.fromkeys(reversed(above))]
    return [
        _shown(file, node)
        for file in files
        if file.is_file() and not folder.is_relative_to(file.parent)
    ]


def _shown(path: Path, node: pytest.Item) -> str:
    root = node.config.rootpath
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
