"""Converts a project's words to plain data and back, to send them from pytest to the command."""

from typing import Any

from pytest_supercache.scenario.grammar import Field, Kind, VerbSignature, Vocabulary


def to_data(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the vocabulary as JSON-safe data."""
    return {
        "systems": list(vocabulary.systems),
        "guarantees": {
            name: {parameter: _to_row(field) for parameter, field in parameters.items()}
            for name, parameters in vocabulary.guarantees.items()
        },
        "classes": dict(vocabulary.classes),
        "verbs": {
            name: {
                "parameters": dict(verb.parameters),
                "doc": verb.doc,
                "kinds": {option: kind.name for option, kind in verb.kinds.items()},
                "choices": {option: list(words) for option, words in verb.choices.items()},
                "optional": sorted(verb.optional),
                "docs": dict(verb.docs),
            }
            for name, verb in vocabulary.verbs.items()
        },
    }


def from_data(data: dict[str, Any]) -> Vocabulary:
    """Return the vocabulary that `to_data` has converted."""
    return Vocabulary(
        systems=tuple(data["systems"]),
        guarantees={
            name: {parameter: _from_row(row) for parameter, row in parameters.items()}
            for name, parameters in data["guarantees"].items()
        },
        classes=data["classes"],
        verbs={
            name: VerbSignature(
                parameters=verb["parameters"],
                doc=verb["doc"],
                kinds={option: Kind[kind] for option, kind in verb["kinds"].items()},
                choices={option: tuple(words) for option, words in verb["choices"].items()},
                optional=frozenset(verb["optional"]),
                docs=verb["docs"],
            )
            for name, verb in data["verbs"].items()
        },
    )


def _to_row(field: Field) -> dict[str, Any]:
    return {
        "kind": field.kind.name,
        "description": field.description,
        "is_required": field.is_required,
        "choices": list(field.choices),
    }


def _from_row(row: dict[str, Any]) -> Field:
    choices = tuple(row["choices"])
    return Field(**{**row, "kind": Kind[row["kind"]], "choices": choices})
