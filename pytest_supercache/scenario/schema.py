"""Makes the JSON Schema of scenario files from the tables that the checker reads.

It is for editors: completion, descriptions, and the mistakes that show in a single place. Mistakes
that involve the whole file (targets of `wait_for`, defined variables) are left to the checker.
Draft 7, because editors' YAML servers support that.
"""

from collections.abc import Iterable, Mapping

from pytest_supercache.scenario.grammar import (
    BUILT_IN_VERBS,
    COPIES_MAX,
    FAULTS_MAX,
    FIELDS,
    GUARANTEES,
    HOLDS_FIELDS,
    MATCHERS,
    STATED_FIELDS,
    STEP_FIELDS,
    USE_FIELDS,
    USER_FIELDS,
    VIOLATED_FIELDS,
    WITHOUT_ANSWER,
    WORD_MATCHERS,
    Kind,
    Parameters,
    VerbSignature,
    Vocabulary,
)
from pytest_supercache.scenario.schema_kinds import (
    ID,
    KINDS,
    NAME,
    REFERENCE,
    TIME,
    VARIABLE,
    Schema,
    field_schema,
    names,
    ref,
    steps,
    table_schema,
    word,
)

_BOUNDS = ("at_least", "at_most")


def json_schema(vocabulary: Vocabulary) -> Schema:
    """Return the schema of this project's scenario files."""
    verbs = {**vocabulary.verbs, **BUILT_IN_VERBS}
    document = table_schema(FIELDS)
    for name in ("before", "finally"):
        document["properties"][name] |= steps("aloneStep", least=0)
    document["properties"]["faults"]["properties"]["max"]["maximum"] = FAULTS_MAX
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A scenario of pytest-supercache",
        **document,
        "oneOf": [{"required": ["system"]}, {"required": ["systems"]}],
        "definitions": {
            "step": _step(verbs, is_alone=False),
            "aloneStep": _step(verbs, is_alone=True),
            "user": _user(),
            "expect": _expect(),
            "guarantee": _guarantee(vocabulary.guarantees),
            "system": _system(vocabulary.systems),
            "systems": _systems(vocabulary.systems),
            "cases": _cases(),
            "class": _class(vocabulary.classes),
        },
    }


def _step(verbs: Mapping[str, VerbSignature], *, is_alone: bool) -> Schema:
    fields = {**STEP_FIELDS, **USE_FIELDS}
    if not is_alone:
        fields = {name: field for name, field in fields.items() if name != "node"}
    properties = {name: _verb(name, signature) for name, signature in verbs.items()}
    properties |= {name: field_schema(field) for name, field in fields.items()}
    if is_alone:
        del properties["wait_for"]  # there is nobody to wait for
    no_answer = {"not": {"anyOf": [{"required": [n]} for n in ("as", "expect", "raises")]}}
    only_one = [name for name in (*verbs, "use") if name in properties]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "oneOf": [{"required": [name]} for name in only_one],
        "dependencies": {
            **{name: no_answer for name in (*WITHOUT_ANSWER, "use") if name in properties},
            "with": ["use"],
            "raises": {"not": {"required": ["expect"]}},
        },
    }


def _verb(name: str, signature: VerbSignature) -> Schema:
    parameters = {option: _parameter(option, signature) for option in signature.parameters}
    required = [option for option, is_needed in signature.parameters.items() if is_needed]
    forms: list[Schema] = [
        {
            "type": "object",
            "properties": parameters,
            "required": required,
            "additionalProperties": False,
        }
    ]
    target = next(iter(required or signature.parameters), None)
    if not required:
        forms.append({"type": "null"})
    if target is not None and len(required) <= 1:
        scalar = {"type": ["string", "number", "boolean"]}
        forms.append({"allOf": [scalar, parameters[target]]})
    shown = ", ".join(
        option if needed else f"{option} (optional)"
        for option, needed in signature.parameters.items()
    )
    description = f"{signature.doc or f'The verb {name}.'}" + (f" Takes {shown}." if shown else "")
    return {"description": description, "anyOf": forms}


def _parameter(name: str, signature: VerbSignature) -> Schema:
    kind = signature.kinds.get(name, Kind.DATA)
    schema = TIME if kind is Kind.DURATION else KINDS.get(kind, {})
    if kind is Kind.CHOICE:
        schema = {"enum": list(signature.choices[name])}
    forms = [schema]
    if kind is not Kind.EVENT:
        forms.append({"type": "string", "pattern": REFERENCE})
    if name in signature.optional:
        forms.append({"type": "null"})
    described = {"description": signature.docs[name]} if name in signature.docs else {}
    return {**described, **({} if kind is Kind.DATA else {"anyOf": forms})}


def _user() -> Schema:
    schema = table_schema(USER_FIELDS)
    schema["properties"]["copies"]["maximum"] = COPIES_MAX
    return schema


def _expect() -> Schema:
    words = [{"const": name, "description": said} for name, said in WORD_MATCHERS.items()]
    limit = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": REFERENCE}]}
    option = {
        "anyOf": [
            {
                "type": "object",
                "properties": {"raises": field_schema(STEP_FIELDS["raises"])},
                "required": ["raises"],
                "additionalProperties": False,
            },
            ref("expect"),
        ]
    }
    shapes: dict[str, Schema] = {
        "exactly": {},
        "literal": {},
        "not": {"allOf": [ref("expect"), {"not": {"const": "any"}}]},
        "one_of": {"type": "array", "items": option, "minItems": 1},
        "at_least": limit,
        "at_most": limit,
    }
    matchers = [
        {
            "type": "object",
            "properties": {name: {"description": MATCHERS[name], **shapes[name]}},
            "required": [name],
            "additionalProperties": False,
        }
        for name in shapes
        if name not in _BOUNDS
    ]
    bounds = {
        "type": "object",
        "properties": {name: {"description": MATCHERS[name], **limit} for name in _BOUNDS},
        "minProperties": 1,
        "additionalProperties": False,
    }
    fields = {
        "type": "object",
        "propertyNames": {"not": {"enum": [*MATCHERS, "raises"]}},
        "additionalProperties": ref("expect"),
    }
    plain = {"type": ["string", "number", "boolean", "null"]}
    items = {"type": "array", "items": ref("expect")}
    return {"anyOf": [*words, plain, items, *matchers, bounds, fields]}


def _guarantee(known: Mapping[str, Parameters]) -> Schema:
    forms: list[Schema] = []
    for name, parameters in known.items():
        said = {"description": GUARANTEES[name]} if name in GUARANTEES else {}
        allowed = [table_schema(parameters)]
        needed = [field for field in parameters.values() if field.is_required]
        first = next(iter(parameters.values()), None)
        if not needed:
            forms.append({"const": name, **said})
            allowed.append({"type": "null"})
        if first is not None and all(field is first for field in needed):
            allowed.append(field_schema(first))
        forms.append(
            {
                "type": "object",
                "properties": {name: {**said, "anyOf": allowed}},
                "required": [name],
                "additionalProperties": False,
            }
        )
    return {"anyOf": forms}


def _system(known: Iterable[str]) -> Schema:
    return {"enum": list(known)} if known else word(NAME)


def _systems(known: Iterable[str]) -> Schema:
    stated = {
        name: {"description": STATED_FIELDS[name].description, "anyOf": [*forms, {"type": "null"}]}
        for name, forms in {
            "holds": [table_schema(HOLDS_FIELDS)],
            "violated": [table_schema(VIOLATED_FIELDS), ref("class")],
        }.items()
    }
    long_form = {
        "type": "object",
        "properties": stated,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    short_form = {"enum": [None, *STATED_FIELDS]}
    mapping = names({"anyOf": [short_form, long_form]}, least=1)
    if known:
        mapping["propertyNames"] = {"enum": list(known)}
    some = {"type": "array", "items": ref("system"), "minItems": 1, "uniqueItems": True}
    return {"anyOf": [mapping, some]}


def _class(known: Mapping[str, str]) -> Schema:
    named = [{"const": name, "description": means} for name, means in known.items()]
    return {"anyOf": named} if named else word(ID)


def _cases() -> Schema:
    row = {
        "type": ["object", "null"],
        "properties": {"given": KINDS[Kind.GIVEN]},
        "propertyNames": {"pattern": VARIABLE},
    }
    in_file = {
        "type": "object",
        "properties": {"file": {"type": "string", "description": "A CSV file."}},
        "required": ["file"],
        "additionalProperties": False,
    }
    return {"anyOf": [{"type": "string"}, in_file, names(row, least=1)]}
