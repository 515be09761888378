"""Records the accesses of calls of memo functions, such as those of ``functools.lru_cache``.

A memo looks up its arguments, calls its function if they are new, and stores the result.
"""

import functools
import gc
from collections.abc import Callable
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.effects import Memo, holds
from pytest_supercache.runtime.memory.steps import joined
from pytest_supercache.runtime.memory.storing import tell_of_return
from pytest_supercache.runtime.memory.touching import touch_whole


def remembered(memo: Any) -> Any:
    """Return the function whose results a memo remembers, behind any memos in between."""
    return getattr(_chain(memo)[-1], "__wrapped__", None)


def _chain(memo: Any) -> list[Any]:
    """Return a memo and the memos that it wraps."""
    found = [memo]
    while type(inner := getattr(found[-1], "__wrapped__", None)) is Memo:
        found.append(inner)
    return found


def touch_memo(accesses: Accesses, memo: Any, function: Any) -> Any:
    """Touch what a memo function remembers; return the callable to use in its place.

    Args:
        accesses: those of the execution.
        memo: the memo.
        function: what is called, the memo itself or a method bound to it.
    """
    shared: Footprint | None = None
    for one in _chain(memo):
        shared = joined(shared, accesses.touch(one, WHOLE, writes=True))
    stand_in = None
    if shared is not None:
        tell_of_return(remembered(memo))
        stand_in = _calling(accesses, shared, memo, function)
    if accesses.nodes is None:
        return stand_in
    return functools.partial(_remembering, accesses, memo, stand_in or function)


def memo_of_c(accesses: Accesses, memo: Any, given: Footprint | None) -> Any:
    """Touch what a memo of a library in compiled code remembers, beside what it is given.

    Returns:
        A stand-in for it; None: nobody else uses what it touches.
    """
    kept = next(filter(_is_container, gc.get_referents(memo)), memo)
    footprint = joined(given, touch_whole(accesses, kept, writes=True))
    if footprint is None:
        return None
    tell_of_return(memo.__wrapped__)
    return _calling(accesses, footprint, kept, memo)


def _is_container(value: Any) -> bool:
    return holds(type(value))


def _calling(
    accesses: Accesses, footprint: Footprint, holder: Any, function: Any
) -> Callable[..., Any]:
    """Return a stand-in for a memo function that other actors use, too.

    Args:
        accesses: those of the execution.
        footprint: what the memo remembers.
        holder: where it keeps that.
        function: the memo, or a method bound to it.
    """

    def stand_in(*arguments: Any, **keywords: Any) -> Any:
        with accesses.calling_back(footprint), accesses.storing(holder, WHOLE, footprint):
            return function(*arguments, **keywords)

    return stand_in


def _remembering(
    accesses: Accesses, memo: Any, function: Any, *arguments: Any, **keywords: Any
) -> Any:
    """Call a memo function; a result that took steps could differ on another node."""
    before = accesses.steps_taken()
    try:
        return function(*arguments, **keywords)
    finally:
        accesses.note_node(memo, WHOLE, writes=accesses.steps_taken() > before)
