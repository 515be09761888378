"""What a verb is given: the short form, the long form, and what YAML made of a missing quote."""

from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.durations import HINT, parse_seconds
from pytest_supercache.scenario.fields import kind_of, pairs, quote_hint, read_name, read_text
from pytest_supercache.scenario.grammar import Kind, VerbSignature
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence, plain
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.variables import parse_reference


def read_arguments(
    verb: Scalar, node: Node, signature: VerbSignature, scope: Scope, findings: Findings
) -> dict[str, Any]:
    """Read the arguments of one step as data in which variables still stand as written."""
    given = _given(verb, node, signature, findings)
    if given is None:
        return {}
    missing = [
        name for name, needed in signature.parameters.items() if needed and name not in given
    ]
    if missing:
        findings.report(
            verb.span,
            f"{verb.text!r} needs {' and '.join(map(repr, missing))}",
            f"write {usage(verb.text, signature)}",
        )
    for value in given.values():
        scope.check(value, findings)
    return {
        name: _read_argument(value, name, signature.kinds.get(name, Kind.DATA), findings)
        for name, value in given.items()
    }


def usage(verb: str, signature: VerbSignature) -> str:
    """Show how a verb is written."""
    required = [name for name, needed in signature.parameters.items() if needed]
    if len(required) > 1:
        return f"{verb}: {{{', '.join(f'{name}: ...' for name in required)}}}"
    return f"{verb}: {required[0].upper()}" if required else f"{verb}:"


def _given(
    verb: Scalar, node: Node, signature: VerbSignature, findings: Findings
) -> dict[str, Node] | None:
    """Give a node for each parameter; None when a mistake was reported and more would be noise."""
    if isinstance(node, nodes.Mapping):
        return _named(verb, node, signature, findings)
    if isinstance(node, Scalar) and node.value is None and not node.is_quoted:
        return {}
    required = [name for name, needed in signature.parameters.items() if needed]
    target = next(iter(required or signature.parameters), None)
    if target is None:
        message, hint = "takes no argument", f"write `{verb.text}:` alone"
    elif isinstance(node, Sequence):
        message = "takes text or a mapping, not a list"
        hint = f"write {verb.text}: {{{target}: [...]}}"
    else:
        return {target: node}
    findings.report(node.span, f"{verb.text!r} {message}", hint)
    return None


def _named(
    verb: Scalar, node: nodes.Mapping, signature: VerbSignature, findings: Findings
) -> dict[str, Node] | None:
    given: dict[str, Node] = {}
    unknown = []
    for name, value in pairs(node, verb.text, findings):
        if name.text in signature.parameters:
            given[name.text] = value
        else:
            unknown.append(name)
    for name in unknown:
        if _is_unquoted_colon(node):
            hint = quote_hint(node)
        else:
            hint = findings.suggest(name.text, signature.parameters) or f"write `{verb.text}:`"
        findings.report(name.span, f"{verb.text!r} has no parameter {name.text!r:.80}", hint)
    return None if unknown else given


def _is_unquoted_colon(node: nodes.Mapping) -> bool:
    # `- read: cart:` is YAML for {read: {cart: null}}; on one line nobody means that.
    name, value = node.pairs[0]
    is_empty = isinstance(value, Scalar) and value.value is None and not value.is_quoted
    return len(node.pairs) == 1 and is_empty and name.span.line == value.span.line


def _read_argument(node: Node, name: str, kind: Kind, findings: Findings) -> Any:  # noqa: ANN401 - data
    is_variable = isinstance(node, Scalar) and parse_reference(node.value) is not None
    if kind is Kind.DATA or (is_variable and kind is not Kind.EVENT):
        return plain(node)
    if kind is Kind.DURATION:
        return _read_seconds(node, name, findings)
    if kind is Kind.TEXT:
        return read_text(node, name, findings)
    pattern = Kind.ID if kind is Kind.EVENT else Kind.NAME
    return read_name(node, name, findings, pattern=pattern)


def _read_seconds(node: Node, name: str, findings: Findings) -> float:
    seconds = parse_seconds(node.value) if isinstance(node, Scalar) else None
    if seconds is None:
        findings.report(node.span, f"{name} must be a duration, not {kind_of(node)}", HINT)
    return seconds or 0.0
