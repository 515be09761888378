"""Describes a scenario in words, as Given, When and Then, for people and for Allure."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_supercache.scenario.grammar import GUARANTEES
from pytest_supercache.scenario.matchers import (
    Anything,
    Fields,
    Matcher,
    Missing,
    Not,
    OneOf,
    Raises,
    describe,
)
from pytest_supercache.scenario.scenario import (
    UNSET,
    FaultsSpec,
    Scenario,
    StepSpec,
    SystemSpec,
    UserSpec,
)

_LAYERS = {
    "origin": "the origin",
    "existing_cache": "the existing cache",
    "super_cache": "the super cache",
}
_DEFAULT = ("coherent_when_settled", "read_your_writes")


def explain(scenario: Scenario) -> str:
    """Return the scenario as plain text that is also Markdown."""
    parts = [f"{scenario.id}: {scenario.title}", ""]
    parts += [scenario.story, ""] if scenario.story else []
    parts += _section("Given", _given(scenario.given))
    parts += _section("Before, alone and one after the other", map(_alone, scenario.before))
    for user in scenario.users:
        parts += _section(_who(user), _numbered(map(_step, user.steps)))
    if len(scenario.users) > 1 or scenario.users[0].copies > 1:
        parts += ["At the same time: every order of the users' steps is tried.", ""]
    parts += _section("Then, when everything has settled", map(_alone, scenario.finally_))
    parts += _section("And in every order", _promises(scenario))
    parts += _section("While", _circumstances(scenario))
    parts += _section("For each case", _cases(scenario))
    parts += _section("On", map(_system, scenario.systems))
    return "\n".join(parts).rstrip() + "\n"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    if not lines:
        return []
    marked = [line if line[:1].isdigit() else f"- {line}" for line in lines]
    return [title, "", *marked, ""]


def _numbered(lines: Iterable[str]) -> list[str]:
    return [f"{number}. {line}" for number, line in enumerate(lines, start=1)]


def _given(given: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{_LAYERS[layer]} holds {key} = {_data(value)}"
        for layer, content in given.items()
        for key, value in content.items()
    ]


def _who(user: UserSpec) -> str:
    copies = f" ({user.copies} of them)" if user.copies > 1 else ""
    owns = f", who owns {', '.join(user.owns)}," if user.owns else ""
    return f"When {user.name}{copies}{owns} on node {user.node}"


def _alone(step: StepSpec) -> str:
    place = {None: "", "all": " on every node"}.get(step.node, f" on node {step.node}")
    return f"somebody{place} {_step(step)}"


def _step(step: StepSpec) -> str:
    said = _ACTIONS.get(step.verb, _other)(step.verb, step.arguments)
    if step.id:
        said += f", as step {step.id!r}"
    if step.keep_as:
        said += f", which is ${step.keep_as} from here on"
    if step.expect is not UNSET:
        said += f"; {_expected(step.expect)}"
    if step.raises:
        said += f"; it must fail with {step.raises}"
    return f"{said} ({step.why})" if step.why else said


def _expected(matcher: Matcher) -> str:
    """Return what an answer must be, as a sentence."""
    match matcher:
        case Fields(fields=fields):
            told = [_field(name, want) for name, want in fields]
            return f"the answer must have {_listed(told, 'and')}"
        case Anything():
            return "any answer will do"
        case Not(matcher=inner):
            return f"the answer must not be {_value(inner)}"
        case _:
            return f"the answer must be {_value(matcher)}"


def _field(name: str, matcher: Matcher) -> str:
    match matcher:
        case Missing():
            return f"no {name}"
        case Anything():
            return f"some {name}"
        case _:
            return f"{name} {_value(matcher)}"


def _value(matcher: Matcher | Raises) -> str:
    """Return what a matcher allows, as a noun; what is nested stays as the file has it."""
    match matcher:
        case OneOf(options=options):
            return _listed([_value(option) for option in options], "or")
        case Not(matcher=inner):
            return f"anything but {_value(inner)}"
        case Missing():
            return "nothing"
        case _:
            return describe(matcher)


def _listed(parts: Sequence[str], word: str) -> str:
    *most, last = parts or ["nothing"]
    return f"{', '.join(most)} {word} {last}" if most else last


def _other(verb: str, arguments: Mapping[str, Any]) -> str:
    given = ", ".join(f"{name} {_data(value)}" for name, value in arguments.items())
    return f"does {verb!r} with {given}" if given else f"does {verb!r}"


def _place(arguments: Mapping[str, Any]) -> str:
    layer = arguments.get("layer")
    node = f" of node {arguments['node']}" if arguments.get("node") else ""
    return (f" in {_LAYERS.get(layer, str(layer))}" if layer else "") + node


_ACTIONS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    "read": lambda _, given: f"reads {given['key']}",
    "write": lambda _, given: f"writes {given['key']} = {_data(given['value'])}",
    "delete": lambda _, given: f"deletes {given['key']}",
    "sleep": lambda _, given: f"waits {given['seconds']} s",
    "wait_for": lambda _, given: f"waits for {given['event']}",
    "expire": lambda _, given: f"sees {given['key']} expire{_place(given)}",
    "evict": lambda _, given: f"sees {given['key']} dropped{_place(given)}",
    "flush": lambda _, given: f"sees everything dropped{_place(given)}",
    "restart": lambda _, given: f"sees a restart{_place(given)}",
}


def _promises(scenario: Scenario) -> list[str]:
    named = scenario.guarantees
    specs = [(spec.name, spec.parameters) for spec in named or ()]
    if named is None:
        specs = [(name, {}) for name in _DEFAULT]
    lines = []
    for name, parameters in (spec for spec in specs if spec[0] != "answers"):
        given = ", ".join(f"{key} {_data(value)}" for key, value in parameters.items())
        lines.append(f"{GUARANTEES.get(name, name)}{f' ({given})' if given else ''}")
    return [*lines, GUARANTEES["answers"].partition(";")[0]]


def _circumstances(scenario: Scenario) -> list[str]:
    lines = []
    if scenario.assume is not None:
        lines.append(f"no operation pauses {scenario.assume.pause:g} s or more")
    if scenario.faults is not None and scenario.faults.max:
        lines.append(_faults(scenario.faults))
    return lines


def _faults(faults: FaultsSpec) -> str:
    kinds = [kind if isinstance(kind, str) else next(iter(kind)) for kind in faults.kinds]
    named = ", ".join(kind.replace("_", " ") for kind in kinds) or "any of the usual faults"
    return f"at most {faults.max} of these may go wrong: {named}"


def _cases(scenario: Scenario) -> list[str]:
    lines = []
    for case in scenario.cases:
        differs = _given(case.given)
        differs += [f"${name} is {_data(value)}" for name, value in case.variables.items()]
        lines.append(f"{case.name}: {'; '.join(differs) or 'as above'}")
    return lines


def _system(spec: SystemSpec) -> str:
    if spec.stated is None:
        return f"{spec.name}, where all of this must hold"
    if spec.stated.verdict.value == "violated":
        named = f" ({spec.stated.conflict_class})" if spec.stated.conflict_class else ""
        return f"{spec.name}, where a conflict{named} is known and must be found"
    assumed = (
        f" while no operation pauses {spec.stated.assume.pause:g} s" if (spec.stated.assume) else ""
    )
    return f"{spec.name}, where all of this must hold{assumed}"


def _data(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
