"""Implements the grain ``line``: every line of the named functions is a switch point.

An undeclared line of code may touch anything, so its footprint conflicts with every step. On Python
3.11 the threads of actors are traced (``sys.settrace``); from 3.12 on the interpreter itself
reports the lines of these functions only (``sys.monitoring``, PEP 669).
"""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.footprint import ANYTHING
from pytest_supercache.declare.registry import Watch
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import current_actor, tracers
from pytest_supercache.runtime.observe.targets import find_target

_TOOL_IDS = (4, 3)
"""Tool ids of ``sys.monitoring`` without a predefined use."""

_MONITORING: Any = getattr(sys, "monitoring", None)


@contextmanager
def lines_parted(watches: Iterable[Watch], grain: str) -> "Iterator[Lines]":
    """Make the lines of every named function steps, if the grain is ``line``.

    Raises:
        SupercacheError: no function is named, or the lines of one cannot be steps.
    """
    named = [watch.target for watch in watches if watch.lines]
    if grain != "line":
        yield Lines({})
        return
    if not named:
        raise SupercacheError(
            "grain='line' needs functions whose lines are to be steps: name each, as in "
            "watch('shop.cache:Near.get', lines=True)"
        )
    lines = Lines({name: _codes(name, find_target(name).function) for name in named})
    lines.start()
    try:
        yield lines
    finally:
        lines.stop()


class Lines:
    """The code objects whose lines are steps.

    Args:
        named: the code objects of each target.
    """

    def __init__(self, named: Mapping[str, list[CodeType]]) -> None:
        self._named = named
        self._codes = {code for codes in named.values() for code in codes}
        self._tool: int | None = None

    def start(self) -> None:
        """Start tracing these lines."""
        if _MONITORING is None:
            tracers.append(self._trace)
            return
        free = [tool for tool in _TOOL_IDS if _MONITORING.get_tool(tool) is None]
        if not free:
            raise SupercacheError(
                "grain='line': other tools of this process have taken sys.monitoring; run without "
                "the debugger or profiler that uses it"
            )
        self._tool = free[0]
        _MONITORING.use_tool_id(self._tool, "pytest-supercache")
        _MONITORING.register_callback(self._tool, _MONITORING.events.LINE, _come_to)
        self._tell(self._codes)

    def stop(self) -> None:
        """Stop tracing."""
        if self._tool is None:
            tracers.remove(self._trace)
            return
        for code in self._codes:
            _MONITORING.set_local_events(self._tool, code, 0)
        _MONITORING.register_callback(self._tool, _MONITORING.events.LINE, None)
        _MONITORING.free_tool_id(self._tool)

    def add_copies(self, modules: Mapping[str, ModuleType]) -> None:
        """Trace the same functions in fresh copies of modules, too."""
        for name in self._named:
            module, _, path = name.partition(":")
            if module in modules:
                function: Any = modules[module]
                for part in path.split("."):
                    function = inspect.getattr_static(function, part)
                codes = _codes(name, getattr(function, "__func__", function))
                self._codes.update(codes)
                self._tell(codes)

    def _tell(self, codes: Iterable[CodeType]) -> None:
        if self._tool is not None:
            for code in codes:
                _MONITORING.set_local_events(self._tool, code, _MONITORING.events.LINE)

    def _trace(self, frame: Any, event: str, _argument: Any) -> Any:
        """Trace a frame if its code is among the named functions."""
        if frame.f_code not in self._codes:
            return None
        if event == "line":
            _come_to(frame.f_code, frame.f_lineno)
        return self._trace


def _come_to(code: CodeType, line: int) -> None:
    """Take a step before a line, on a thread of the race."""
    actor = current_actor()
    if actor is None or actor.direct:
        return
    execution = controlled()
    if execution is None or execution.controller.leaving():
        return
    if actor.is_task:
        execution.controller.simplify("lines inside coroutines atomic")
        return
    execution.step(_label(code, line), ANYTHING, kind="line")


@cache
def _label(code: CodeType, line: int) -> str:
    return f"{PurePath(code.co_filename).name}:{line} in {code.co_qualname}"


def _codes(name: str, function: Any) -> list[CodeType]:
    """Return the code of a function, of the functions it wraps, and of all nested functions.

    Raises:
        SupercacheError: the function has no lines, or they cannot be steps.
    """
    if inspect.iscoroutinefunction(inspect.unwrap(function)):
        raise SupercacheError(
            f"watch({name!r}, lines=True): a coroutine can only part where it awaits; use "
            "grain='await'"
        )
    found: list[CodeType] = []
    while isinstance(function, FunctionType):
        found += _with_inner(function.__code__)
        function = getattr(function, "__wrapped__", None)
    if not found:
        raise SupercacheError(
            f"watch({name!r}, lines=True): it is not a function written in Python, so it has no "
            "lines; watch the call instead"
        )
    return found


def _with_inner(code: CodeType) -> list[CodeType]:
    inner = [
        each
        for const in code.co_consts
        if isinstance(const, CodeType)
        for each in _with_inner(const)
    ]
    return [code, *inner]
