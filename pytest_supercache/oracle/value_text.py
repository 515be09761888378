"""Writes a value in a sentence about a violation."""

import json
from typing import Any


def value_text(value: Any) -> str:
    """Return a value as people read it: containers as JSON, anything else as Python writes it."""
    if isinstance(value, dict | list):
        try:
            return json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return repr(value)
    return repr(value)
