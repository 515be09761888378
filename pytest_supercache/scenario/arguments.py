"""Reads the arguments of a verb, in short or long form, and detects a missing quote."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import (
    kind_of,
    pairs,
    quote_hint,
    read_choice,
    read_duration,
    read_name,
    read_text,
)
from pytest_supercache.scenario.grammar import Kind, VerbSignature
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence, plain
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.variables import parse_reference


def read_arguments(
    verb: Scalar, node: Node, signature: VerbSignature, scope: Scope, findings: Findings
) -> dict[str, Any]:
    """Return the arguments of one step as data; variables in them are not replaced yet."""
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
    return {name: _read_argument(value, name, signature, findings) for name, value in given.items()}


def usage(verb: str, signature: VerbSignature) -> str:
    """Return how a verb is written, with its required arguments."""
    required = [name for name, needed in signature.parameters.items() if needed]
    if len(required) > 1:
        return f"{verb}: {{{', '.join(f'{name}: ...' for name in required)}}}"
    return f"{verb}: {required[0].upper()}" if required else f"{verb}:"


def _given(
    verb: Scalar, node: Node, signature: VerbSignature, findings: Findings
) -> dict[str, Node] | None:
    """Return a node for each parameter; None if a mistake was reported that explains the rest."""
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


def _read_argument(node: Node, name: str, signature: VerbSignature, findings: Findings) -> Any:
    kind = signature.kinds.get(name, Kind.DATA)
    value = node.value if isinstance(node, Scalar) else None
    is_variable = parse_reference(value) is not None and kind is not Kind.EVENT
    is_null = isinstance(node, Scalar) and node.value is None and not node.is_quoted
    if is_variable or kind is Kind.DATA or (is_null and name in signature.optional):
        return plain(node)
    if kind is Kind.CHOICE:
        return read_choice(node, name, signature.choices[name], findings)
    if kind in _TYPED:
        return _read_typed(node, name, kind, findings)
    return _READERS[kind](node, name, findings)


def _read_typed(node: Node, name: str, kind: Kind, findings: Findings) -> Any:
    """Read a value of the type in a verb's annotation; a number for text is kept as written."""
    if kind is Kind.STRING and isinstance(node, Scalar) and node.value is not None:
        return node.text
    data = plain(node)
    if isinstance(data, bool) is not (kind is Kind.BOOLEAN) or not isinstance(data, _TYPED[kind]):
        findings.report(
            node.span, f"{name} must be {kind.value}, not {kind_of(node)}", _EXAMPLES[kind]
        )
    return data


_TYPED: Mapping[Kind, tuple[type, ...]] = {
    Kind.STRING: (str,),
    Kind.INTEGER: (int,),
    Kind.NUMBER: (int, float),
    Kind.BOOLEAN: (bool,),
    Kind.LIST: (list,),
    Kind.MAPPING: (dict,),
}
_EXAMPLES = {
    Kind.STRING: "write some text after ':'",
    Kind.INTEGER: "write digits, without quotes",
    Kind.NUMBER: "write digits, without quotes",
    Kind.BOOLEAN: "write true or false",
    Kind.LIST: "write [a, b]",
    Kind.MAPPING: "write {name: value}",
}
_READERS: Mapping[Kind, Callable[[Node, str, Findings], Any]] = {
    Kind.DURATION: read_duration,
    Kind.TEXT: read_text,
    Kind.NAME: read_name,
    Kind.EVENT: partial(read_name, pattern=Kind.ID),
}
