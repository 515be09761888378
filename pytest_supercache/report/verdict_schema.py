"""Checks the types in a verdict document that was read against the schema of ``verdict.json``.

Missing and additional fields are for the readers to handle: older versions wrote fewer, later ones
write more. A value of another type is an edit by hand, which no reader has to handle.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import DOCUMENT_BYTES_MAX, InputError, read_json

Schema = Mapping[str, Any]

VERSION = 2
"""The version of documents that are written today; those of version 1 are read, too."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_IN_WORDS = {
    "object": "an object", "array": "a list", "string": "a text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false", "null": "null",
}  # fmt: skip


def read_verdict(path: Path) -> dict[str, Any]:
    """Read a verdict document.

    Raises:
        FileNotFoundError: the file does not exist.
        InputError: the file cannot be read, or a part of it is invalid; names that part.
    """
    document = read_json(path, DOCUMENT_BYTES_MAX)
    is_ours = _is_ours(document)
    said = mismatch(document) if is_ours else "it is not a verdict.json of version 1 or 2"
    if said is not None:
        raise InputError(f"{path} cannot be read: {said}")
    return dict(document) if document["version"] == VERSION else _brought_up(document)


def mismatch(document: object) -> str | None:
    """Return the first part of a document whose type differs from the schema; None if all match."""
    return _mismatch(document, _schema(), "")


def _is_ours(document: object) -> bool:
    return (
        isinstance(document, dict)
        and document.get("version") in {1, VERSION}
        and isinstance(document.get("scenarios"), list)
    )


def _brought_up(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of version 1 converted to version 2.

    Its ``interleavings`` counted schedules; only ``share`` counted interleavings.
    """
    rows = [
        {
            **row,
            "interleavings": (row.get("share") or {}).get("interleavings"),
            "schedules": row.get("interleavings"),
        }
        if isinstance(row, dict)
        else row
        for row in document["scenarios"]
    ]
    return {**document, "version": VERSION, "scenarios": rows}


@cache
def _schema() -> Schema:
    schema: Schema = read_json(Path(__file__).with_name("verdict.schema.json"))
    return schema


def _mismatch(value: Any, schema: Schema, at: str) -> str | None:
    schema = _alternative(value, schema)
    types = schema.get("type")
    if types is not None:
        names = [types] if isinstance(types, str) else types
        if not any(_is_a(value, name) for name in names):
            expected = " or ".join(_IN_WORDS[name] for name in names)
            return f"{at or 'it'} is {value!r:.80}, expected {expected}"
    if isinstance(value, list):
        of_items = schema.get("items", {})
        parts = ((f"{at}[{number}]", one, of_items) for number, one in enumerate(value))
    else:
        known = schema.get("properties", {}) if isinstance(value, dict) else {}
        parts = (
            (f"{at}.{name}".lstrip("."), value[name], known[name])
            for name in known
            if name in value
        )
    return next((said for where, one, of in parts if (said := _mismatch(one, of, where))), None)


def _alternative(value: Any, schema: Schema) -> Schema:
    """Resolve a reference, or of two alternatives the one for the value; one is always null."""
    options = schema.get("anyOf")
    if options is not None:
        schema = next(one for one in options if (one.get("type") == "null") == (value is None))
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _is_a(value: Any, name: str) -> bool:
    """Say whether a value has a JSON type, for which true is no number."""
    return isinstance(value, _TYPES[name]) and (not isinstance(value, bool) or name == "boolean")
