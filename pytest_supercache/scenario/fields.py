"""Reads a mapping by its table: reports unknown and missing fields, and reads simple values."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.durations import HINT, parse_seconds
from pytest_supercache.scenario.grammar import Field, Kind
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scenario import Location

Pair = tuple[Scalar, Node]

_ID = re.compile(r"[A-Za-z0-9_.-]+")
_NAME = re.compile(r"[A-Za-z0-9_.]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ERROR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def pairs(node: Node, what: str, findings: Findings) -> list[Pair]:
    """Return the pairs of a mapping; a name that is given twice has both of its pairs."""
    if isinstance(node, nodes.Mapping):
        return [(name, value) for name, value in node.pairs if isinstance(name, Scalar)]
    findings.report(node.span, f"{what} must be a mapping", "write `name: value`")
    return []


def read_fields(
    node: Node, table: Mapping[str, Field], what: str, findings: Findings
) -> list[tuple[str, Node]]:
    """Return the known fields of ``node`` with their values; report all others."""
    known: list[tuple[str, Node]] = []
    seen = set()
    found = pairs(node, what, findings)
    for name, value in found:
        seen.add(name.text)
        if name.text not in table:
            hint = findings.suggest(name.text, table)
            findings.report(name.span, f"unknown field {name.text!r:.80} in {what}", hint)
        else:
            known.append((name.text, value))
    if isinstance(node, nodes.Mapping):
        place = found[0][0].span if found else node.span
        for wanted, field in table.items():
            if field.is_required and wanted not in seen:
                findings.report(place, f"the field {wanted!r} is missing", field.description)
    return known


def read_table(
    node: Node, table: Mapping[str, Field], what: str, findings: Findings
) -> dict[str, Any]:
    """Read a mapping each of whose fields can be read on its own."""
    return {
        name: READERS[table[name].kind](value, name, table[name], findings)
        for name, value in read_fields(node, table, what, findings)
    }


def location(node: Node, findings: Findings) -> Location:
    """Return the location of ``node``."""
    source = node.span.source or findings.source
    return Location(path=source.path, line=node.span.line, column=node.span.column)


def read_text(node: Node, what: str, findings: Findings) -> str:
    """Read text; a number or boolean is kept as written, because `010` may be a key."""
    if isinstance(node, Scalar) and (node.value is not None or node.is_quoted):
        if not node.text.strip():
            findings.report(node.span, f"{what} is empty", "write some text")
        return node.text
    findings.report(node.span, f"{what} must be text, not {kind_of(node)}", quote_hint(node))
    return ""


def read_name(node: Node, what: str, findings: Findings, *, pattern: Kind = Kind.NAME) -> str:
    """Read a word that may become part of an item's name or a token."""
    if isinstance(node, Scalar) and node.value is None and not node.is_quoted:
        findings.report(node.span, f"{what} is empty", f"write {pattern.value}")
        return ""
    text = read_text(node, what, findings)
    if text and not _PATTERNS[pattern].fullmatch(text):
        findings.report(
            node.span, f"{what} {text!r:.80} has a character that is not allowed", pattern.value
        )
    return text


def read_choice(node: Node, what: str, choices: tuple[str, ...], findings: Findings) -> str:
    """Read one of the given words."""
    if isinstance(node, Scalar) and node.text in choices:
        return node.text
    word = node.text if isinstance(node, Scalar) else kind_of(node)
    hint = findings.suggest(word, choices)
    findings.report(node.span, f"{what} cannot be {word!r:.80}", hint)
    return choices[0]


def read_texts(
    node: Node, what: str, findings: Findings, *, pattern: Kind | None = None
) -> tuple[str, ...]:
    """Read a list of texts."""
    if not isinstance(node, Sequence):
        hint = f"write [{node.text}]" if isinstance(node, Scalar) and node.text else "write [a, b]"
        findings.report(node.span, f"{what} must be a list", hint)
        return ()
    if pattern is None:
        return tuple(read_text(item, f"an entry of {what}", findings) for item in node.items)
    return tuple(
        read_name(item, f"an entry of {what}", findings, pattern=pattern) for item in node.items
    )


def kind_of(node: Node) -> str:
    """Return the kind of a node, for a message."""
    if isinstance(node, nodes.Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return "nothing" if node.value is None and not node.is_quoted else repr(node.text)


def quote_hint(node: Node) -> str:
    """Return a hint at quotes if YAML has read text as something else, as in `read: cart:`."""
    if isinstance(node, nodes.Mapping) and len(node.pairs) == 1:
        name, value = node.pairs[0]
        if isinstance(name, Scalar) and isinstance(value, Scalar):
            text = f"{name.text}: {value.text}".strip()
            return f'quote it to make it text: "{text}"' if len(text) < 80 else "quote it"
    if isinstance(node, Scalar):
        return "write some text after ':'"
    return "quote it to make it text"


def read_duration(node: Node, name: str, findings: Findings) -> float:
    """Read a duration, in seconds."""
    seconds = parse_seconds(node.value) if isinstance(node, Scalar) else None
    if seconds is None:
        findings.report(node.span, f"{name} must be a duration, not {kind_of(node)}", HINT)
    return seconds or 0.0


def _read_positive_duration(node: Node, name: str, _: Field, findings: Findings) -> float:
    seconds = read_duration(node, name, findings)
    if isinstance(node, Scalar) and parse_seconds(node.value) == 0:
        findings.report(node.span, f"{name} must be longer than 0", HINT)
    return seconds


def _read_whole(node: Node, name: str, field: Field, findings: Findings) -> int:
    least = 1 if field.kind is Kind.COUNT else 0
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    findings.report(
        node.span,
        f"{name} must be a whole number, at least {least}, not {kind_of(node)}",
        "write digits, without quotes",
    )
    return least


def _read_ticks(node: Node, _name: str, _: Field, findings: Findings) -> int | str:
    value = node.value if isinstance(node, Scalar) else None
    if value == "auto" or (type(value) is int and 0 <= value <= 3):
        return "auto" if value == "auto" else int(value)
    findings.report(node.span, f"ticks cannot be {kind_of(node)}", "one of: auto, 0, 1, 2, 3")
    return "auto"


def _read_links(node: Node, name: str, _: Field, findings: Findings) -> dict[str, str]:
    return {
        key.text: read_text(value, f"the link {key.text!r:.80}", findings)
        for key, value in pairs(node, name, findings)
    }


Reader = Callable[[Node, str, Field, Findings], Any]

READERS: Mapping[Kind, Reader] = {
    Kind.TEXT: lambda node, name, _, findings: read_text(node, name, findings),
    Kind.ID: lambda node, name, _, findings: read_name(node, name, findings, pattern=Kind.ID),
    Kind.NAME: lambda node, name, _, findings: read_name(node, name, findings),
    Kind.VARIABLE: lambda node, name, _, findings: read_name(
        node, name, findings, pattern=Kind.VARIABLE
    ),
    Kind.ERROR: lambda node, name, _, findings: read_name(node, name, findings, pattern=Kind.ERROR),
    Kind.CHOICE: lambda node, name, field, findings: read_choice(
        node, name, field.choices, findings
    ),
    Kind.IDS: lambda node, name, _, findings: read_texts(node, name, findings, pattern=Kind.ID),
    Kind.TEXTS: lambda node, name, _, findings: read_texts(node, name, findings),
    Kind.LINKS: _read_links,
    Kind.DURATION: _read_positive_duration,
    Kind.COUNT: _read_whole,
    Kind.WHOLE: _read_whole,
    Kind.TICKS: _read_ticks,
}

_PATTERNS = {Kind.ID: _ID, Kind.NAME: _NAME, Kind.VARIABLE: _VARIABLE, Kind.ERROR: _ERROR}
