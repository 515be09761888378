"""Subclasses the connection and cursor classes that code names, where they are C classes.

Attributes of a C class cannot be replaced.
"""

from typing import Any

_made: dict[Any, Any] = {}


def derived_from_both(wanted: Any, ours: type) -> Any:
    """Return a class that derives from the class ``wanted`` of the code, and from ``ours``."""
    if not isinstance(wanted, type) or issubclass(wanted, ours):
        return wanted  # a function: its result is not changed
    if wanted is ours.__mro__[1]:
        return ours
    if wanted not in _made:
        _made[wanted] = type(wanted.__name__, (wanted, ours), {})
    return _made[wanted]
