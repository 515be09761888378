"""Follows errors to those from which they were raised."""

from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.identity import identity

_CAUSE: Any = vars(BaseException)["__cause__"]  # an error class may have a property of that name


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was raised ``from``, each once: they may form a cycle."""
    seen: set[int] = set()
    while error is not None and identity(error) not in seen:
        seen.add(identity(error))
        yield error
        error = _CAUSE.__get__(error)
