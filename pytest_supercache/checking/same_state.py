"""Refuses to search for another process whose code under test is in another state.

Forks know what earlier tests have left in globals, such as a switch that stays on. A process that
was started anew does not, and would search code that behaves otherwise.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from pytest_supercache.remote.child import answer_calls
from pytest_supercache.remote.program import NotCalledError
from pytest_supercache.runtime.process.fingerprints import (
    modules_of,
    other_state,
    state_elsewhere,
)

_SHOWN_MAX = 3


class SameState:
    """Makes calls if the globals of the code under test are those of the process that asks.

    They are compared once, before the first call: later ones find what executions have cached.

    Args:
        there: the state in the process that asks.
    """

    def __init__(self, there: Mapping[str, int]) -> None:
        self._there = there
        self._absent: frozenset[str] | None = None  # modules that only the other process has yet

    def call(self, function: Callable[..., Any], *given: Any) -> Any:
        """Make a call.

        Raises:
            NotCalledError: the state differs, or that of a module that the call imported may.
        """
        if self._absent is None:
            here = state_elsewhere()
            if other := other_state(here, self._there):
                raise NotCalledError(f"module globals have another content there: {_some(other)}")
            self._absent = frozenset(modules_of(self._there) - sys.modules.keys())
        result = function(*given)
        if late := self._absent & sys.modules.keys():
            raise NotCalledError(
                f"what an earlier test left in globals is not known there: {_some(sorted(late))}, "
                "which is imported there only by the search. Import it where the test is defined"
            )
        return result


def _some(names: list[str]) -> str:
    more = [f"and {len(names) - _SHOWN_MAX} more"] if len(names) > _SHOWN_MAX else []
    return ", ".join([*names[:_SHOWN_MAX], *more])


def answer_alike(connection: Any, there: Mapping[str, int]) -> None:
    """Answer calls in a child process that a worker of a cluster has started."""
    answer_calls(connection, SameState(there).call)
