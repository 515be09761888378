"""Converts any value to JSON-safe data and never raises, because a report must survive its values.

User code may pass objects whose ``__repr__`` raises, dictionaries that contain themselves and
numbers that JSON does not have. Nothing is dropped silently: a value that cannot be kept is named
in angle brackets.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

from pytest_supercache.core.printable import bytes_text, encodable, printable_int

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

DEPTH_MAX = 24
REPR_MAX = 10_000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def plain(value: object) -> Plain:
    """Return ``value`` as data that ``json.dumps`` accepts; never raises."""
    return _plain(value, ())


def safe_repr(value: object) -> str:
    """Return ``repr(value)`` without memory addresses, or a text that says why there is none."""
    try:
        text = str.__str__(repr(value))
    except Exception as error:  # noqa: BLE001 - the code under test owns this __repr__
        return f"<{type(value).__name__}: repr raised {type(error).__name__}>"
    text = _ADDRESS.sub("", text)
    if len(text) > REPR_MAX:
        text = f"{text[:REPR_MAX]}<{len(text) - REPR_MAX} more characters>"
    return encodable(text)


def error_text(error: BaseException) -> str:
    """Return ``TypeName: message``; never raises."""
    try:
        message = str.__str__(str(error))
    except Exception as failed:  # noqa: BLE001 - the code under test owns this __str__
        message = f"<str raised {type(failed).__name__}>"
    name = type(error).__name__
    return encodable(f"{name}: {message}" if message else name)


def _plain(value: object, above: tuple[int, ...]) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    try:
        return _container(value, above) if _is_container(value) else _single(value, above)
    except Exception:  # noqa: BLE001 - a user's own mapping or property may raise anything
        return safe_repr(value)


def _is_container(value: object) -> bool:
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return True
    return is_dataclass(value) and not isinstance(value, type)


def _single(value: object, above: tuple[int, ...]) -> Plain:
    if isinstance(value, Enum):
        return _plain(value.value, (*above, id(value))) if len(above) < DEPTH_MAX else "<deeper>"
    if isinstance(value, str):
        return encodable(str.__str__(value))
    if isinstance(value, int):
        return printable_int(int.__int__(value))
    if isinstance(value, float):
        return _number(float.__float__(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes_text(bytes(value))
    if isinstance(value, BaseException):
        return error_text(value)
    return safe_repr(value)


def _container(value: object, above: tuple[int, ...]) -> Plain:
    if id(value) in above:
        return "<cycle>"
    if len(above) >= DEPTH_MAX:
        return "<deeper>"
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        return _mapping(value.items(), inside)
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(member, inside) for member in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(member, inside) for member in value]
    assert is_dataclass(value), f"{type(value).__name__} is no container"
    return _mapping(((f.name, getattr(value, f.name)) for f in fields(value)), inside)


def _mapping(items: Iterable[tuple[object, object]], above: tuple[int, ...]) -> dict[str, Plain]:
    result: dict[str, Plain] = {}
    for key, member in items:
        name = _key(key, above)
        while name in result:  # 1 and "1" are two keys in Python and one in JSON
            name += f" ({type(key).__name__})"
        result[name] = _plain(member, above)
    return result


def _key(key: object, above: tuple[int, ...]) -> str:
    as_plain = _plain(key, above)
    return as_plain if isinstance(as_plain, str) else repr(as_plain)


def _number(value: float) -> Plain:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
