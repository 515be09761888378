"""Finds objects of modules by names given in options."""

import importlib
from typing import Any

from pytest_supercache.core.errors import UndeclaredStateError


def find_object(name: str, option: str) -> tuple[Any, str, Any]:
    """Return the owner, the attribute name and the value of ``"package.module:name"``.

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
