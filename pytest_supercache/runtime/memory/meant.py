"""Says which object has the attributes that code reads, or sets, of another one.

`shop.view.calls` is an attribute of the function behind the method, and `Repo[int].loads` one of
the class `Repo`.
"""

import operator
import types
import typing
from collections.abc import Callable
from typing import Any

_Element = typing.TypeVar("_Element")


class _Generic(typing.Generic[_Element]): ...


MEANT_BY: dict[type, Callable[[Any], Any]] = {
    types.MethodType: operator.attrgetter("__func__"),
    types.GenericAlias: typing.get_origin,
    type(_Generic[int]): typing.get_origin,  # of a class that is generic
}
"""By the type of an object: what returns the one that has its attributes, but for special ones."""
