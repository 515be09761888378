"""Finds the implementations among which a function of `functools.singledispatch` chooses.

Code may register one while another user calls the function.
"""

from types import FunctionType
from typing import Any


def implementations_of(function: FunctionType) -> Any:
    """Return the implementations that a function chooses from, or adds to; None: it does not."""
    variables = function.__code__.co_freevars
    cells = dict(zip(variables, function.__closure__ or (), strict=True))
    if "registry" in cells:
        return cells["registry"].cell_contents
    return implementations_of(cells["dispatch"].cell_contents) if "dispatch" in cells else None


def registers(function: FunctionType) -> bool:
    """Say whether such a function adds an implementation."""
    return function.__code__.co_name == "register"
