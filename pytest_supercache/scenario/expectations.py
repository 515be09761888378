"""Reads `expect:` values as matchers; a value that only looks like one is a mistake with a hint.

A mapping is a matcher if its only field is a matcher's name. Such a name among other fields is
refused rather than read as data: a check that silently compares with `{not: 5}` would never fail.
"""

from collections.abc import Callable, Mapping

from pytest_supercache.core.misspelt import is_misspelt
from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import kind_of, pairs, read_name
from pytest_supercache.scenario.grammar import MATCHERS, Kind
from pytest_supercache.scenario.matchers import (
    Anything,
    Bounds,
    Equal,
    Exactly,
    Fields,
    Items,
    Matcher,
    Missing,
    Not,
    OneOf,
    Raises,
    Variable,
)
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence, plain
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scope import Scope
from pytest_supercache.scenario.variables import Reference, parse_reference

_BOUNDS = {"at_least", "at_most"}


def read_matcher(node: Node, scope: Scope, findings: Findings) -> Matcher:
    """Read the matcher for the answer of a step."""
    if isinstance(node, Scalar):
        return _read_scalar(node, scope, findings)
    if isinstance(node, Sequence):
        return Items(items=tuple(read_matcher(item, scope, findings) for item in node.items))
    return _read_mapping(node, scope, findings)


def _read_scalar(node: Scalar, scope: Scope, findings: Findings) -> Matcher:
    # Quotes do not make a word data: editors and formatters add and remove them. `literal` does.
    if node.value == "missing":
        return Missing()
    if node.value == "any":
        return Anything()
    if reference := parse_reference(node.value):
        scope.check(node, findings)
        return Variable(reference=reference)
    return Equal(value=node.value)


def _read_mapping(node: nodes.Mapping, scope: Scope, findings: Findings) -> Matcher:
    found = pairs(node, "expect", findings)
    names = {name.text for name, _ in found}
    if names and names <= _BOUNDS:
        limits = {
            name.text: _read_limit(value, name.text, scope, findings) for name, value in found
        }
        return _bounds(node, limits, findings)
    if len(names) == 1 and names <= _READERS.keys():
        name, value = found[0]
        return _READERS[name.text](value, scope, findings)
    if not node.pairs:
        findings.report(
            node.span,
            "every mapping has the fields of an empty one",
            "for a mapping without fields: {exactly: {}}; for any answer: any",
        )
    for name, _ in found:
        _refuse_matcher_among_fields(name, findings, is_alone=len(names) == 1)
    return Fields(
        fields=tuple((name.text, read_matcher(value, scope, findings)) for name, value in found)
    )


def _bounds(
    node: Node, limits: Mapping[str, int | float | Reference | None], findings: Findings
) -> Bounds:
    lower, upper = limits.get("at_least"), limits.get("at_most")
    if isinstance(lower, int | float) and isinstance(upper, int | float) and lower > upper:
        findings.report(node.span, f"no number is at least {lower} and at most {upper}")
    return Bounds(at_least=lower, at_most=upper)


def _read_not(node: Node, scope: Scope, findings: Findings) -> Matcher:
    matcher = read_matcher(node, scope, findings)
    if isinstance(matcher, Anything):
        findings.report(
            node.span,
            "no answer is `not any`",
            "for an error, write `raises: Name` beside the verb",
        )
    elif isinstance(node, Sequence):
        findings.report(
            node.span,
            "`not` a list is every answer but this one list",
            "for none of several answers: not: {one_of: [a, b]}; for a list: not: {literal: [a]}",
        )
    elif isinstance(node, Scalar) and node.value is None:
        findings.report(node.span, "`not` has no value", "for any value at all: not: missing")
    return Not(matcher=matcher)


def _refuse_matcher_among_fields(name: Scalar, findings: Findings, *, is_alone: bool) -> None:
    escape = f"if {name.text!r:.40} is data: {{literal: {{{name.text:.40}: ...}}}}"
    if name.text in MATCHERS:
        findings.report(name.span, f"the matcher {name.text!r} must stand alone", escape)
    elif name.text == "raises":
        findings.report(
            name.span,
            "`raises` is an error, not an answer",
            "write it beside the verb, or in a `one_of:` list",
        )
    elif is_alone and is_misspelt(name.text, MATCHERS):
        hint = findings.suggest(name.text, MATCHERS)
        findings.report(name.span, f"unknown matcher {name.text!r}", f"{hint} {escape}")


def _read_limit(
    node: Node, what: str, scope: Scope, findings: Findings
) -> int | float | Reference | None:
    value = node.value if isinstance(node, Scalar) else None
    if reference := parse_reference(value):
        scope.check(node, findings)
        return reference
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    findings.report(
        node.span, f"{what} must be a number, not {kind_of(node)}", "write digits, without quotes"
    )
    return None


def _read_one_of(node: Node, scope: Scope, findings: Findings) -> Matcher:
    if not isinstance(node, Sequence) or not node.items:
        findings.report(node.span, "one_of must be a list of answers", "write one_of: [a, b]")
        return Anything()
    options = tuple(_read_option(item, scope, findings) for item in node.items)
    if Anything() in options and not any(isinstance(one, Raises) for one in options):
        findings.report(node.span, "every answer is one of these", "leave `any` out")
    return OneOf(options=options)


def _read_option(node: Node, scope: Scope, findings: Findings) -> Matcher | Raises:
    if isinstance(node, nodes.Mapping) and len(node.pairs) == 1:
        name, value = node.pairs[0]
        if isinstance(name, Scalar) and name.text == "raises":
            return Raises(name=read_name(value, "raises", findings, pattern=Kind.ERROR))
    return read_matcher(node, scope, findings)


def _read_exactly(node: Node, scope: Scope, findings: Findings) -> Matcher:
    scope.check(node, findings)
    return Exactly(data=plain(node))


def _read_literal(node: Node, _scope: Scope, _findings: Findings) -> Matcher:
    if isinstance(node, Scalar):
        return Equal(value=node.value)
    if isinstance(node, Sequence):
        return Items(items=tuple(_read_literal(item, _scope, _findings) for item in node.items))
    return Fields(
        fields=tuple(
            (name.text, _read_literal(value, _scope, _findings))
            for name, value in node.pairs
            if isinstance(name, Scalar)
        )
    )


_READERS: Mapping[str, Callable[[Node, Scope, Findings], Matcher]] = {
    "exactly": _read_exactly,
    "one_of": _read_one_of,
    "not": _read_not,
    "literal": _read_literal,
}
