"""Derives from the classes that code names for connections and cursors, where those are of C."""

from typing import Any

_made: dict[Any, Any] = {}


def joined(wanted: Any, ours: type) -> Any:
    """Return a subclass of the code's class ``wanted``, with ``ours`` as its base, too."""
    if not isinstance(wanted, type) or issubclass(wanted, ours):
        return wanted  # a function: its result is not changed
    if wanted is ours.__mro__[1]:
        return ours
    if wanted not in _made:
        _made[wanted] = type(wanted.__name__, (wanted, ours), {})
    return _made[wanted]
