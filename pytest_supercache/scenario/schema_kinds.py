"""The JSON Schema of each kind of value: the editor's counterpart of `fields.READERS`."""

from collections.abc import Mapping
from typing import Any

from pytest_supercache.core.places import LAYERS
from pytest_supercache.scenario.grammar import (
    ASSUME_FIELDS,
    EXPLORE_FIELDS,
    FAULTS,
    FAULTS_FIELDS,
    Field,
    Kind,
)

Schema = dict[str, Any]

NAME = "^[A-Za-z0-9_.]+$"
ID = "^[A-Za-z0-9_.-]+$"
VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
REFERENCE = r"^\$[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_-]+)*$"
_ERROR = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
_DURATION = r"^[0-9]+(\.[0-9]+)? ?(ms|s|m|h)$"
_LONGER_THAN_ZERO = r"^[0-9.]*[1-9][0-9.]* ?(ms|s|m|h)$"

TEXT: Schema = {"type": ["string", "number", "boolean"], "pattern": r"\S"}
TIME: Schema = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION}]
}


def field_schema(field: Field) -> Schema:
    """Return the schema of one field, with its description."""
    if field.kind is Kind.CHOICE:
        return {"description": field.description, "enum": list(field.choices)}
    return {"description": field.description, **KINDS[field.kind]}


def table_schema(fields: Mapping[str, Field]) -> Schema:
    """Return the schema of a mapping whose fields a table lists."""
    return {
        "type": "object",
        "properties": {name: field_schema(field) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.is_required],
        "additionalProperties": False,
    }


def word(pattern: str) -> Schema:
    """Return the schema of a name; numbers are kept as written, and names have no minus sign."""
    number = {"type": "number"} if pattern == ID else {"type": "number", "minimum": 0}
    forms: list[Schema] = [{"type": "string", "pattern": pattern}, number, {"type": "boolean"}]
    return {"anyOf": forms[:1] if pattern in {VARIABLE, _ERROR} else forms}


def names(value: Schema, *, least: int = 0, pattern: str = NAME) -> Schema:
    """Return the schema of a mapping from names to ``value``."""
    return {
        "type": "object",
        "propertyNames": {"pattern": pattern},
        "additionalProperties": value,
        "minProperties": least,
    }


def ref(name: str) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def steps(definition: str, *, least: int) -> Schema:
    """Return the schema of a list of steps."""
    return {"type": "array", "items": ref(definition), "minItems": least}


def _whole(least: int) -> Schema:
    return {"type": "integer", "minimum": least}


def _fault_kinds() -> Schema:
    more = [
        {
            "type": "object",
            "properties": {name: {"description": kind.description, **field_schema(kind.parameter)}},
            "required": [name],
            "additionalProperties": False,
        }
        for name, kind in FAULTS.items()
        if kind.parameter
    ]
    words = [{"const": name, "description": kind.description} for name, kind in FAULTS.items()]
    return {
        "type": "array",
        "items": {"anyOf": [*words, *more]},
        "minItems": 1,
        "uniqueItems": True,
    }


KINDS: dict[Kind, Schema] = {
    Kind.TEXT: TEXT,
    Kind.ID: word(ID),
    Kind.NAME: word(NAME),
    Kind.VARIABLE: word(VARIABLE),
    Kind.ERROR: word(_ERROR),
    Kind.IDS: {"type": "array", "items": word(ID)},
    Kind.TEXTS: {"type": "array", "items": TEXT},
    Kind.LINKS: {"type": "object", "additionalProperties": TEXT},
    Kind.DURATION: {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {
                "type": "string",
                "allOf": [{"pattern": _DURATION}, {"pattern": _LONGER_THAN_ZERO}],
            },
        ]
    },
    Kind.COUNT: _whole(1),
    Kind.WHOLE: _whole(0),
    Kind.TICKS: {"enum": ["auto", 0, 1, 2, 3]},
    Kind.EVENT: word(ID),
    Kind.DATA: {},
    Kind.SYSTEM: ref("system"),
    Kind.SYSTEMS: ref("systems"),
    Kind.GIVEN: {
        "type": "object",
        "properties": {layer: {"type": "object"} for layer in LAYERS},
        "additionalProperties": False,
    },
    Kind.STEPS: steps("step", least=1),
    Kind.USERS: names({"anyOf": [steps("step", least=1), ref("user")]}, least=1),
    Kind.GUARANTEES: {"type": "array", "items": ref("guarantee"), "uniqueItems": True},
    Kind.CASES: ref("cases"),
    Kind.EXPECT: ref("expect"),
    Kind.FLOWS: names(steps("step", least=1)),
    Kind.INCLUDE: {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    Kind.FLOW: word(NAME),
    Kind.WITH: names({}, pattern=VARIABLE),
    Kind.CLASS: ref("class"),
    Kind.STRING: {"type": ["string", "number", "boolean"]},
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.LIST: {"type": "array"},
    Kind.MAPPING: {"type": "object"},
    Kind.FAULT_KINDS: {},
}
KINDS[Kind.FAULT_KINDS] = _fault_kinds()
KINDS[Kind.EXPLORE] = table_schema(EXPLORE_FIELDS)
KINDS[Kind.ASSUME] = table_schema(ASSUME_FIELDS)
KINDS[Kind.FAULTS] = table_schema(FAULTS_FIELDS)
