"""Checks whether a valid file makes sense: its guarantees can fail, its values identify writes.

It runs on a scenario without mistakes. A guarantee that nothing in the file can break is a mistake,
because its HOLDS would be worthless; what merely weakens a verdict is a warning.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator

from pytest_supercache.core.execution import STEPS_MAX
from pytest_supercache.core.misspelt import meant
from pytest_supercache.scenario.grammar import BUILT_IN_VERBS
from pytest_supercache.scenario.problems import Findings, Span
from pytest_supercache.scenario.scenario import (
    GuaranteeSpec,
    Location,
    Scenario,
    StepSpec,
    UserSpec,
)
from pytest_supercache.scenario.variables import has_variable, parse_reference

_WRITES = ("write", "delete")


def check_sense(scenario: Scenario, findings: Findings) -> None:
    """Report contradictions in a valid scenario."""
    for spec in scenario.guarantees or ():
        if missing := _missing(spec, scenario):
            findings.report(
                _span(spec.where, len(spec.name), findings),
                f"nothing here can break {spec.name!r}",
                missing,
            )
    if _names(scenario, "read_your_writes") and not any(map(_reads_after_write, scenario.users)):
        findings.warn(
            _guarantee_span(scenario, "read_your_writes", findings),
            "no user reads after writing, so nobody can miss an own write",
            "let the user who writes read the key afterwards",
        )
    if _names(scenario, "monotonic_reads") and not _reads_again(scenario):
        findings.warn(
            _guarantee_span(scenario, "monotonic_reads", findings),
            "no user reads a key twice, so nobody can see it go back",
            "let a user read a key twice",
        )
    _warn_about_equal_values(scenario, findings)
    _warn_about_odd_keys(scenario, findings)
    _warn_about_lonely_writes(scenario, findings)


def _names(scenario: Scenario, guarantee: str) -> bool:
    return any(spec.name == guarantee for spec in scenario.guarantees or ())


def _guarantee_span(scenario: Scenario, guarantee: str, findings: Findings) -> Span:
    where = next(s.where for s in scenario.guarantees or () if s.name == guarantee)
    return _span(where, len(guarantee), findings)


def _steps(scenario: Scenario) -> Iterator[StepSpec]:
    yield from scenario.before
    for user in scenario.users:
        yield from user.steps
    yield from scenario.finally_


def _may_write(step: StepSpec) -> bool:
    return step.verb in _WRITES or step.verb not in BUILT_IN_VERBS


def _may_read(step: StepSpec) -> bool:
    return step.verb == "read" or step.verb not in BUILT_IN_VERBS


def _reads_after_write(user: UserSpec) -> bool:
    has_written = False
    for step in user.steps:
        if has_written and _may_read(step):
            return True
        has_written = has_written or _may_write(step)
    return False


def _missing(spec: GuaranteeSpec, scenario: Scenario) -> str:
    """Return what a guarantee lacks to be broken; the behaviour of the system is unknown here."""
    loads = spec.parameters.get("loads")
    if spec.name == "max_loads" and isinstance(loads, int) and loads >= STEPS_MAX:
        return f"allow fewer loads: an execution ends after {STEPS_MAX:,} steps"
    checks = _NEEDS.get(spec.name, ())
    return next((missing for check in checks if (missing := check(scenario))), "")


def _needs_write(scenario: Scenario) -> str:
    return "" if any(map(_may_write, _steps(scenario))) else "add a user who writes"


def _needs_difference(scenario: Scenario) -> str:
    """Layers differ after a write, or from the start."""
    layers = {layer for layer, content in scenario.given.items() if content}
    layers |= {layer for case in scenario.cases for layer in case.given}
    return _needs_write(scenario) if len(layers) < 2 else ""


def _needs_read(scenario: Scenario) -> str:
    # The oracle asks every node at the end, which is no read of a user.
    is_read = any(_may_read(step) for user in scenario.users for step in user.steps)
    return "" if is_read else "add a user who reads"


def _needs_any_read(scenario: Scenario) -> str:
    return "" if any(map(_may_read, _steps(scenario))) else "add a user who reads"


def _reads_again(scenario: Scenario) -> bool:
    """Say whether one session may read one key more than once."""
    sessions = [scenario.before, *(user.steps for user in scenario.users), scenario.finally_]
    return any(map(_may_read_again, sessions))


def _may_read_again(steps: tuple[StepSpec, ...]) -> bool:
    reads = [step for step in steps if _may_read(step)]
    keys = Counter(_known_key(step) for step in reads)
    some_key = keys.pop(None, 0)  # nobody knows yet which one
    on_each_node = any(step.node == "all" for step in reads)
    return on_each_node or (some_key > 0 and len(reads) > 1) or max(keys.values(), default=0) > 1


def _known_key(step: StepSpec) -> str | None:
    """Return the key of a read; None if a variable or a verb of the project determines it."""
    key = step.arguments.get("key")
    is_known = step.verb in BUILT_IN_VERBS and parse_reference(key) is None
    return str(key) if is_known else None


def _needs_delete(scenario: Scenario) -> str:
    return "" if any(map(_may_delete, _steps(scenario))) else "add a user who deletes"


def _may_delete(step: StepSpec) -> bool:
    if step.verb == "write":
        value = step.arguments.get("value")
        return value is None or has_variable(value)
    return _may_write(step)


def _needs_value_to_miss(scenario: Scenario) -> str:
    """An answer can be wrong after a write, or if a key that is read has content."""
    if not _needs_write(scenario):
        return ""
    contents = [scenario.given, *(case.given for case in scenario.cases)]
    given = {key for layers in contents for content in layers.values() for key in content}
    reads = {_known_key(step) for step in _steps(scenario) if _may_read(step)}
    return "" if None in reads or reads & given else "add a user who writes a key that is read"


def _needs_owner(scenario: Scenario) -> str:
    is_owned = any(user.owns for user in scenario.users)
    return "" if is_owned else 'say whose keys are whose: owns: ["profile:alice"], in a user'


def _needs_verb(scenario: Scenario) -> str:
    has_verb = any(step.verb not in BUILT_IN_VERBS for step in _steps(scenario))
    return "" if has_verb else "add a user who takes a verb that says whether it admits (observes=)"


def _needs_two_writes(scenario: Scenario) -> str:
    copied = sum(user.copies - 1 for user in scenario.users if any(map(_may_write, user.steps)))
    return (
        ""
        if copied + sum(map(_may_write, _steps(scenario))) > 1
        else "add a user who writes another field"
    )


_NEEDS: dict[str, tuple[Callable[[Scenario], str], ...]] = {
    "bounded_staleness": (_needs_any_read, _needs_difference),
    "cap_holds": (_needs_verb,),
    "coherent_when_settled": (_needs_difference,),
    "durable_writes": (_needs_write,),
    "isolated_users": (_needs_owner, _needs_read),
    "linearizable": (_needs_any_read, _needs_value_to_miss),
    "monotonic_reads": (_needs_read,),
    "monotonic_writes": (_needs_write,),
    "no_dirty_reads": (_needs_any_read, _needs_write),
    "no_lost_field": (_needs_two_writes,),
    "no_lost_invalidation": (_needs_write,),
    "no_resurrection": (_needs_delete,),
    "read_your_writes": (_needs_write,),
    "revocation_holds": (_needs_any_read, _needs_delete),
    "sequentially_consistent": (_needs_any_read, _needs_write),
    "ttl_respected": (_needs_any_read,),
}


def _warn_about_equal_values(scenario: Scenario, findings: Findings) -> None:
    """Warn about equal values: values identify versions, so a read would be ambiguous."""
    first: dict[tuple[str, str], str] = {
        (key, _written(value)): "what the origin holds at first"
        for key, value in scenario.given.get("origin", {}).items()
        if not has_variable(value)
    }
    for step in _steps(scenario):
        if step.verb != "write" or has_variable(list(step.arguments.values())):
            continue
        seen = (step.arguments["key"], _written(step.arguments["value"]))
        if seen in first:
            findings.warn(
                _span(step.where, len(step.verb), findings),
                f"{step.name} writes {first[seen]}: of equal values nobody can say which was read",
                "write a value that no other step writes",
            )
        first.setdefault(seen, f"the value that {step.name} writes")


def _warn_about_odd_keys(scenario: Scenario, findings: Findings) -> None:
    """Warn about a key of a single step that is nearly equal to another key: it may be misspelt."""
    counts = _uses_of_keys(scenario)
    for step in _steps(scenario):
        key = str(step.arguments.get("key"))
        if near := _meant(key, counts):
            findings.warn(
                _span(step.where, len(step.verb), findings),
                f"nothing else here has the key {key!r:.80}",
                f"did you mean {near!r:.80}?",
            )


def _uses_of_keys(scenario: Scenario) -> Counter[str]:
    """Count how often each key stands in a step or in a layer's content."""
    contents = [*scenario.given.values()]
    contents += [content for case in scenario.cases for content in case.given.values()]
    counts = Counter(str(s.arguments["key"]) for s in _steps(scenario) if "key" in s.arguments)
    counts.update(key for content in contents for key in content)
    return counts


def _meant(key: str, counts: Counter[str]) -> str | None:
    """Return the key that a key of a single place is probably a misspelling of."""
    usual = [other for other, count in counts.items() if count > 1]
    return meant(key, usual) if counts[key] == 1 else None


def _warn_about_lonely_writes(scenario: Scenario, findings: Findings) -> None:
    """Warn about a write of a key that nothing else in the file uses.

    A verb of the project may read any key, and a fault, or content that is taken away, can meet a
    single write. Two writers of a key that nobody reads may leave different values behind.
    """
    steps = list(_steps(scenario))
    verbs = {step.verb for step in steps}
    is_met = not verbs <= {*_WRITES, "read", "sleep", "wait_for"} or scenario.faults is not None
    if is_met or not any(step.verb == "read" for step in steps):
        return
    if any(_known_key(step) is None for step in steps if "key" in step.arguments):
        return
    counts = _uses_of_keys(scenario)
    for user in scenario.users:
        for step in user.steps if user.copies == 1 else ():
            key = str(step.arguments.get("key"))
            if step.verb in _WRITES and counts[key] == 1 and not _meant(key, counts):
                findings.warn(
                    _span(step.where, len(step.verb), findings),
                    f"nobody reads {key!r:.80}, and nothing else here uses it",
                    "let a user read it, or correct the key",
                )


def _written(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _span(where: Location, width: int, findings: Findings) -> Span:
    if where.path == findings.path:
        return Span(line=where.line, column=where.column, width=width)
    return Span(line=1, column=1)  # in an included file, which other files use as well
