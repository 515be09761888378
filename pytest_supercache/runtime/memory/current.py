"""Holds the check and the execution that the hooks of rewritten code refer to."""

import types
from collections.abc import Callable
from typing import Any, ClassVar


class Current:
    """The check that is running."""

    accesses: Any = None
    """The `Accesses` of the race that is running; None outside of one: hooks do nothing."""
    execution: Any = None
    """The `Accesses` of the execution that runs, from the first line of its body to its end."""
    rewrite: Callable[[types.FunctionType], None] | None = None
    """Rewrites a function of the standard library."""
    rewrite_generated: Callable[[types.FunctionType], None] | None = None
    """Rewrites a function that was generated for a class of the code under test."""
    rewrite_code: Callable[[types.CodeType], types.CodeType] | None = None
    """Returns a rewritten copy of code that is about to be executed."""
    knows_code: Callable[[types.CodeType], bool] | None = None
    """Says whether code is rewritten."""
    tell_of_return: Callable[[types.FunctionType], None] | None = None
    """Makes rewritten code also report when it returns."""
    tell_of_entering: Callable[[types.FunctionType], None] | None = None
    """Makes a function of the standard library report when it begins."""
    rewrite_container: Callable[[type], None] | None = None
    """Rewrites the methods that a type inherits from containers of the standard library."""
    stand_in: Callable[[Any], Any] | None = None
    """Returns the stand-in of a real lock for the running execution."""
    touch_call: Callable[[Any, Any, tuple[Any, ...]], None] | None = None
    """Touches the memory of a call that C code is about to make."""
    looked_into: ClassVar[set[str]] = set()
    """Modules of the standard library whose functions are rewritten when they are called."""
    prepared: ClassVar[dict[type, bool]] = {}
    """Types -> whether they are library containers in Python, whose methods are rewritten."""
