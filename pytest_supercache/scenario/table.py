"""Reads cases from a CSV file, as the same nodes that a YAML file with these cases has.

The first column names the case. Any other is a variable, or `given.LAYER.KEY`. A cell means the
same as in YAML, `{...}` and `[...]` are JSON, and an empty cell leaves the column out of the case.
The csv module is not used, because it does not tell the positions of cells.
"""

import json
import re
from typing import Any

from pytest_supercache.core.inputs import DEPTH_MAX, parse_json
from pytest_supercache.core.places import LAYERS
from pytest_supercache.scenario.nodes import Mapping, Node, Scalar, Sequence, refuse_doubles
from pytest_supercache.scenario.problems import Findings, Span
from pytest_supercache.scenario.scalars import parse_scalar

CELLS_MAX = 20_000

_CELL = re.compile(r'"((?:[^"]|"")*)"[ \t]*(?=,|\r|\n|\Z)|([^,\r\n]*)')
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_table(text: str, findings: Findings) -> Mapping:
    """Parse the text of a CSV file to a mapping of cases."""
    rows = _rows(text, findings)
    if not rows:
        findings.stop(Span(line=1, column=1), "the file is empty", "begin with `case,variable`")
    head, *body = rows
    if len(head) < 2:
        findings.report(head[0].span, "there is no second column", "write `case,variable`")
    pairs = tuple((row[0], _case(head, row, findings)) for row in body)
    refuse_doubles((name for name, _ in pairs), findings)
    refuse_doubles(head, findings)
    return Mapping(pairs=pairs, span=head[0].span)


def _rows(text: str, findings: Findings) -> list[list[Scalar]]:
    rows: list[list[Scalar]] = []
    row: list[Scalar] = []
    at = cells = 0
    while at < len(text):
        found = _CELL.match(text, at)
        assert found is not None, "the second form matches anything"
        row.append(_cell(found, findings))
        cells += 1
        if cells > CELLS_MAX:
            findings.stop(row[-1].span, f"the table has more than {CELLS_MAX} cells", "split it")
        at = found.end()
        if text[at : at + 1] == ",":
            at += 1
            if at < len(text):
                continue
            row.append(_scalar("", "", findings.span(at, at)))
        rows += [row] if any(cell.text for cell in row) else []
        row = []
        end = _LINE_END.match(text, at)
        at = end.end() if end else at
    return rows


def _cell(found: re.Match[str], findings: Findings) -> Scalar:
    span = findings.span(found.start(), max(found.end(), found.start() + 1))
    if found[1] is not None:
        text = found[1].replace('""', '"')
        return _scalar(text, text, span)
    text = found[2].strip()
    if text.startswith('"'):
        findings.report(span, "the quote is not closed", 'write "" for a quote inside of quotes')
    value, complaint = parse_scalar(text)
    if complaint:
        findings.report(span, complaint, "quote it to make it text")
    return Scalar(text=text, value=value, is_quoted=False, span=span)


def _case(head: list[Scalar], row: list[Scalar], findings: Findings) -> Mapping:
    if len(row) > len(head):
        findings.report(
            row[len(head)].span, f"the row has more than {len(head)} cells", "quote commas"
        )
    fields: list[tuple[Node, Node]] = []
    given: dict[str, list[tuple[Node, Node]]] = {}
    for name, cell in zip(head[1:], row[1:], strict=False):
        if not cell.text and not cell.is_quoted:
            continue
        layer, key = _place(name, findings)
        if layer:
            key_node = Scalar(text=key, value=key, is_quoted=True, span=name.span)
            given.setdefault(layer, []).append((key_node, _data(cell, findings)))
        elif name.text != "given":
            fields.append((name, _data(cell, findings)))
    if given:
        layers = tuple(
            (_scalar(layer, layer, row[0].span), Mapping(pairs=tuple(content), span=row[0].span))
            for layer, content in given.items()
        )
        fields.append(
            (_scalar("given", "given", row[0].span), Mapping(pairs=layers, span=row[0].span))
        )
    return Mapping(pairs=tuple(fields), span=row[0].span)


def _place(name: Scalar, findings: Findings) -> tuple[str, str]:
    """Split `given.origin.product:42` into layer and key; a variable has no layer."""
    word, _, rest = name.text.partition(".")
    if word != "given":
        return "", ""
    layer, _, key = rest.partition(".")
    if layer in LAYERS and key:
        return layer, key
    findings.report(
        name.span,
        f"the column {name.text!r:.80} names no place",
        f"write given.LAYER.KEY with a layer out of {', '.join(LAYERS)}",
    )
    return "", ""


def _data(cell: Scalar, findings: Findings) -> Node:
    if not cell.text.startswith(("{", "[")):
        return cell
    try:
        return _node(parse_json(cell.text), cell.span, 1)
    except ValueError as error:
        findings.report(
            cell.span,
            f"the cell is not JSON: {error}",
            'write "{""price"": 100}" for {"price": 100}',
        )
        return cell


def _node(data: Any, span: Span, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise ValueError("nested too deep")
    if isinstance(data, str) and any("\ud800" <= sign <= "\udfff" for sign in data):
        raise ValueError("half of a surrogate pair is not a character")
    if isinstance(data, dict):
        return Mapping(
            pairs=tuple(
                (_scalar(name, name, span), _node(value, span, depth + 1))
                for name, value in data.items()
            ),
            span=span,
        )
    if isinstance(data, list):
        return Sequence(items=tuple(_node(item, span, depth + 1) for item in data), span=span)
    return _scalar(data if isinstance(data, str) else json.dumps(data), data, span)


def _scalar(text: str, value: Any, span: Span) -> Scalar:
    return Scalar(text=text, value=value, is_quoted=isinstance(value, str), span=span)
