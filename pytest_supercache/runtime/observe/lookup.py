"""Finds objects of modules by the names that options give."""

import importlib
from typing import Any

from pytest_supercache.core.errors import UndeclaredStateError


def find_object(name: str, option: str) -> tuple[Any, str, Any]:
    """Find ``"package.module:name"``: its owner, its name there, and itself.

    Raises:
        UndeclaredStateError: there is no such object.
    """
    module_name, _, path = name.partition(":")
    *parents, last = path.split(".")
    try:
        owner: Any = importlib.import_module(module_name)
        for part in parents:
            owner = getattr(owner, part)
        return owner, last, getattr(owner, last)
    except (ImportError, AttributeError, ValueError) as error:
        raise UndeclaredStateError(
            f"{option}={name!r}: {error}. Expected 'package.module:name'."
        ) from error
