"""Which function of the code under test raised an error, or waits: known by name, without lines.

Names stay when code above them changes, which line numbers do not; so a fingerprint can have them.
"""

from collections.abc import Iterable, Iterator
from types import FrameType

from pytest_supercache.runtime.under_test import is_under_test_name


def raised_in(error: BaseException) -> str:
    """Name the innermost function under test that an error left; empty: it left none."""
    frames = list[FrameType]()
    entry = error.__traceback__
    while entry is not None:
        frames.append(entry.tb_frame)
        entry = entry.tb_next
    return innermost(reversed(frames))


def waits_in(frame: FrameType | None) -> str:
    """Name the innermost function under test on a stack, given its last frame."""
    return innermost(_callers(frame))


def innermost(frames: Iterable[FrameType]) -> str:
    """Name the first function under test of frames, the innermost frame first."""
    for frame in frames:
        module = frame.f_globals.get("__name__", "")
        if type(module) is str and is_under_test_name(module):
            return f"{module}.{frame.f_code.co_qualname}"
    return ""


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
