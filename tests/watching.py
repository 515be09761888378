"""A plugin of pytest that explores all of a run and keeps each class, and each false sentence.

``found.json`` has, for each class that an item states, how often which class was given;
``untrue.json`` has the sentences of stories that no step bears out. ``-p tests.watching`` loads it,
and so does a conftest that imports all of it.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from pytest_supercache.checking import diagnose, runner
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.result import StoryPart
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.classify import Classified, most_telling
from pytest_supercache.oracle.judge import Judgement
from pytest_supercache.oracle.story import story, story_sentence
from tests.stories import mistakes

_found: dict[str, Counter[str]] = {}
_untrue: list[str] = []
_running = [""]
_make, _judge = Exploration.__init__, runner.Runner.judge


def _explores_all(settings: Exploration, **options: Any) -> None:
    _make(settings, **{**options, "stop_at_first": False})


def _judged(self: runner.Runner, execution: Execution) -> Judgement:
    judgement = _judge(self, execution)
    if judgement.violations and not execution.missed and _running[0]:
        violation, classified = most_telling(execution, judgement.violations)
        _found.setdefault(_running[0], Counter())[classified.slug] += 1
        _told(execution, violation, classified)
    return judgement


def _told(
    execution: Execution, violation: Violation, classified: Classified
) -> tuple[StoryPart, ...]:
    """Tell a story, and compare it with the steps: of the one that is shown, values are known."""
    parts = story(execution, violation, classified)
    _untrue.extend(mistakes(execution, story_sentence(parts)) if parts else [])
    return parts


diagnose.story = _told
Exploration.__init__ = _explores_all  # type: ignore[method-assign]  # every item explores all
runner.Runner.judge = _judged  # type: ignore[method-assign]  # each execution is classified


def pytest_runtest_setup(item: Any) -> None:
    """Note the class that an item states."""
    stated = item.scenario_item.system.stated
    _running[0] = (stated and stated.conflict_class) or ""


def pytest_sessionfinish() -> None:
    """Write what was found."""
    Path("found.json").write_text(json.dumps(_found), encoding="utf-8")
    Path("untrue.json").write_text(json.dumps(_untrue), encoding="utf-8")


__all__ = ["pytest_runtest_setup", "pytest_sessionfinish"]
