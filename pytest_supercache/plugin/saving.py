"""``--supercache-save=DIR``: saves a conflict that a search has found as the smallest scenario.

Users, steps and faults are removed one by one as long as the same violation is found. Every
candidate is written and read again, so what is saved passes `supercache lint` by construction; its
token is that of the last check, which replayed it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import masked
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.verdict import Verdict
from pytest_supercache.scenario.grammar import Vocabulary
from pytest_supercache.scenario.names import SUFFIX
from pytest_supercache.scenario.scenario import Scenario, ScenarioItem, UserSpec, items
from pytest_supercache.scenario.validate import load
from pytest_supercache.scenario.writing import written

CHECKS_MAX = 100  # candidates that are tried
EXECUTIONS_MAX = 2_000  # of the search for one candidate
SECONDS_MAX = 10.0
_NAME_MAX = 150

_PLACE = re.compile(r"^.*?\): ")  # where a broken `expect` stands: step, verb, line


@dataclass(frozen=True, slots=True)
class Saver:
    """Saves one item's conflict."""

    vocabulary: Vocabulary
    check: Callable[[ScenarioItem], CheckResult]

    def save(
        self, item: ScenarioItem, result: CheckResult, folder: Path, shown: Path
    ) -> Path | None:
        """Write the smallest scenario that shows the violation of ``result``; None if none does.

        ``shown`` is the folder as the user wrote it; the returned path is below it.
        """
        scenario = _alone(item)
        found = self._checked(scenario, result)
        if found is None:
            return None
        scenario, result = self._smallest(*found)
        name = f"{_file_name(scenario.id)}{SUFFIX}"
        folder.mkdir(parents=True, exist_ok=True)
        text = written(scenario, _story(item, shown / name, result))
        (folder / name).write_text(masked(text), encoding="utf-8")
        return shown / name

    def _smallest(self, scenario: Scenario, result: CheckResult) -> tuple[Scenario, CheckResult]:
        """Remove parts until none can be spared or the limits are reached."""
        at, is_changed = 0, False
        for _ in range(CHECKS_MAX):
            candidates = list(_candidates(scenario))
            if at >= len(candidates):
                if not is_changed:
                    break
                at, is_changed = 0, False  # what could not be spared before may be spared now
                continue
            found = self._checked(candidates[at], result)
            if found is None:
                at += 1
            else:
                (scenario, result), is_changed = found, True
        return scenario, result

    def _checked(
        self, scenario: Scenario, like: CheckResult
    ) -> tuple[Scenario, CheckResult] | None:
        try:
            scenario = load(scenario.path, masked(written(scenario)), self.vocabulary)
            (item,) = items(scenario)
            result = self.check(item)
        except SupercacheError:
            return None  # a wait without its step, a guarantee that nothing breaks any more
        return (scenario, result) if _identity(result) == _identity(like) else None


def _file_name(scenario_id: str) -> str:
    """Return a file name for an id, shortened for the file system."""
    if len(scenario_id) <= _NAME_MAX:
        return scenario_id
    return f"{scenario_id[:_NAME_MAX]}-{sha256(scenario_id.encode()).hexdigest()[:8]}"


def _alone(item: ScenarioItem) -> Scenario:
    """Return the scenario with this system and case only, under an id of its own."""
    scenario = item.scenario
    parts = re.sub(r"[^A-Za-z0-9_.-]", "-", item.name.removeprefix(scenario.id)).strip("-")
    return replace(
        scenario,
        id=f"{scenario.id}.saved" + (f"-{parts}" if parts else ""),
        systems=(replace(item.system, stated=None),),
        names_systems=False,
        assume=item.assume,
        cases=(item.case,) if item.case else (),
    )


def _candidates(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios with one part less, the largest parts first."""
    if scenario.faults is not None:
        yield replace(scenario, faults=None)
    users = scenario.users
    for at, user in enumerate(users):
        if len(users) > 1:
            yield replace(scenario, users=(*users[:at], *users[at + 1 :]))
        for smaller in _smaller_users(user):
            yield replace(scenario, users=(*users[:at], smaller, *users[at + 1 :]))
    yield from _smaller_surroundings(scenario)


def _smaller_surroundings(scenario: Scenario) -> Iterator[Scenario]:
    for name in ("before", "finally_"):
        steps = getattr(scenario, name)
        for at in range(len(steps)):
            rest: dict[str, Any] = {name: steps[:at] + steps[at + 1 :]}
            yield replace(scenario, **rest)
    for layer, content in scenario.given.items():
        for key in content:
            kept = {name: value for name, value in content.items() if name != key}
            yield replace(scenario, given={**scenario.given, layer: kept})


def _smaller_users(user: UserSpec) -> Iterator[UserSpec]:
    if user.copies > 1:
        yield replace(user, copies=user.copies - 1)
    for position in range(len(user.steps) if len(user.steps) > 1 else 0):
        yield replace(user, steps=user.steps[:position] + user.steps[position + 1 :])


def _identity(result: CheckResult) -> object:
    """Return what must not change while parts are removed: the violation, without its actors."""
    found = result.counterexample
    if result.verdict is not Verdict.VIOLATED or found is None:
        return None
    said = _PLACE.sub("", found.violation.summary) if found.violation.guarantee == "expect" else ""
    return found.violation.guarantee, said, result.label, found.conflict_class


def _story(item: ScenarioItem, path: Path, result: CheckResult) -> list[str]:
    found = result.counterexample
    assert found is not None, "only what was found is saved"
    return [
        f"Found by a search of {item.name}, with what it does not need taken out.",
        found.violation.summary,
        f"replay: pytest {path} --supercache-replay='{found.token}'",
    ]
