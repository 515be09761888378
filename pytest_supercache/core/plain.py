"""Writes values of our own classes as JSON, and reads them back with every type checked."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pytest_supercache.core.inputs import InputError

Value = TypeVar("Value")


def write_plain(value: object) -> str:
    """Return one line of JSON; equal values are written alike."""
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=True)


def read_plain(kind: type[Value], text: str) -> Value:
    """Read a value of a class that was written by :func:`write_plain`.

    Raises:
        InputError: the text is no JSON, or not about such a value.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON: {error}") from error
    value: Value = _read(kind, given)
    return value


def _plain(value: object) -> Any:
    """Return a value as JSON has it: a dataclass is the list of its fields."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted((_plain(one) for one in value), key=json.dumps)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        pairs = [[_plain(name), _plain(one)] for name, one in value.items()]
        return sorted(pairs, key=json.dumps)
    if is_dataclass(value):
        return [_plain(getattr(value, one.name)) for one in fields(value)]
    return value


def _read(kind: Any, given: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is None or kind in {bool, int, float, str, NoneType}:
        return _of_type(kind or NoneType, given)
    if kind is bytes:
        return _bytes(given)
    if origin in {Union, UnionType}:
        (own,) = (one for one in arguments if one is not NoneType)
        return None if given is None else _read(own, given)
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(kind, _of_type(list, given))
    return _container(origin, arguments, _of_type(list, given))


def _container(origin: Any, arguments: tuple[Any, ...], given: list[Any]) -> Any:
    if origin in {set, frozenset}:
        return origin(_read(arguments[0], one) for one in given)
    if origin is tuple and arguments[-1] is ...:
        return tuple(_read(arguments[0], one) for one in given)
    if origin is tuple:
        return tuple(_read(kind, one) for kind, one in _paired(arguments, given))
    assert origin in {dict, Mapping}, f"{origin} is no type of ours"
    pairs = (_paired(arguments, _of_type(list, pair)) for pair in given)
    return dict([_read(kind, one) for kind, one in pair] for pair in pairs)


def _dataclass(kind: type, given: list[Any]) -> Any:
    hints = _hints(kind)
    values = [_read(hint, one) for hint, one in _paired(tuple(hints.values()), given)]
    return kind(**dict(zip(hints, values, strict=True)))


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass, in their order."""
    found = get_type_hints(kind)
    return {one.name: found[one.name] for one in fields(kind)}


def _paired(kinds: tuple[Any, ...], given: list[Any]) -> list[tuple[Any, Any]]:
    if len(kinds) != len(given):
        raise InputError(f"expected {len(kinds)} values, found {len(given)}")
    return list(zip(kinds, given, strict=True))


def _of_type(kind: type, given: Any) -> Any:
    if type(given) is not kind:
        raise InputError(f"expected {kind.__name__}, found {type(given).__name__}")
    return given


def _bytes(given: Any) -> bytes:
    try:
        return bytes.fromhex(_of_type(str, given))
    except ValueError as error:
        raise InputError(f"expected hexadecimal digits: {error}") from error
