"""Reads `faults:`: which faults may occur in an interleaving, and how many."""

from typing import Any

from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import READERS, kind_of, read_fields
from pytest_supercache.scenario.grammar import FAULTS, FAULTS_FIELDS, FAULTS_MAX
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scenario import FaultsSpec


def read_faults(node: Node, findings: Findings) -> FaultsSpec:
    """Read `{max: 1, kinds: [evict, {cancel: gevent.Timeout}]}`."""
    found: dict[str, Any] = {}
    for name, value in read_fields(node, FAULTS_FIELDS, "faults", findings):
        if name == "kinds":
            found[name] = _read_kinds(value, findings)
            continue
        field = FAULTS_FIELDS[name]
        found[name] = READERS[field.kind](value, name, field, findings)
        if found[name] > FAULTS_MAX:
            findings.report(
                value.span,
                f"{name} cannot be more than {FAULTS_MAX}",
                "one shows nearly everything",
            )
    return FaultsSpec(**found)


def _read_kinds(node: Node, findings: Findings) -> tuple[str | dict[str, Any], ...]:
    if not isinstance(node, Sequence) or not node.items:
        hint = f"write [{node.text}]" if isinstance(node, Scalar) and node.text else "write [evict]"
        findings.report(
            node.span, f"kinds must be a list of at least one fault, not {kind_of(node)}", hint
        )
        return ()
    first: dict[str, int] = {}
    kinds: list[str | dict[str, Any]] = []
    for item in node.items:
        name, value = _kind(item)
        word = name.text if isinstance(name, Scalar) else kind_of(item)
        if word not in FAULTS:
            hint = findings.suggest(word, FAULTS)
            findings.report(name.span, f"there is no fault {word!r:.80}", hint)
            continue
        kinds.append(word if value is None else {word: _read_more(word, value, findings)})
        if word in first:
            findings.report(name.span, f"{word!r} is given twice", f"first on line {first[word]}")
        first.setdefault(word, name.span.line)
    return tuple(kinds)


def _kind(item: Node) -> tuple[Node, Node | None]:
    if isinstance(item, nodes.Mapping) and len(item.pairs) == 1:
        return item.pairs[0]
    return item, None


def _read_more(kind: str, value: Node, findings: Findings) -> Any:
    field = FAULTS[kind].parameter
    if field is not None:
        return READERS[field.kind](value, kind, field, findings)
    findings.report(value.span, f"{kind!r} takes nothing", f"write {kind} alone")
    return None
