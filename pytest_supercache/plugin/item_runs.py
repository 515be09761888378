"""Counts the collected items that were run, to detect a run that was stopped early."""

from collections import Counter

import pytest


class ItemRuns:
    """The items that have had a report, by node id."""

    def __init__(self) -> None:
        self._reports = Counter[tuple[str, str | None]]()  # of each node id: setup, call, teardown

    def note(self, report: pytest.TestReport) -> None:
        """Note that an item has had a report."""
        self._reports[report.nodeid, report.when] += 1

    def stopped(self, session: pytest.Session) -> str | None:
        """Return a complaint if items were not run; xdist's controller is interrupted instead."""
        ran = self._items_run(session)
        if ran >= session.testscollected:
            return None
        why = session.shouldfail or session.shouldstop or "not every item was run"
        return f"{why} ({ran} of {session.testscollected} items were run)"

    def _items_run(self, session: pytest.Session) -> int:
        """Count the items that were run, at most as often as each node id was collected.

        A plugin may run an item again; a rerun does not make up for another item.
        """
        collected, most = Counter(item.nodeid for item in session.items), Counter[str]()
        for (node_id, _), times in self._reports.items():
            most[node_id] = max(most[node_id], times)
        return sum(min(times, max(1, collected[node_id])) for node_id, times in most.items())
