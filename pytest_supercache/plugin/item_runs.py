"""How many of the collected items were run, and so whether the run was stopped before its end."""

from collections import Counter

import pytest


class ItemRuns:
    """What was reported of items, by their node ids."""

    def __init__(self) -> None:
        self._reports = Counter[tuple[str, str | None]]()  # of each node id: setup, call, teardown

    def note(self, report: pytest.TestReport) -> None:
        """Note that something was reported of an item."""
        self._reports[report.nodeid, report.when] += 1

    def stopped(self, session: pytest.Session) -> str | None:
        """Say that items were left; the controller of xdist has none and is interrupted instead."""
        ran = self._items_run(session)
        if ran >= session.testscollected:
            return None
        why = session.shouldfail or session.shouldstop or "not every item was run"
        return f"{why} ({ran} of {session.testscollected} items were run)"

    def _items_run(self, session: pytest.Session) -> int:
        """Count items, and those of one node id (``--keep-duplicates``) as often as they were run.

        A plugin may run an item again; that makes up for no other one.
        """
        collected, most = Counter(item.nodeid for item in session.items), Counter[str]()
        for (node_id, _), times in self._reports.items():
            most[node_id] = max(most[node_id], times)
        return sum(min(times, max(1, collected[node_id])) for node_id, times in most.items())
