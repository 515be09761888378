"""Monkeypatches attributes, and restores them in reverse order.

An interrupt may occur between any two instructions: the original is noted before it is replaced,
and forgotten after it was restored, so that restoring twice does no harm.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any

_ABSENT = object()


class Patches:
    """The monkeypatches in order; as a context manager it restores all originals at its end."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def __enter__(self) -> "Patches":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.undo()

    @property
    def places(self) -> list[tuple[Any, str]]:
        """The currently replaced attributes, each with its owner."""
        return [(owner, name) for owner, name, _ in self._undo]

    def put(self, owner: Any, name: str, stand_in: Any) -> None:
        """Replace an attribute of a module, a class or an object.

        Raises:
            TypeError: the attribute belongs to a class that is not written in Python.
        """
        self._undo.append((owner, name, _kept(owner, name)))
        try:
            setattr(owner, name, stand_in)
        except (AttributeError, TypeError):
            self._undo.pop()
            raise

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        """Replace a function by ``make(function)``, under the same name."""
        function = inspect.getattr_static(owner, name)
        self.put(owner, name, wraps(function)(make(function)))

    def undo(self) -> None:
        """Restore all originals."""
        while self._undo:
            owner, name, kept = self._undo[-1]
            if kept is not _ABSENT:
                setattr(owner, name, kept)
            elif name in vars(owner):
                delattr(owner, name)
            self._undo.pop()


def _kept(owner: Any, name: str) -> Any:
    """Return the attribute that ``owner`` itself defines, unbound; ``_ABSENT`` if inherited."""
    members = getattr(owner, "__dict__", {})
    if name in members:
        return members[name]
    described = inspect.getattr_static(type(owner), name, None)
    return getattr(owner, name) if hasattr(type(described), "__set__") else _ABSENT


_made: dict[Any, Any] = {}


def derived_from_both(wanted: Any, ours: type) -> Any:
    """Return a class that derives from the class ``wanted`` of the code, and from ``ours``.

    Attributes of a class of C cannot be replaced.
    """
    if not isinstance(wanted, type) or issubclass(wanted, ours):
        return wanted  # a function: its result is not changed
    if wanted is ours.__mro__[1]:
        return ours
    if wanted not in _made:
        _made[wanted] = type(wanted.__name__, (wanted, ours), {})
    return _made[wanted]
