"""Compares the time that each folder's tests took with its budget in ``tests/budget.toml``.

Durations of set-up, call and teardown, summed over all workers. Exceeding a budget only warns,
because machines differ.
"""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
BUDGET = TESTS / "budget.toml"


class TimeSpent:
    """Adds up what the reports say, wherever the tests ran."""

    def __init__(self, budget: dict[str, float] | None) -> None:
        self._budget = budget
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the time of one phase of a test."""
        self._seconds[folder_of(report.nodeid)] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the sums, and warn where one is over its budget."""
        terminalreporter.section("seconds by folder")
        for line in told(self._seconds, self._budget):
            terminalreporter.write_line(line, yellow="over its budget" in line)


def folder_of(nodeid: str) -> str:
    """Return the folder below ``tests`` that a test is in; ``"."``: none."""
    parts = nodeid.partition("::")[0].split("/")
    return parts[1] if len(parts) > 2 else "."


def budget_of(name: str) -> dict[str, float]:
    """Read the budget of one kind of run: seconds by folder."""
    return dict(tomllib.loads(BUDGET.read_text(encoding="utf-8"))[name])


def told(seconds: dict[str, float], budget: dict[str, float] | None) -> list[str]:
    """Write a line for each folder, the slowest first, and one for their sum."""
    lines = []
    for folder, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        line = f"{folder:12} {spent:6.1f}"
        if budget is not None:
            allowed = budget.get(folder, 0.0)
            line += f" of {allowed:g}"
            if spent > allowed:
                line += ": over its budget (tests/budget.toml)"
        lines.append(line)
    return [*lines, f"{'sum':12} {sum(seconds.values()):6.1f}"]
