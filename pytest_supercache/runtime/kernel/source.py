"""Reads source lines and the values of their names from a frame, without running code."""

import ast
import inspect
import linecache
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any


def parts_of(frame: FrameType) -> Iterator[ast.AST]:
    """Yield all syntax nodes of the file of a frame; none if it cannot be read."""
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    with suppress(SyntaxError, ValueError):
        yield from ast.walk(ast.parse("".join(lines)))


def value_of(node: ast.expr, frame: FrameType) -> Any:
    """Return the value of a name or an attribute; None: only running code would tell it."""
    if isinstance(node, ast.Name):
        for names in (frame.f_locals, frame.f_globals):
            if node.id in names:
                return names[node.id]
        return None
    if not isinstance(node, ast.Attribute):
        return None
    holder = value_of(node.value, frame)
    found = None if holder is None else inspect.getattr_static(holder, node.attr, None)
    if inspect.ismemberdescriptor(found):  # a slot
        with suppress(AttributeError):
            return found.__get__(holder)
        return None
    return found
