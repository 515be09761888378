"""Writes a scenario as the text of a file: the inverse of `validate`, for what a search has found.

Flows are expanded, tables become `cases:`, and a value that would be read as something else is
quoted. Reading the text gives the same scenario.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_supercache.core.misspelt import is_misspelt
from pytest_supercache.core.operation import DEFAULT_NODE
from pytest_supercache.core.printable import printable
from pytest_supercache.scenario.grammar import BUILT_IN_VERBS, MATCHERS
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
from pytest_supercache.scenario.scalars import parse_scalar
from pytest_supercache.scenario.scenario import (
    UNSET,
    GuaranteeSpec,
    Scenario,
    StepSpec,
    SystemSpec,
    UserSpec,
)
from pytest_supercache.scenario.variables import Reference, parse_reference

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$/-]*(:[A-Za-z0-9_.$/-]+)*")


def written(scenario: Scenario, comments: Iterable[str] = ()) -> str:
    """Return the text of a file with the content of ``scenario``, below some comment lines."""
    lines = [f"# {printable(line)}" for comment in comments for line in comment.splitlines()]
    lines += [f"scenario: {_scalar(scenario.title)}", f"id: {_scalar(scenario.id)}"]
    lines += _systems(scenario)
    lines += _line("owner", scenario.owner)
    lines += _line("severity", scenario.severity)
    lines += _line("tags", list(scenario.tags))
    lines += _line("links", scenario.links)
    lines += _block("given", {layer: _flow(keys) for layer, keys in scenario.given.items()})
    lines += _steps("before", scenario.before, "")
    lines += ["users:"]
    for user in scenario.users:
        lines += _user(user)
    lines += _steps("finally", scenario.finally_, "")
    if scenario.guarantees is not None:
        lines += [f"guarantees: {_flow(list(map(_guarantee, scenario.guarantees)))}"]
    lines += _line("explore", scenario.explore)
    if scenario.assume is not None:
        lines += _line("assume", {"pause": scenario.assume.pause})
    if scenario.faults is not None:
        kinds = {"kinds": list(scenario.faults.kinds)} if scenario.faults.kinds else {}
        lines += _line("faults", {"max": scenario.faults.max, **kinds})
    cases = {
        case.name: _flow({**({"given": case.given} if case.given else {}), **case.variables})
        for case in scenario.cases
    }
    lines += _block("cases", cases)
    return "\n".join(lines) + "\n"


def _line(name: str, data: Any) -> list[str]:
    return [f"{name}: {_flow(data)}"] if data not in (None, [], {}) else []


def _block(name: str, texts: Mapping[str, str]) -> list[str]:
    rows = [f"  {_scalar(key)}: {text}" for key, text in texts.items()]
    return [f"{name}:", *rows] if rows else []


def _systems(scenario: Scenario) -> list[str]:
    if not scenario.names_systems:
        return [f"system: {_scalar(scenario.systems[0].name)}"]
    return _block("systems", {spec.name: _stated(spec) for spec in scenario.systems})


def _stated(spec: SystemSpec) -> str:
    if spec.stated is None:
        return "~"
    more: dict[str, Any] = {}
    if spec.stated.conflict_class is not None:
        more["class"] = spec.stated.conflict_class
    if spec.stated.label is not None:
        more["label"] = spec.stated.label
    if spec.stated.assume is not None:
        more["assume"] = {"pause": spec.stated.assume.pause}
    verdict = spec.stated.verdict.value
    return _flow({verdict: more}) if more else verdict


def _guarantee(spec: GuaranteeSpec) -> Any:
    return {spec.name: spec.parameters} if spec.parameters else spec.name


def _user(user: UserSpec) -> list[str]:
    fields = {
        **({"node": user.node} if user.node != DEFAULT_NODE else {}),
        **({"copies": user.copies} if user.copies != 1 else {}),
        **({"owns": list(user.owns)} if user.owns else {}),
    }
    if not fields:
        return _steps(_scalar(user.name), user.steps, "  ")
    rows = [f"    {name}: {_flow(value)}" for name, value in fields.items()]
    return [f"  {_scalar(user.name)}:", *rows, *_steps("steps", user.steps, "    ")]


def _steps(name: str, steps: Iterable[StepSpec], pad: str) -> list[str]:
    lines = []
    for step in steps:
        verb = f"{_scalar(step.verb)}: {_arguments(step)}".rstrip()
        lines += [f"{pad}  - {verb}", *(f"{pad}    {line}" for line in _beside(step))]
    return [f"{pad}{name}:", *lines] if lines else []


def _arguments(step: StepSpec) -> str:
    if not step.arguments:
        return ""
    value, *rest = step.arguments.values()
    if not rest and step.verb in BUILT_IN_VERBS and isinstance(value, str | float | int):
        return _scalar(value)
    return _flow(step.arguments)


def _beside(step: StepSpec) -> list[str]:
    fields = {
        "id": step.id,
        "as": step.keep_as,
        "raises": step.raises,
        "why": step.why,
        "node": step.node,
    }
    lines = [f"{name}: {_scalar(value)}" for name, value in fields.items() if value is not None]
    return lines if step.expect is UNSET else [*lines, f"expect: {_flow(_data_of(step.expect))}"]


def _data_of(matcher: Matcher | Raises) -> Any:
    match matcher:
        case Equal(value=value):
            looks_special = value in ("missing", "any") or parse_reference(value) is not None
            return {"literal": value} if looks_special else value
        case Fields(fields=fields):
            if any(_looks_like_a_matcher(name, len(fields)) for name, _ in fields):
                return {"literal": _raw(matcher)}
            return {name: _data_of(want) for name, want in fields}
        case Items(items=items):
            return [_data_of(item) for item in items]
        case OneOf(options=options):
            return {"one_of": [_data_of(option) for option in options]}
        case Not(matcher=inner):
            return {"not": _data_of(inner)}
        case _:
            return _word_of(matcher)


def _word_of(matcher: Matcher | Raises) -> Any:
    match matcher:
        case Exactly(data=data):
            return {"exactly": data}
        case Variable(reference=reference):
            return str(reference)
        case Raises(name=name):
            return {"raises": name}
        case Bounds(at_least=at_least, at_most=at_most):
            limits = {"at_least": at_least, "at_most": at_most}
            return {
                name: str(limit) if isinstance(limit, Reference) else limit
                for name, limit in limits.items()
                if limit is not None
            }
        case Missing():
            return "missing"
        case Anything():
            return "any"
        case _:
            raise AssertionError(f"{matcher!r} has no words")


def _looks_like_a_matcher(name: str, fields: int) -> bool:
    return name in MATCHERS or name == "raises" or (fields == 1 and is_misspelt(name, MATCHERS))


def _raw(matcher: Matcher | Raises) -> Any:
    """Return the data of a `literal:`, which alone can have fields with the names of matchers."""
    match matcher:
        case Equal(value=value):
            return value
        case Fields(fields=fields):
            return {name: _raw(want) for name, want in fields}
        case Items(items=items):
            return [_raw(item) for item in items]
        case _:
            raise AssertionError(f"{matcher!r} stands inside of literal data")


def _flow(data: Any) -> str:
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{_scalar(k, True)}: {_flow(v)}" for k, v in data.items()) + "}"
    if isinstance(data, list | tuple):
        return "[" + ", ".join(map(_flow, data)) + "]"
    return _scalar(data)


def _scalar(value: Any, is_name: bool = False) -> str:
    """Return a scalar, quoted if YAML would read it as something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    is_text = isinstance(parse_scalar(value)[0], str) and _PLAIN.fullmatch(value)
    if is_text and not (is_name and ":" in value):
        return value
    # JSON's \u escapes of a surrogate pair are two broken characters in YAML.
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in quoted)
