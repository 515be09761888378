"""Compares values as a tester does: a cache returns bytes, where people write text and data.

Bytes are read as UTF-8, and text is parsed as JSON where a mapping or a list is expected.
"""

import json
from collections.abc import Mapping


def is_same(expected: object, actual: object) -> bool:
    """Say whether two values are the same to a tester, at every depth."""
    expected, actual = decoded_text(expected), decoded_text(actual)
    if isinstance(expected, str) and isinstance(actual, Mapping | list | tuple):
        expected = decoded_json(expected)  # a variable may hold what a cache has answered
    if isinstance(expected, Mapping):
        data = decoded_json(actual)
        return (
            isinstance(data, Mapping)
            and expected.keys() == data.keys()
            and all(is_same(value, data[name]) for name, value in expected.items())
        )
    if isinstance(expected, list | tuple):
        data = decoded_json(actual)
        return (
            isinstance(data, list | tuple)
            and len(expected) == len(data)
            and all(map(is_same, expected, data))
        )
    # In Python True == 1; in a cache they are two values.
    return isinstance(expected, bool) == isinstance(actual, bool) and bool(expected == actual)


def decoded_text(value: object) -> object:
    """Return text for bytes that are UTF-8, else ``value``."""
    if isinstance(value, bytes | bytearray):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            return value
    return value


def decoded_json(value: object) -> object:
    """Return the data for text that is JSON, else ``value``."""
    text = decoded_text(value)
    if isinstance(text, str):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
