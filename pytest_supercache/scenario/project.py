"""Finds mistakes that only all scenario files together show: duplicate ids, misspelt tags."""

from collections import Counter
from collections.abc import Iterable, Iterator

from pytest_supercache.core.misspelt import is_misspelt, nearest_word
from pytest_supercache.scenario.problems import (
    Problem,
    ScenarioProblems,
    Source,
    Span,
    problem_at,
)
from pytest_supercache.scenario.scenario import Scenario


def id_taken(scenario: Scenario, first: Scenario) -> ScenarioProblems:
    """Return the problem that another file has the id of ``scenario``."""
    problem = _problem(
        scenario,
        "id",
        f"the id {scenario.id!r} is taken by {first.path}",
        "an id is there once in a project; tokens and known issues point to it",
    )
    return ScenarioProblems((problem,))


def odd_tags(scenarios: Iterable[Scenario]) -> Iterator[Problem]:
    """Yield warnings on tags of a single file that are nearly equal to a tag of several files."""
    scenarios = list(scenarios)
    counts = Counter(tag for scenario in scenarios for tag in scenario.tags)
    usual = [tag for tag, count in counts.items() if count > 1]
    for scenario in scenarios:
        for tag in scenario.tags:
            if counts[tag] == 1 and is_misspelt(tag, usual):
                yield _problem(
                    scenario,
                    f"tag:{tag}",
                    f"no other scenario has the tag {tag!r}",
                    f"did you mean {nearest_word(tag, usual)!r}?",
                    is_warning=True,
                )


def _problem(
    scenario: Scenario, place: str, message: str, hint: str, *, is_warning: bool = False
) -> Problem:
    span = scenario.spans.get(place, Span(line=scenario.where.line, column=scenario.where.column))
    source = Source(scenario.path, "")  # of a scenario that was made, not read
    return problem_at(span, source, message, hint, is_warning=is_warning)
