"""Reads `system:` and `systems:`: the code that the scenario runs on, and the stated verdicts."""

from collections.abc import Collection

from pytest_supercache.core.settings import Assume
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.fields import (
    kind_of,
    location,
    pairs,
    read_choice,
    read_fields,
    read_name,
    read_table,
)
from pytest_supercache.scenario.grammar import (
    ASSUME_FIELDS,
    HOLDS_FIELDS,
    LABELS,
    STATED_FIELDS,
    VIOLATED_FIELDS,
)
from pytest_supercache.scenario.nodes import Node, Scalar, Sequence
from pytest_supercache.scenario.problems import Findings
from pytest_supercache.scenario.scenario import Stated, SystemSpec

Classes = Collection[str]


def read_system(node: Node, known: tuple[str, ...], findings: Findings) -> tuple[SystemSpec, ...]:
    """Read `system: shop`."""
    if not isinstance(node, Scalar):
        findings.report(
            node.span, f"system must be one name, not {kind_of(node)}", "for several: `systems:`"
        )
        return ()
    return (_read_spec(node, None, known, findings),)


def read_systems(
    node: Node, known: tuple[str, ...], classes: Classes, findings: Findings
) -> tuple[SystemSpec, ...]:
    """Read `systems: [a, b]`, or a mapping that states verdicts."""
    specs: list[SystemSpec] = []
    if isinstance(node, Sequence):
        specs = [_read_spec(item, None, known, findings) for item in node.items]
        nodes.refuse_doubles(node.items, findings, "the system ")
    elif isinstance(node, nodes.Mapping):
        specs = [
            _read_spec(name, _read_stated(value, name.text, classes, findings), known, findings)
            for name, value in pairs(node, "systems", findings)
        ]
    if not specs:
        findings.report(
            node.span,
            "systems must be a list or a mapping of at least one system",
            "write systems: {shop: holds}",
        )
    return tuple(specs)


def read_assume(node: Node, findings: Findings) -> Assume | None:
    """Read `{pause: 500ms}`."""
    table = read_table(node, ASSUME_FIELDS, "assume", findings)
    return Assume(pause=table["pause"]) if "pause" in table else None


def _read_spec(
    node: Node, stated: Stated | None, known: tuple[str, ...], findings: Findings
) -> SystemSpec:
    name = read_name(node, "the system", findings)
    if name and name not in known:
        findings.report(
            node.span,
            f"there is no system {name!r:.80}",
            findings.suggest(name, known)
            or f'register one in conftest.py: @sc.system("{name:.40}")',
        )
    return SystemSpec(name=name, stated=stated, where=location(node, findings))


def _read_stated(node: Node, system: str, classes: Classes, findings: Findings) -> Stated | None:
    if isinstance(node, Scalar):
        if node.value is None and not node.is_quoted:
            return None
        if node.text in STATED_FIELDS:
            return Stated(verdict=Verdict(node.text))
        findings.report(
            node.span,
            f"{system!r:.80} cannot be stated as {node.text!r:.80}",
            findings.suggest(node.text, STATED_FIELDS),
        )
        return None
    return _read_long_statement(node, system, classes, findings)


def _read_long_statement(
    node: Node, system: str, classes: Classes, findings: Findings
) -> Stated | None:
    found = pairs(node, f"the verdict of {system}", findings)
    stated = [pair for pair in found if pair[0].text in STATED_FIELDS]
    for name, _ in found:
        if name.text not in STATED_FIELDS:
            hint = findings.suggest(name.text, STATED_FIELDS)
            findings.report(name.span, f"unknown verdict {name.text!r:.80}", hint)
    if len(found) != 1 and isinstance(node, nodes.Mapping):
        place = found[1][0].span if len(found) > 1 else node.span
        findings.report(place, f"{system} must be stated once", "write `holds` or `violated`")
    if not stated:
        return None
    name, value = stated[0]
    if name.text == "holds":
        return Stated(verdict=Verdict.HOLDS, assume=_read_holds(value, findings))
    return _read_violated(value, classes, findings)


def _read_holds(node: Node, findings: Findings) -> Assume | None:
    if isinstance(node, Scalar) and node.value is None and not node.is_quoted:
        return None
    if isinstance(node, nodes.Mapping):
        fields = dict(read_fields(node, HOLDS_FIELDS, "holds", findings))
        return read_assume(fields["assume"], findings) if "assume" in fields else None
    findings.report(
        node.span,
        f"holds takes an assumption, not {kind_of(node)}",
        "write {holds: {assume: {pause: 500ms}}}",
    )
    return None


def _read_violated(node: Node, classes: Classes, findings: Findings) -> Stated:
    if isinstance(node, Scalar):
        is_empty = node.value is None and not node.is_quoted
        named = None if is_empty else _read_class(node, classes, findings)
        return Stated(verdict=Verdict.VIOLATED, conflict_class=named)
    fields = dict(read_fields(node, VIOLATED_FIELDS, "violated", findings))
    return Stated(
        verdict=Verdict.VIOLATED,
        conflict_class=_read_class(fields["class"], classes, findings)
        if "class" in fields
        else None,
        label=read_choice(fields["label"], "label", LABELS, findings)
        if "label" in fields
        else None,
        assume=read_assume(fields["assume"], findings) if "assume" in fields else None,
    )


def _read_class(node: Node, classes: Classes, findings: Findings) -> str | None:
    word = node.text if isinstance(node, Scalar) else kind_of(node)
    if word in classes:
        return word
    hint = findings.suggest(word, classes)
    findings.report(node.span, f"there is no conflict class {word!r:.80}", hint)
    return None
