"""Reports failures of this package itself: the error, the place, and the versions."""

import logging
import platform
import traceback
from collections.abc import Callable
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import ParamSpec

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import masked
from pytest_supercache.core.printable import printable
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.verdict import Verdict

P = ParamSpec("P")

FRAMES_SHOWN = 8
"""The largest number of places of a traceback that are named, the innermost ones."""

MESSAGE_MAX = 300
"""The largest number of characters of an error's message, which may quote user data."""

_PACKAGES = ("pytest-supercache", "pytest", "redis", "fakeredis", "hypothesis")
_TEST_TOOLS = frozenset({"_pytest", "pytest", "unittest", "hypothesis", "bdb"})
_ROOT = Path(__file__).parent.parent
_LOG = logging.getLogger("pytest_supercache")


def reported_as_unknown(check: Callable[P, CheckResult]) -> Callable[P, CheckResult]:
    """Make the result of a check UNKNOWN, with a report, if this package fails in it."""

    @wraps(check)
    def checked(*args: P.args, **options: P.kwargs) -> CheckResult:
        try:
            return check(*args, **options)
        except Exception as error:
            if is_for_the_caller(error):
                raise
            return CheckResult(verdict=Verdict.UNKNOWN, reasons=(report_of(error),))

    return checked


def is_for_the_caller(error: Exception) -> bool:
    """Say whether an error that ended a check is to be raised to the caller.

    Such errors are mistakes that the user can correct, and exceptions by which pytest, unittest,
    Hypothesis and debuggers end or skip a test.
    """
    of = str(type(error).__module__).partition(".")[0]
    return isinstance(error, SupercacheError) or of in _TEST_TOOLS


def report_of(error: Exception) -> str:
    """Describe a failure of this package in words that can be sent to its maintainers.

    The whole traceback is logged, at level DEBUG.
    """
    _LOG.debug("a check has failed by a mistake of pytest-supercache", exc_info=error)
    said = printable(masked(str(error)), but="")[:MESSAGE_MAX]
    return (
        "pytest-supercache itself has failed, so nothing is known about this flow: "
        f"{type(error).__name__}{f': {said}' if said else ''} at {' < '.join(_places(error))}; "
        f"{', '.join(_versions())}. Please report this text at the issue tracker of "
        "pytest-supercache, if possible with the flow. The whole traceback is logged with "
        "--log-level=DEBUG"
    )


def _places(error: BaseException) -> list[str]:
    """Return the innermost places of a traceback; a recursive one only once."""
    walked = traceback.walk_tb(error.__traceback__)
    found = [_place(frame, line) for frame, line in walked if line]  # a hook is on no line
    return list(dict.fromkeys(reversed(found)))[:FRAMES_SHOWN] or ["an unknown place"]


def _place(frame: FrameType, line: int) -> str:
    file = Path(frame.f_code.co_filename)
    shown = str(frame.f_globals.get("__name__", file.name))
    if file.is_relative_to(_ROOT):
        shown = file.relative_to(_ROOT).as_posix()
    return f"{shown}:{line} in {frame.f_code.co_name}"


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()} on {platform.system()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # it is not needed for every check
            continue
    return found
