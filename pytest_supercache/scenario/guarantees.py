"""`guarantees:`: what must hold for the whole history, with the parameters that each one has."""

from collections.abc import Mapping
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import kind_of, location, pairs
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence, plain
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scenario import GuaranteeSpec

Known = Mapping[str, tuple[str, ...]]  # guarantee -> its parameters


def read_guarantees(node: Node, known: Known, findings: Findings) -> tuple[GuaranteeSpec, ...]:
    """Read the list; an empty one leaves only `expect`."""
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
    parameters = {} if value is None else _read_parameters(name, value, known, findings)
    return GuaranteeSpec(name=name.text, parameters=parameters, where=location(name, findings))


def _read_parameters(name: Scalar, node: Node, known: Known, findings: Findings) -> dict[str, Any]:
    allowed = known[name.text]
    if isinstance(node, nodes.Mapping):
        for parameter, _ in pairs(node, name.text, findings):
            if parameter.text not in allowed:
                findings.report(
                    parameter.span,
                    f"{name.text!r} has no parameter {parameter.text!r:.80}",
                    findings.suggest(parameter.text, allowed) or f"write {name.text} alone",
                )
        parameters: dict[str, Any] = plain(node)
        return parameters
    if isinstance(node, Scalar) and node.value is None and not node.is_quoted:
        return {}
    if not allowed:
        findings.report(node.span, f"{name.text!r} takes no parameter", f"write {name.text} alone")
        return {}
    return {allowed[0]: plain(node)}
