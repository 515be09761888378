"""An operation while it runs: what is known of a user's call until it returns."""

import inspect
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.operation import Operation


@dataclass(slots=True, kw_only=True)
class Call:
    """An operation while it runs; ``answer`` may be set until it returns."""

    user: str
    node: str
    kind: str
    key: str | None = None
    value: Any = None
    answer: Any = None
    error: BaseException | None = None
    error_expected: bool = False
    step: str = ""
    line: int | None = None
    phase: str = "race"
    called_at: int = 0
    returned_at: int | None = None
    steps: int = 0
    sightings: tuple[tuple[str, Any], ...] = ()
    writes: tuple[tuple[str, Any], ...] = ()

    def operation(self) -> Operation:
        """Return the finished operation, or what is known of an unfinished one."""
        return Operation(**dict(zip(Call.__slots__, _values_of(self), strict=True)))


_values_of = attrgetter(*Call.__slots__)


def ran(answer: Any, what: str) -> Any:
    """Return an answer unless it is a coroutine that nobody ever ran.

    Raises:
        SupercacheError: it is; taken for an answer, it would pass for code that was executed.
    """
    if inspect.iscoroutine(answer):
        answer.close()
        raise SupercacheError(
            f"{what} returned a coroutine, which nobody runs: the function is not a coroutine "
            "function itself. Write `async def`, or give the coroutine function and its arguments"
        )
    return answer
