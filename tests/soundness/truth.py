"""Small systems whose truth is known: each says whether it is broken, and why, in one line.

A body registers actors, runs them, and asserts what its author believes. It is *broken* when some
interleaving on real threads, or on a real event loop, breaks the assertion, and *right* when none
does. Nothing is declared: what the actors share has to be found.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import AnyServer, start_server
from tests.searched import few_random_schedules
from tests.selection import either

_server = cache(partial(start_server, "fakeredis"))

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True)
class System:
    """One body with its truth."""

    name: str
    body: Callable[..., Any]
    is_broken: bool
    why: str
    unknown: str = ""
    """What the reason names where the truth cannot be found out; then nothing else may be said."""
    options: dict[str, Any] = field(default_factory=dict)

    def must_be_told(self, server: AnyServer | None = None) -> None:
        """Check it on a server, by default fakeredis, and compare what is said with the truth."""
        settings = Exploration(odds=Simulation(runs=0), **self.options)
        with few_random_schedules():
            result = check_on(server or _server(), self.body, settings, guarantees=())
        told = f"{self.name} is {'broken' if self.is_broken else 'right'}: {self.why}"
        found = result.counterexample
        seen = f"{result.verdict.value}; {result.reasons}; {result.notes}"
        if found is not None:
            steps = "\n".join(f"{s.actor}: {s.label}" for s in found.execution.race)
            seen = f"{seen}\n{found.violation}\n{steps}"
        if self.unknown:
            assert result.verdict is Verdict.UNKNOWN, f"{told}\n{seen}"
            assert self.unknown in " ".join(result.reasons), seen
            return
        expected = Verdict.VIOLATED if self.is_broken else Verdict.HOLDS
        assert result.verdict is expected, f"{told}\n{seen}"


PAIRS_SKIPPED = 3
"""The short form checks every third pair of each file, and always the first one."""

_STATED = "_stated_systems"
"""Where a module keeps its systems: in this one, every check of the suite would look into them."""


def broken(why: str, *, unknown: str = "", **options: Any) -> Decorator:
    """Say of a body that some interleaving breaks it, and which."""
    return _stated(why, unknown, options, is_broken=True)


def right(why: str, *, unknown: str = "", **options: Any) -> Decorator:
    """Say of a body that no interleaving breaks it, and why not."""
    return _stated(why, unknown, options, is_broken=False)


def _stated(why: str, unknown: str, options: dict[str, Any], *, is_broken: bool) -> Decorator:
    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        system = System(body.__name__, body, is_broken, why, unknown, options)
        vars(sys.modules[body.__module__]).setdefault(_STATED, []).append(system)
        return body

    return decorate


def systems_of(module: str, *, every: int = PAIRS_SKIPPED) -> list[System]:
    """Return the systems that a module has stated; in the short form, of some pairs.

    Args:
        module: its name.
        every: which pairs; more are left out where many of them show one mechanism.

    Raises:
        AssertionError: a name stands for two of them, so that one would not be seen.
    """
    found: list[System] = vars(sys.modules[module]).get(_STATED, [])
    names = [system.name for system in found]
    assert len(set(names)) == len(names), sorted({n for n in names if names.count(n) > 1})
    assert all(system.why for system in found)
    stated = {id(system.body) for system in found}
    bodies = vars(sys.modules[module]).values()
    assert all(id(b) in stated for b in bodies if inspect.isfunction(b) and _takes_world(b))
    return [found[at] for at in range(len(found)) if (at // 2) % either(every, 1) == 0]


def _takes_world(function: Any) -> bool:
    return list(inspect.signature(function).parameters) == ["world"]
