"""Parses unquoted YAML scalars by the core schema of YAML 1.2, and nothing beyond it.

YAML 1.1 reads `on` as true, `12:30` as 750 and `010` as 8; a tester means text, text and 10.
"""

import math
import re

Plain = str | int | float | bool | None

_NUMBER_LENGTH_MAX = 100
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def parse_scalar(text: str) -> tuple[Plain, str]:
    """Return the value of an unquoted scalar, and a complaint if data cannot represent it."""
    if _NULL.fullmatch(text):
        return None, ""
    if _BOOL.fullmatch(text):
        return text.lower() == "true", ""
    if _NO_NUMBER.fullmatch(text):
        return text, f"{text} is not a number in JSON"
    if _FLOAT.fullmatch(text) or _INT.fullmatch(text):
        return _parse_number(text)
    return text, ""


def _parse_number(text: str) -> tuple[Plain, str]:
    # Longer ones are refused unparsed: Python's int() takes quadratic time, then raises.
    value: int | float = math.inf
    if len(text) <= _NUMBER_LENGTH_MAX:
        is_int = _INT.fullmatch(text)
        value = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10)) if is_int else float(text)
    return (text, "the number is too large") if value in (math.inf, -math.inf) else (value, "")
