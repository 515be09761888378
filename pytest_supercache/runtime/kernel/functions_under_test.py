"""Names the functions under test that an error has left, or that an actor waits in.

Names stay when code above them changes, which line numbers do not; so a fingerprint can have them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from pytest_supercache.runtime.kernel.under_test import is_under_test_name

ERRORS_MAX = 100
"""So many errors behind one are looked at."""

FUNCTIONS_MAX = 1_000
"""So many functions of a stack are kept, the innermost ones."""

Raised = tuple[str, tuple[str, ...]]
"""The type of an error, and the functions that it left, the outermost first."""


def raised(error: BaseException) -> tuple[Raised, ...]:
    """Return an error and, after it, every error that led to it.

    These are causes, contexts (also those that ``from None`` hides) and members of groups. What
    libraries raised and caught among themselves is left out: it differs by their version.
    """
    found = [_described(error)]
    errors = [error]
    for one in errors:  # it grows
        for other, is_chosen in _led_to(one):
            if len(errors) < ERRORS_MAX and not any(other is known for known in errors):
                errors.append(other)
                told = _described(other)
                found += [told] if is_chosen or (told[1] and isinstance(other, Exception)) else []
    return tuple(found)


def functions_on_stack(frame: FrameType | None) -> tuple[str, ...]:
    """Return the functions under test on a stack, the outermost first, given its last frame."""
    return functions_of(reversed(list(callers(frame))))


def functions_of(frames: Iterable[FrameType]) -> tuple[str, ...]:
    """Name the functions under test of frames, in the same order."""
    names = deque[str](maxlen=FUNCTIONS_MAX)
    for frame in frames:
        if _is_under_test(frame):
            names.append(f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}")
    return tuple(names)


def _described(error: BaseException) -> Raised:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}", functions_of(_left(error))


def _led_to(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """Yield what led to an error, and whether code under test has chosen it by name.

    Descriptors of the base classes are asked, because classes of errors may have properties.
    """
    innermost = deque(_left(error), maxlen=1)
    cause, context = _CAUSE.__get__(error), _CONTEXT.__get__(error)
    if cause is not None:
        yield cause, any(map(_is_under_test, innermost))
    if context is not None:
        yield context, False
    if isinstance(error, BaseExceptionGroup):
        for member in _MEMBERS.__get__(error):
            yield member, True


_CAUSE: Any = vars(BaseException)["__cause__"]
_CONTEXT: Any = vars(BaseException)["__context__"]
_MEMBERS: Any = vars(BaseExceptionGroup)["exceptions"]


def _is_under_test(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__", "")
    return type(module) is str and is_under_test_name(module)


def _left(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames that an error left, the outermost first."""
    entry = error.__traceback__
    while entry is not None:
        yield entry.tb_frame
        entry = entry.tb_next


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back
