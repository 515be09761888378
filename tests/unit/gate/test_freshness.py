"""A verdict about changes that nobody knows any more is none; if git knows neither, it says so."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_supercache.gate.freshness import Asked, doubts_of
from tests.unit.gate.runs import document, row

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
UNKNOWN = "and git does not say what was changed and not committed"


def doubts(here: dict[str, str | None] | None, **said: Any) -> list[str]:
    asked = Asked(now=NOW, stamped=NOW, commit="abc1234", changes=here)
    return list(doubts_of({**document(row("S")), **said}, asked))


@pytest.mark.parametrize("commit", [None, "abc1234"])
@pytest.mark.parametrize("is_refused", [True, False])
def test_a_repository_without_an_answer_is_a_doubt(commit: str | None, is_refused: bool) -> None:
    asked = Asked(
        now=NOW, stamped=NOW, commit=commit, why_unknown="fatal: no", is_refused=is_refused
    )
    told = list(doubts_of({**document(row("S")), "commit": commit, "dirty": None}, asked))
    assert ["what is checked out: fatal: no." in one for one in told] == [True] * is_refused


@pytest.mark.parametrize(
    ("said", "here", "told"),
    [
        ({"dirty": True, "changes": {"a.py": "1"}}, {"a.py": "1"}, None),
        ({"dirty": True, "changes": {"a.py": "1"}}, {"a.py": "2"}, "are others here: a.py; "),
        ({"dirty": True, "changes": {"a.py": "1"}}, {}, "and there are none here"),
        ({"dirty": True, "changes": {"a.py": "1"}}, None, f"{UNKNOWN} here"),
        ({"dirty": None, "changes": None}, {}, f"{UNKNOWN} when it was run"),
        ({"dirty": None, "changes": None}, None, None),
        ({"dirty": True}, {"a.py": "1"}, f"{UNKNOWN} when it was run"),
        ({"dirty": True}, {}, "and there are none here"),
        ({"dirty": False}, {"a.py": "1"}, "are others here: a.py; "),
        ({"dirty": False}, {}, None),
        ({"dirty": False, "changes": {"log": None}}, {"log": "1"}, None),
        ({"dirty": False, "changes": {}}, dict.fromkeys("abcde", "1"), "here: a, b, c, 2 more; "),
    ],
)
def test_changes_are_compared(said: Any, here: Any, told: str | None) -> None:
    found = doubts(here, **said)
    assert len(found) == (told is not None)
    assert (told or "") in "".join(found)
