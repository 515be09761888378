"""Reads what a framework is about to make an answer of: its own code is not rewritten.

A view that returns an object leaves it to the framework to read all of it, which is a read of what
users share, too.
"""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.memory.touching import read_deeply

_patches = Patches()


def open() -> list[tuple[Any, Any]]:
    """Replace what makes answers in the frameworks that are imported."""
    flask, routing = sys.modules.get("flask.app"), sys.modules.get("fastapi.routing")
    if flask is not None:
        _replace(flask.Flask, "make_response", _of_flask)
    if routing is not None:
        _replace(routing, "serialize_response", _of_fastapi)
    return []


def _replace(owner: Any, name: str, make: Callable[..., Any]) -> None:
    if (owner, name) not in _patches.places and hasattr(owner, name):
        _patches.wrap(owner, name, make)


def close() -> None:
    """Restore it."""
    _patches.undo()


def close_opened() -> None:
    """Do nothing: no connection is opened here."""


def _of_flask(make_response: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(make_response)
    def stand_in(app: Any, rv: Any) -> Any:
        for part in rv if type(rv) is tuple else (rv,):  # body, status, headers
            if isinstance(part, dict | list):
                read_deeply(part)
        return make_response(app, rv)

    return stand_in


def _of_fastapi(serialize_response: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(serialize_response)
    async def stand_in(*, response_content: Any, **options: Any) -> Any:
        read_deeply(response_content)
        return await serialize_response(response_content=response_content, **options)

    return stand_in
