"""Reads `given:` and `cases:`: the initial content of the layers, and how it differs by case."""

from typing import Any

from pytest_supercache.core.places import LAYERS
from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import pairs, read_name
from pytest_supercache.scenario.files import Folder, read_other
from pytest_supercache.scenario.grammar import CASES_MAX, FIELDS, Kind
from pytest_supercache.scenario.nodes import Node, Scalar, plain
from pytest_supercache.scenario.problems import Findings, ScenarioProblems
from pytest_supercache.scenario.scenario import Case
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.table import read_table

Content = dict[str, dict[str, Any]]  # layer -> key -> value


def read_given(node: Node, what: str, scope: Scope, findings: Findings) -> Content:
    """Read the content by layer and key; a variable in a value is one that the cases set."""
    given: Content = {}
    for layer, content in pairs(node, what, findings):
        if layer.text not in LAYERS:
            hint = findings.suggest(layer.text, LAYERS)
            findings.report(layer.span, f"there is no layer {layer.text!r:.80}", hint)
        found = pairs(content, f"the content of {layer.text:.80}", findings)
        scope.check(content, findings)
        given[layer.text] = {key.text: plain(value) for key, value in found}
    return given


def read_cases(
    node: Node, folder: Folder | None, findings: Findings
) -> tuple[tuple[Case, ...], Scope, Node]:
    """Read the cases, the variables that they define for every flow, and their rows as nodes."""
    if (file := _file_of(node)) is not None:
        table = _read_file(file, folder, findings)
        if table is None:
            return (), Scope(is_open=True), node  # what its columns are is not known
        node = table
    rows = pairs(node, "cases", findings)
    if isinstance(node, nodes.Mapping) and not rows:
        findings.report(node.span, "cases has no case", "add one, or leave `cases:` out")
    if len(rows) > CASES_MAX:
        findings.report(rows[CASES_MAX][0].span, f"there are more than {CASES_MAX} cases")
    scope = _scope(rows)
    return tuple(_read_case(name, row, scope, findings) for name, row in rows), scope, node


def _file_of(node: Node) -> Node | None:
    """Return the name of a table's file, of `cases: rows.csv` or `cases: {file: rows.csv}`."""
    if isinstance(node, Scalar):
        return None if node.value is None and not node.is_quoted else node
    if isinstance(node, nodes.Mapping) and len(node.pairs) == 1:
        name, value = node.pairs[0]
        if isinstance(name, Scalar) and name.text == "file" and isinstance(value, Scalar):
            return None if value.value is None and not value.is_quoted else value
    return None


def _read_file(name: Node, folder: Folder | None, findings: Findings) -> nodes.Mapping | None:
    other = read_other(name, "cases", folder, findings)
    if other is None:
        return None
    try:
        text, found = nodes.decode(other.shown, other.content, findings.within)
        return read_table(text, found)
    except ScenarioProblems:
        return None  # kept in `findings`, like every other mistake


def _scope(rows: list[tuple[Scalar, Node]]) -> Scope:
    set_by = {
        case.text: {
            name.text
            for name, _ in (row.pairs if isinstance(row, nodes.Mapping) else ())
            if isinstance(name, Scalar) and name.text != "given"
        }
        for case, row in rows
    }
    every = set().union(*set_by.values())
    not_in_case = {
        name: case for name in every for case, names in set_by.items() if name not in names
    }
    return Scope(known=every - not_in_case.keys(), not_in_case=not_in_case)


def check_unused(cases: Node, scope: Scope, findings: Findings) -> None:
    """Refuse variables of cases that nothing uses and that look like fields: `given` misspelt."""
    for _, row in cases.pairs if isinstance(cases, nodes.Mapping) else ():
        for name, value in row.pairs if isinstance(row, nodes.Mapping) else ():
            if not isinstance(name, Scalar) or name.text in {"given", *scope.used}:
                continue
            if isinstance(value, nodes.Mapping) or name.text in FIELDS:
                findings.report(
                    name.span,
                    f"nothing uses ${name.text:.80}, which cases set",
                    "leave it out; what the layers hold is written `given: {layer: {key: value}}`",
                )


def _read_case(name: Scalar, row: Node, scope: Scope, findings: Findings) -> Case:
    given: Content = {}
    variables: dict[str, Any] = {}
    is_empty = isinstance(row, Scalar) and row.value is None and not row.is_quoted
    for field, value in [] if is_empty else pairs(row, f"the case {name.text!r:.80}", findings):
        if field.text == "given":
            given = read_given(value, "given", scope, findings)
        else:
            variable = read_name(field, "the variable", findings, pattern=Kind.VARIABLE)
            variables[variable] = plain(value)
    return Case(name=read_name(name, "the case", findings), given=given, variables=variables)
