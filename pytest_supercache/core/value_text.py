"""Writes a value the same way in every sentence and picture: data as JSON, with spaces.

A cache holds text where people think in data, so text that spells an object or a list is written
as that object or list, and a pickle as what it holds.
"""

import json
import reprlib
from typing import Any

from pytest_supercache.core.serialized import Deserialized, deserialized

SEEN_MAX = 240
_OPENING = ("{", "[")
_BOUNDED = reprlib.Repr()
_BOUNDED.maxlevel, _BOUNDED.maxdict, _BOUNDED.maxlist = 4, 8, 8
_BOUNDED.maxstring = _BOUNDED.maxother = 120


def value_text(value: Any) -> str:
    """Return a value as a sentence quotes it: text in quotes, unless it spells JSON.

    What is stored in another form is told with it: ``{"price": 100} (pickled)``.
    """
    if value is None:
        return "nothing"
    found = deserialized(value)
    if found is not None:
        return f"{held_text(found)} ({found.form})"
    text = _decoded(value)
    if isinstance(text, str):
        return data_text(_read(text))
    return data_text(text) if _is_data(text) else repr(value)


def data_text(data: Any) -> str:
    """Return JSON data in one line; what JSON cannot have is written as Python writes it."""
    try:
        return json.dumps(data, ensure_ascii=False, default=_decoded_or_repr)
    except (TypeError, ValueError, RecursionError):
        return _BOUNDED.repr(data)


def held_text(found: Deserialized) -> str:
    """Return what a serialized value holds: text in quotes, unless it spells JSON."""
    data = _read(found.data) if isinstance(found.data, str) else found.data
    return f"{found.before}{data_text(data)}"


def seen_text(value: Any) -> str:
    """Return a value as `value_text`, but text is told from the number that it spells.

    What is serialized is quoted as it is: it was compared as it is, with what it may hold.
    """
    text = _decoded(value)
    if isinstance(text, str):
        is_data = text.startswith(_OPENING) and isinstance(_read(text), dict | list)
        return _cut(respelled(text) if is_data else data_text(text))
    if value is None or _is_data(value):
        return _cut("nothing" if value is None else data_text(value))
    return _BOUNDED.repr(value)


def respelled(text: str) -> str:
    """Return text that spells an object or a list in our own spelling, other text as it is."""
    if not text.startswith(_OPENING):
        return text
    try:
        return data_text(_parsed(text))
    except (ValueError, RecursionError):
        return text


def _cut(text: str) -> str:
    return text if len(text) <= SEEN_MAX else f"{text[:SEEN_MAX]}..."


def _read(text: str) -> Any:
    try:
        return _parsed(text)
    except (ValueError, RecursionError):
        return text


def _parsed(text: str) -> Any:
    return json.loads(text, parse_constant=_refused, object_pairs_hook=_object)


def _refused(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; one that names a field twice would lose the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field comes twice")
    return found


def _is_data(value: Any) -> bool:
    return isinstance(value, bool | int | float | dict | list | tuple)


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="backslashreplace")
    return value


def _decoded_or_repr(value: Any) -> Any:
    return _decoded(value) if isinstance(value, bytes | bytearray) else repr(value)
