"""Reads `guarantees:`: what must hold for the whole history, with parameters."""

from collections.abc import Mapping
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import READERS, kind_of, location, pairs
from pytest_supercache.scenario.grammar import Parameters
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scenario import GuaranteeSpec

Known = Mapping[str, Parameters]


def read_guarantees(node: Node, known: Known, findings: Findings) -> tuple[GuaranteeSpec, ...]:
    """Read the list of guarantees; with an empty one only `expect` is checked."""
    if not isinstance(node, Sequence):
        hint = f"write [{node.text}]" if isinstance(node, Scalar) and node.text else "write [a, b]"
        findings.report(node.span, f"guarantees must be a list, not {kind_of(node)}", hint)
        return ()
    specs: list[GuaranteeSpec] = []
    for item in node.items:
        spec = _read_guarantee(item, known, findings)
        if spec is None:
            continue
        twin = next(
            (
                earlier
                for earlier in specs
                if (earlier.name, earlier.parameters) == (spec.name, spec.parameters)
            ),
            None,
        )
        if twin:
            findings.report(
                item.span, f"{spec.name!r:.80} is given twice", f"first on line {twin.where.line}"
            )
        specs.append(spec)
    return tuple(specs)


def _read_guarantee(node: Node, known: Known, findings: Findings) -> GuaranteeSpec | None:
    name: Node = node
    value: Node | None = None
    if isinstance(node, nodes.Mapping) and len(node.pairs) == 1:
        name, value = node.pairs[0]
    if not isinstance(name, Scalar) or (name.value is None and not name.is_quoted):
        findings.report(
            node.span,
            f"a guarantee must be a name or `{{name: parameter}}`, not {kind_of(node)}",
            "begin another one with '- '",
        )
        return None
    if name.text not in known:
        findings.report(
            name.span,
            f"there is no guarantee {name.text!r:.80}",
            findings.suggest(name.text, known),
        )
        return None
    parameters = _read_parameters(name, value, known[name.text], findings)
    return GuaranteeSpec(name=name.text, parameters=parameters, where=location(name, findings))


def _read_parameters(
    name: Scalar, node: Node | None, known: Parameters, findings: Findings
) -> dict[str, Any]:
    """Read `{name: {parameter: value}}`, or `{name: value}` for the first parameter alone."""
    given: dict[str, Any] = {}
    if isinstance(node, nodes.Mapping):
        for parameter, value in pairs(node, name.text, findings):
            if parameter.text in known:
                field = known[parameter.text]
                given[parameter.text] = READERS[field.kind](value, parameter.text, field, findings)
                continue
            findings.report(
                parameter.span,
                f"{name.text!r} has no parameter {parameter.text!r:.80}",
                findings.suggest(parameter.text, known) or f"write {name.text} alone",
            )
    elif node is not None and not _is_nothing(node):
        if not known:
            findings.report(
                node.span, f"{name.text!r} takes no parameter", f"write {name.text} alone"
            )
            return {}
        first, field = next(iter(known.items()))
        given[first] = READERS[field.kind](node, first, field, findings)
    for wanted, field in known.items():
        if field.is_required and wanted not in given:
            findings.report(
                name.span,
                f"{name.text!r} needs {wanted}",
                f"write {{{name.text}: ...}}. {field.description}",
            )
    return given


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.is_quoted
