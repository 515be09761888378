"""Searches scenarios ahead in worker processes, while pytest runs the items before them.

pytest runs its items one after the other. With ``--supercache-workers`` the scenarios that need no
fixtures of the project are searched ahead; when their turn comes, the result is recorded here and
reported as always. A flow with faults is searched in its turn: its sets of faults are work for all
workers.
"""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.plugin.connection_failures import CONNECTION_FAILURES
from pytest_supercache.plugin.surroundings import (
    as_in_its_turn,
    is_in_package_with_code,
    is_runner_overridden,
    may_be_prepared,
)

if TYPE_CHECKING:
    from pytest_supercache.core.result import CheckResult
    from pytest_supercache.plugin.session import Session

_HAS_WORKERS = "pytest_supercache.checking.workers"
"""The module that is imported before the first worker starts."""

_OURS = {"request", "supercache_runner"}
_MARKS = ("skip", "skipif", "xfail")
"""Marks by which an item may not be meant to run."""


class Prefetch:
    """Lets workers search the items that come later."""

    def __init__(self, session: "Session") -> None:
        self._config = session.config
        self._session = session

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let workers search while items run; their results are kept if the run is interrupted."""
        cluster = self._session.cluster
        has_help = self._workers() > 1 or (cluster is not None and cluster.is_open)
        items = [item for item in session.items if has_help and self._is_for_workers(item)]
        if len(items) < 2 or session.testsfailed or self._config.option.collectonly:
            return (yield)
        with self._searching(items):
            try:
                return (yield)
            except KeyboardInterrupt:
                self._keep_what_was_found()
                raise
            finally:
                self._session.coming = {}

    @contextmanager
    def _searching(self, items: list[pytest.Item]) -> Iterator[None]:
        """Let the cluster search these items, or forks of this process."""
        cluster = self._session.cluster
        if cluster is not None:
            self._session.coming = cluster.search_ahead(items, Prefetch.search)
            yield
            return
        from pytest_supercache.checking.workers import forks, refuse_without_forks

        refuse_without_forks()
        with forks(self._workers(), lambda at: self.search(items[at])) as searched:
            self._session.coming = {item: searched(at) for at, item in enumerate(items)}
            yield

    def pytest_unconfigure(self) -> None:
        """End workers that an interrupt has left."""
        if _HAS_WORKERS in sys.modules:
            from pytest_supercache.checking.workers import end_all

            end_all()

    def _workers(self) -> int:
        """Return the number of workers; a replay, or a worker of xdist, uses a single process."""
        if self._config.getoption("supercache_replay") or hasattr(self._config, "workerinput"):
            return 1
        return int(self._session.options.value("workers") or 1)

    def _is_for_workers(self, node: pytest.Item) -> bool:
        """Say whether the search of an item is the same without its setup."""
        item = _item_of(node)
        if item is None or set(getattr(node, "fixturenames", ())) - _OURS:
            return False
        from pytest_supercache.core.errors import SupercacheError
        from pytest_supercache.declare.registry import REGISTRY
        from pytest_supercache.plugin.item_runner import ItemRunner

        try:
            faults = ItemRunner(self._session).settings_of(item).faults
            backend = self._session.backend(REGISTRY.systems[item.system.name].backend)
        except SupercacheError:
            return False  # it says so in its turn
        return (
            not any(node.get_closest_marker(mark) for mark in _MARKS)
            and not may_be_prepared(node)
            and not is_in_package_with_code(node)
            and not is_runner_overridden(node)
            and not (faults is not None and faults.max)
            and "://" not in backend  # a server that nobody else may use
        )

    def search(self, node: pytest.Item) -> "tuple[CheckResult, dict[str, list[str]]]":
        """In a worker: return the result of an item, and which connections have failed here."""
        from pytest_supercache.checking.left_behind import nothing_left_behind
        from pytest_supercache.checking.workers import lean
        from pytest_supercache.plugin.item_runner import ItemRunner

        try:
            with as_in_its_turn(node), nothing_left_behind():
                result = lean(ItemRunner(self._session).search(node, _item_of(node)))
            return result, self._config.stash[CONNECTION_FAILURES].part()
        finally:
            self._session.stop_servers()

    def _keep_what_was_found(self) -> None:
        """Report the findings of items whose turn has not come."""
        from pytest_supercache.core.errors import SupercacheError
        from pytest_supercache.plugin.findings import NotAsExpected
        from pytest_supercache.plugin.item_runner import ItemRunner

        for node, future in list(self._session.coming.items()):
            told = future.result() if future.done() and not future.exception() else None
            if told is None or told[0].counterexample is None:
                continue
            with suppress(NotAsExpected, SupercacheError):  # it is in the report
                ItemRunner(self._session).play(_item_of(node), node)
            self._session.findings.keep(node)


def _item_of(node: pytest.Item) -> Any:
    """Return the scenario item of a pytest item; None if it has none."""
    return getattr(node, "scenario_item", None)
