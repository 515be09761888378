"""What the hooks of rewritten code work with: the check, and the execution, that go on now."""

import types
from collections.abc import Callable
from typing import Any, ClassVar


class Current:
    """The check that goes on now."""

    accesses: Any = None
    """The `Accesses` of the race that goes on; None outside of one, where hooks do nothing."""
    execution: Any = None
    """The `Accesses` of the execution that runs, from the first line of its body to its end."""
    rewrite: Callable[[types.FunctionType], None] | None = None
    """Rewrites a function of the standard library."""
    knows_code: Callable[[types.CodeType], bool] | None = None
    """Says whether code is rewritten."""
    tell_of_return: Callable[[types.FunctionType], None] | None = None
    """Lets rewritten code also tell when it returns."""
    tell_of_entering: Callable[[types.FunctionType], None] | None = None
    """Lets a function of the standard library tell when it begins."""
    rewrite_container: Callable[[type], None] | None = None
    """Rewrites the methods that a type has from containers of the standard library."""
    touch_call: Callable[[Any, Any, tuple[Any, ...]], None] | None = None
    """Touches what a call uses that code of C is about to make."""
    looked_into: ClassVar[set[str]] = set()
    """Modules of the standard library whose functions are rewritten when they are called."""
    prepared: ClassVar[dict[type, bool]] = {}
    """Types -> whether their methods touch for themselves, though they are none of the code's."""
