"""A checked scenario as frozen values: the content of the file, and the items that pytest runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from pytest_supercache.core.operation import DEFAULT_NODE
from pytest_supercache.core.settings import Assume
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.scenario.matchers import Matcher
from pytest_supercache.scenario.problems import Problem, Span
from pytest_supercache.scenario.variables import resolve


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""Stands for a missing `expect`; None would mean that None is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in a scenario file, counted from 1 as editors do."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One step of a flow: a verb, its arguments, and the expected answer."""

    verb: str
    arguments: dict[str, Any]  # may hold `$name`; see variables.resolve
    id: str | None = None
    keep_as: str | None = None
    expect: Matcher | Unset = UNSET
    raises: str | None = None
    why: str | None = None
    node: str | None = None  # in `before` and `finally` only; "all" means every node
    name: str  # its id, or `alice[2]`: user and position counted from 1
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSpec:
    """The flow of one user; its steps keep their order."""

    name: str
    node: str = DEFAULT_NODE
    copies: int = 1
    owns: tuple[str, ...] = ()
    steps: tuple[StepSpec, ...]
    where: Location

    def expanded(self) -> "tuple[UserSpec, ...]":
        """Return one user per copy: `bob-1`, `bob-2`; a single one keeps its name."""
        if self.copies == 1:
            return (self,)
        return tuple(self._copy(f"{self.name}-{number}") for number in range(1, self.copies + 1))

    def _copy(self, name: str) -> "UserSpec":
        steps = tuple(
            replace(step, name=step.id or f"{name}[{position}]")
            for position, step in enumerate(self.steps, start=1)
        )
        return replace(self, name=name, copies=1, steps=steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The verdict that the scenario's author expects for a system."""

    verdict: Verdict
    conflict_class: str | None = None
    label: str | None = None
    assume: Assume | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """A system that the scenario runs on."""

    name: str
    stated: Stated | None = None
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsSpec:
    """The faults that may occur: at most ``max`` of these kinds; () means the default ones."""

    max: int = 1
    kinds: tuple[str | dict[str, Any], ...] = ()  # a kind, or {kind: what is said of it}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuaranteeSpec:
    """A guarantee by name, with its parameters; durations are in seconds."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row of the data table: its changes of `given`, and its variables."""

    name: str
    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The content of one file; loading has checked it, so that its readers need no checks."""

    path: str
    title: str
    id: str
    story: str = ""  # the comment that the file opens with
    systems: tuple[SystemSpec, ...]
    names_systems: bool = False  # `systems:` was used, so an item's name says which it is
    owner: str | None = None
    severity: str | None = None  # None: nobody has rated it
    tags: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)  # layer -> key -> value
    before: tuple[StepSpec, ...] = ()
    users: tuple[UserSpec, ...]
    finally_: tuple[StepSpec, ...] = ()
    guarantees: tuple[GuaranteeSpec, ...] | None = None  # None: the default ones; (): only answers
    explore: dict[str, Any] = field(default_factory=dict)  # names of core.settings.Exploration
    assume: Assume | None = None
    faults: FaultsSpec | None = None
    cases: tuple[Case, ...] = ()
    where: Location
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    spans: dict[str, Span] = field(default_factory=dict, compare=False, repr=False)  # id, tag:NAME

    @property
    def expects(self) -> bool:
        """Whether any step has an expected answer."""
        steps = [*self.before, *self.finally_, *(one for user in self.users for one in user.steps)]
        return any(step.expect is not UNSET or step.raises is not None for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioItem:
    """A scenario on one system with one case: what pytest runs and a token names."""

    scenario: Scenario
    system: SystemSpec
    case: Case | None
    name: str

    @property
    def given(self) -> dict[str, dict[str, Any]]:
        """The scenario's content with the case's merged over it; a null there removes a key."""
        merged = {layer: dict(content) for layer, content in self.scenario.given.items()}
        for layer, content in (self.case.given if self.case else {}).items():
            kept = {**merged.get(layer, {}), **content}
            merged[layer] = {
                key: value for key, value in kept.items() if value is not None or key not in content
            }
        given: dict[str, dict[str, Any]] = resolve(merged, self.variables)
        return given

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables that the case sets, before any step has run."""
        return self.case.variables if self.case else {}

    @property
    def assume(self) -> Assume | None:
        """The assumption for this system: its own overrides the scenario's."""
        stated = self.system.stated
        return (stated and stated.assume) or self.scenario.assume


def items(scenario: Scenario) -> tuple[ScenarioItem, ...]:
    """Return every run of a scenario: systems in the order of the file, and cases within each."""
    has_table = scenario.cases or (None,)
    # `system: shop` is not part of the name, `systems: [shop]` is: adding a second system must
    # not rename the first one's item.
    return tuple(
        ScenarioItem(
            scenario=scenario, system=system, case=case, name=_name(scenario, system, case)
        )
        for system in scenario.systems
        for case in has_table
    )


def split_event(event: str, users: tuple[UserSpec, ...]) -> tuple[str, str | None]:
    """Split a checked `wait_for` into (user, step id), or (user, None) for the user's end."""
    names = {user.name for user in users}
    if event in names:
        return event, None
    return next(
        (user.name, step.id)
        for user in users
        for step in user.steps
        if step.id is not None and f"{user.name}.{step.id}" == event
    )


def _name(scenario: Scenario, system: SystemSpec, case: Case | None) -> str:
    parts = [system.name] if scenario.names_systems else []
    parts += [case.name] if case else []
    return f"{scenario.id}[{'-'.join(parts)}]" if parts else scenario.id
