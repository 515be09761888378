"""Defines a guarantee as a value: its name, the function that judges, and its parameters.

Some need parameters: ``MAX_LOADS(1)`` is the guarantee that ``{max_loads: 1}`` names in a file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution, Settled
from pytest_supercache.core.operation import History
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.real_time import FindPatterns


class NotJudgedError(Exception):
    """Raised by a guarantee that cannot be judged on what was recorded; never a pass."""


class NeverJudgedError(NotJudgedError):
    """Raised if no schedule can be judged, because the flow does not record what is needed."""


class NothingToJudgeError(NeverJudgedError):
    """Raised if an execution shows nothing that could break a guarantee; others may show more."""


FindViolation = Callable[..., Violation | None]


class Unit(Enum):
    """The unit of a parameter; in a file a duration may be written ``2s``."""

    SECONDS = "a number of seconds, at least 0"
    COUNT = "a whole number, at least 1"
    KEY = "a key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a guarantee, with a description for users."""

    name: str
    unit: Unit
    description: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What must hold in every execution.

    ``find_violation`` returns the evidence, or None when the guarantee holds. It raises
    :class:`NotJudgedError` when what was recorded does not suffice to say.

    Attributes:
        name: as scenario files say it.
        find_violation: called with an execution, and with the parameters by their names.
        parameters: those that are still to be given, by calling the guarantee.
        real_time: the verdict is no function of the trace: two orders of the same independent
            steps may differ in it. A search that runs each trace once must try the orders that
            ``find_patterns`` names; if there is none, it must not leave out any order.
        find_patterns: the ways in which another order of the same trace may break it.
        needs_contents: the content of every layer must be recorded after each step.
        real_time_with: the parameter without which it is a function of the trace nevertheless, and
            ignores time.
        find_lack: returns what a history lacks if there is nothing in it to judge, else "".
        has_subject: says whether a history has what could break it, where few have. Without it, it
            holds and says nothing. None: not known.
        asks_nodes: it may judge what nodes answer when everything has settled.
        is_default: nobody has asked for it: where there is nothing to judge, it is passed over.
        ignores_time: it says the same whatever the clock shows when a step is taken.
    """

    name: str
    find_violation: FindViolation
    parameters: tuple[Parameter, ...] = ()
    real_time: bool = False
    find_patterns: FindPatterns | None = None
    needs_contents: bool = False
    real_time_with: str | None = None
    find_lack: Callable[[History], str] | None = None
    has_subject: Callable[[History], bool] | None = None
    asks_nodes: bool = True
    is_default: bool = False
    ignores_time: bool = False

    def __call__(self, *given: Any, **named: Any) -> "Guarantee":
        """Return this guarantee with its parameters, in their order or by name.

        Raises:
            SupercacheError: one is unknown, missing or of the wrong kind.
        """
        names = [parameter.name for parameter in self.parameters]
        if len(given) > len(names) or not named.keys() <= set(names[len(given) :]):
            raise SupercacheError(
                f"{self.name.upper()}{_written(given, named)}: expected "
                f"{', '.join(names) or 'no parameter'}, each at most once"
            )
        values = {**dict(zip(names, given, strict=False)), **named}
        for parameter in self.parameters:
            self._check(parameter, values.get(parameter.name))
        patterns = self.find_patterns
        asked = {None, *(name for name, value in values.items() if value is not None)}
        return replace(
            self,
            find_violation=partial(self.find_violation, **values),
            find_patterns=None if patterns is None else partial(patterns, **values),
            parameters=(),
            real_time=self.real_time and self.real_time_with in asked,
            ignores_time=self.ignores_time or self.real_time_with not in asked,
        )

    def _check(self, parameter: Parameter, value: Any) -> None:
        if value is None:
            if parameter.is_required:
                raise SupercacheError(
                    f"{self.name} needs {parameter.name} ({parameter.unit.value}): "
                    f"{parameter.description} Write {self.name.upper()}({parameter.name}=...)"
                )
        elif not _fits(parameter.unit, value):
            raise SupercacheError(
                f"{self.name.upper()}({parameter.name}={value!r}): expected {parameter.unit.value}"
            )


def as_guarantees(given: Any) -> tuple[Guarantee, ...]:
    """Return the guarantees that a test was given.

    Raises:
        SupercacheError: they are no guarantees.
    """
    wanted = None if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if wanted is None or not all(isinstance(one, Guarantee) for one in wanted):
        shown = given if wanted is None else [*wanted]
        raise SupercacheError(
            f"guarantees={shown!r}: expected a list of guarantees of pytest_supercache, as "
            "[READ_YOUR_WRITES, MAX_LOADS(1)]; names are for scenario files (docs/guarantees.md)"
        )
    return wanted


def complete(guarantees: Iterable[Guarantee]) -> tuple[Guarantee, ...]:
    """Return the guarantees, each with all its parameters.

    Raises:
        SupercacheError: one was named without a parameter that it needs.
    """
    return tuple(guarantee() if guarantee.parameters else guarantee for guarantee in guarantees)


def check_history(
    history: History, guarantee: Guarantee, settled: Settled | None = None
) -> Violation | None:
    """Judge a recorded history by one guarantee.

    Raises:
        NotJudgedError: the history does not say enough.
        SupercacheError: a parameter of the guarantee is missing.
    """
    from pytest_supercache.core.schedule import Schedule

    execution = Execution(
        schedule=Schedule(), steps=[], history=history, settled=settled or Settled()
    )
    (guarantee,) = complete([guarantee])
    return guarantee.find_violation(execution)


def decided(findings: Iterable[Violation | NotJudgedError]) -> Violation | None:
    """Return the first violation; it outranks anything that could not be judged.

    Raises:
        NotJudgedError: there is none, and something could not be judged.
    """
    unjudged: NotJudgedError | None = None
    for finding in findings:
        if isinstance(finding, Violation):
            return finding
        unjudged = unjudged or finding
    if unjudged is not None:
        raise unjudged
    return None


def _fits(unit: Unit, value: Any) -> bool:
    if unit is Unit.KEY:
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value >= 0 if unit is Unit.SECONDS else isinstance(value, int) and value >= 1


def _written(given: tuple[Any, ...], named: dict[str, Any]) -> str:
    parts = [repr(value) for value in given]
    return f"({', '.join([*parts, *(f'{name}={value!r}' for name, value in named.items())])})"
