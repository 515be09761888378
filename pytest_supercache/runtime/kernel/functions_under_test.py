"""Names the functions and lines under test in an error's traceback, or on an actor's stack.

Unlike line numbers, names stay the same when code above them changes, so fingerprints use them.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from os.path import realpath
from types import FrameType
from typing import Any

from pytest_supercache.core.fault import CAUSE
from pytest_supercache.core.folders import is_installed
from pytest_supercache.core.trace import SourceLine
from pytest_supercache.runtime.kernel.under_test import is_under_test_name

ERRORS_MAX = 100
"""How many errors of a chain of causes are examined."""

FUNCTIONS_MAX = 1_000
"""How many functions of a stack are kept, the innermost ones."""

Raised = tuple[str, tuple[str, ...]]
"""The type of an error, and the functions in its traceback, the outermost first."""


def raised(error: BaseException) -> tuple[Raised, ...]:
    """Return an error, followed by every error that led to it.

    These are causes, contexts (also those hidden by ``from None``) and members of groups. Errors
    that libraries raised and caught among themselves are omitted: they vary with the version.
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


def frames_to(frame: FrameType | None) -> list[FrameType]:
    """Return the callers of a frame, the outermost first, and the frame itself."""
    return list(callers(frame))[::-1]


def functions_of(frames: Iterable[FrameType]) -> tuple[str, ...]:
    """Return the names of the functions under test among ``frames``, in the same order."""
    names = deque[str](maxlen=FUNCTIONS_MAX)
    for frame in frames:
        if _is_under_test(frame):
            names.append(f"{frame.f_globals['__name__']}.{frame.f_code.co_qualname}")
    return tuple(names)


def sources_of(frames: Sequence[FrameType]) -> tuple[SourceLine, ...]:
    """Return the innermost line under test; if it is installed, also the project's innermost one.

    ``frames`` begin with the outermost. A line of a library tells what happens, and the line of the
    project that leads there tells whose code it is.
    """
    under_test = (frame for frame in reversed(frames) if _is_under_test(frame))
    found: list[SourceLine] = []
    for frame in under_test:
        code = frame.f_code
        installed = is_installed(realpath(code.co_filename))
        if frame.f_lineno is not None and not (found and installed):
            found.append(SourceLine(code.co_filename, frame.f_lineno, code.co_qualname))
        if found and not installed:
            break
    return tuple(found)


def _described(error: BaseException) -> Raised:
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}", functions_of(_left(error))


def _led_to(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """Yield each error that led to ``error``, and whether code under test named it explicitly.

    Attributes are read by base-class descriptors, because error classes may have properties.
    """
    innermost = deque(_left(error), maxlen=1)
    cause, context = CAUSE.__get__(error), _CONTEXT.__get__(error)
    if cause is not None:
        yield cause, any(map(_is_under_test, innermost))
    if context is not None:
        yield context, False
    if isinstance(error, BaseExceptionGroup):
        for member in _MEMBERS.__get__(error):
            yield member, True


_CONTEXT: Any = vars(BaseException)["__context__"]
_MEMBERS: Any = vars(BaseExceptionGroup)["exceptions"]


def _is_under_test(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__")  # code that was compiled by `exec` may have none
    return type(module) is str and is_under_test_name(module)


def _left(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames of an error's traceback, the outermost first."""
    entry = error.__traceback__
    while entry is not None:
        yield entry.tb_frame
        entry = entry.tb_next


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back
