"""Rewrites the code that code under test runs by `exec` and `eval`."""

import __future__

import inspect
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from pytest_supercache.runtime.kernel.own_code import RUNTIME
from pytest_supercache.runtime.memory.current import Current

_INDENT: Any = " \t"
EXECUTORS = frozenset({exec, eval})
_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


def executing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stand-in for ``exec`` or ``eval`` whose code reports what it accesses."""

    def stand_in(source: Any, globals: Any = None, locals: Any = None, **options: Any) -> Any:
        caller = _caller()
        if globals is None:
            globals, locals = caller.f_globals, _locals(caller) if locals is None else locals
        return function(_rewritten(source, function, caller), globals, locals, **options)

    return stand_in


def _caller() -> FrameType:
    """Return the frame of the code that has called one of our stand-ins."""
    frame = sys._getframe(2)
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(RUNTIME):
        frame = frame.f_back
    return frame


def _locals(frame: FrameType) -> Any:
    """Return the namespace of a module or a class, or the variables of a function as they are."""
    is_of_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED
    return dict(frame.f_locals) if is_of_function else frame.f_locals


def _rewritten(source: Any, function: Callable[..., Any], caller: FrameType) -> Any:
    """Return what to run in the place of a source."""
    if isinstance(source, str | bytes | bytearray):
        if function is eval:
            source = source.lstrip(_INDENT if isinstance(source, str) else _INDENT.encode())
        source = compile(
            source,
            "<string>",
            function.__name__,
            flags=caller.f_code.co_flags & _FUTURE,
            dont_inherit=True,
        )
    rewrite = Current.rewrite_code
    return source if rewrite is None or type(source) is not CodeType else rewrite(source)
