"""Makes the reference page of scenario files from the tables that the checker reads."""

from collections.abc import Iterable, Mapping

from pytest_supercache.scenario.grammar import (
    ASSUME_FIELDS,
    BUILT_IN_VERBS,
    EXPLORE_FIELDS,
    FAULTS,
    FAULTS_FIELDS,
    FIELDS,
    GUARANTEES,
    INCLUDED_FIELDS,
    MATCHERS,
    STEP_FIELDS,
    USE_FIELDS,
    USER_FIELDS,
    VIOLATED_FIELDS,
    WORD_MATCHERS,
    Field,
    Kind,
    VerbSignature,
    Vocabulary,
)

_TABLES = (
    ("A scenario file", FIELDS),
    ("A user's long form", USER_FIELDS),
    ("Beside a step's verb", STEP_FIELDS),
    ("A step that uses a flow", USE_FIELDS),
    ("An included file", INCLUDED_FIELDS),
    ("`explore:`", EXPLORE_FIELDS),
    ("`assume:`", ASSUME_FIELDS),
    ("`faults:`", FAULTS_FIELDS),
    ("`violated:`, long form", VIOLATED_FIELDS),
)


def reference_page(vocabulary: Vocabulary) -> str:
    """Return the page, including verbs and guarantees of the project."""
    parts = ["# Reference of scenario files", "", "Made by `supercache schema --markdown`.", ""]
    for title, fields in _TABLES:
        parts += [f"## {title}", "", *_field_rows(fields), ""]
    verbs = {**BUILT_IN_VERBS, **vocabulary.verbs}
    parts += ["## Verbs", "", *_verb_rows(verbs), ""]
    parts += ["## Matchers in `expect:`", ""]
    parts += [*_rows(("matcher", "means"), {**MATCHERS, **WORD_MATCHERS}.items()), ""]
    faults = ((name, _fault(name)) for name in FAULTS)
    parts += ["## Fault kinds", "", *_rows(("kind", "means"), faults), ""]
    if vocabulary.classes:
        classes = _rows(("class", "means"), vocabulary.classes.items())
        parts += ["## Conflict classes and families", "", *classes, ""]
    guarantees = (
        (name, GUARANTEES.get(name, "of this project"), ", ".join(names))
        for name, names in vocabulary.guarantees.items()
    )
    parts += ["## Guarantees", "", *_rows(("guarantee", "means", "takes"), guarantees), ""]
    return "\n".join(parts)


def _fault(name: str) -> str:
    kind = FAULTS[name]
    if kind.parameter is None:
        return kind.description
    return f"{kind.description} `{{{name}: ...}}`: {_shape(kind.parameter)}."


def _shape(field: Field) -> str:
    if field.kind is Kind.CHOICE:
        return f"one of {', '.join(field.choices)}"
    return str(field.kind.value)


def _field_rows(fields: Mapping[str, Field]) -> list[str]:
    rows = (
        (name, _shape(field), field.description + (" Required." if field.is_required else ""))
        for name, field in fields.items()
    )
    return _rows(("field", "value", "means"), rows)


def _verb_rows(verbs: Mapping[str, VerbSignature]) -> list[str]:
    rows = (
        (
            name,
            ", ".join(
                option if is_needed else f"[{option}]"
                for option, is_needed in signature.parameters.items()
            ),
            signature.doc,
        )
        for name, signature in verbs.items()
    )
    return _rows(("verb", "takes", "means"), rows)


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for first, *rest in rows:
        cells = [f"`{first}`", *(cell.replace("|", "\\|").replace("\n", " ") for cell in rest)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
