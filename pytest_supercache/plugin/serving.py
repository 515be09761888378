"""Searches for a run in another process: pytest, which a worker of the run's cluster has started.

Like a worker of xdist, this process prints nothing and writes no reports. It collects the files of
the run and answers its calls, about one item or about scenarios.
"""

import os
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_supercache.plugin.cluster import DISPATCHED, Pytest, told_of
from pytest_supercache.remote.child import answer_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from pytest_supercache.checking.divided import WorkerProcesses
    from pytest_supercache.checking.workers import Work

_TOLD_MAX = 2000
"""How many characters are told of a failure."""


class ServedError(BaseException):
    """All calls about an item have been answered, so it is not searched here."""


class _Serving:
    """The way to the worker, and what stands in the way of the first answer."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._has_begun = False
        self._failures = list[str]()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why something was not collected."""
        if report.failed:
            self._failures.append(report.longreprtext)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep why an item did not come to its check."""
        if not report.passed and not self._has_begun:
            self._failures.append(f"{report.when} {report.outcome}: {report.longreprtext}")

    def pytest_internalerror(self, excrepr: object) -> None:
        """Keep an error of pytest or of a plugin."""
        self._failures.append(str(excrepr))

    def answer(self, call: "Callable[..., Any]") -> None:
        """Answer calls until there are no more."""
        self._has_begun = True
        answer_calls(self._connection, call)

    def end(self, status: object) -> None:
        """Say why nothing was answered, if that is so."""
        if not self._has_begun:
            said = "; ".join(self._failures) or "the item did not come to a check"
            self._connection.send(f"pytest ended there with {status}: {said[-_TOLD_MAX:]}")


class ItemServing(_Serving):
    """Runs one item up to its check, and answers calls about its work.

    Args:
        connection: the way to the worker.
        node_id: of the item.
        told: what its work must be.
        state: what the code under test must have in its globals.
    """

    def __init__(
        self, connection: Any, node_id: str, told: str, state: "Mapping[str, int]"
    ) -> None:
        super().__init__(connection)
        self._node_id = node_id
        self._told = told
        self._state = state

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the item."""
        items[:] = [item for item in items if item.nodeid == self._node_id]

    def dispatch(self, work: "Work") -> NoReturn:
        """Answer calls about the work that the item has come to.

        Raises:
            ServedError: there are no more.
        """
        from pytest_supercache.checking.same_state import SameState
        from pytest_supercache.checking.workers import with_work

        if told_of(work) == self._told:
            alike = SameState(self._state)
            self.answer(partial(alike.call, with_work, work))
        else:
            self._failures.append("the item comes to another check there")
        raise ServedError


class ScenarioServing(_Serving):
    """Answers calls to search scenarios, as workers do that search ahead."""

    def dispatch(self, work: "Work") -> "AbstractContextManager[WorkerProcesses]":
        """Leave a search that becomes long to the run, which has all processes of the cluster."""
        from pytest_supercache.checking.workers import given_up_when_long

        return given_up_when_long(work)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer calls instead of running items."""
        from pytest_supercache.plugin.prefetch import Prefetch
        from pytest_supercache.plugin.session import Session

        nodes = {item.nodeid: item for item in session.items}
        prefetch = Prefetch(Session.of(session.config))
        self.answer(lambda function, node_id: function(prefetch, nodes[node_id]))
        return True


def serve_item(connection: Any, given: "tuple[Pytest, str, str, Mapping[str, int]]") -> None:
    """Run an item, and answer calls about its work."""
    of_run, node_id, told, state = given
    _run(of_run, ItemServing(connection, node_id, told, state))


def serve_scenarios(connection: Any, of_run: Pytest) -> None:
    """Collect what the run has collected, and search the scenarios that it names."""
    _run(of_run, ScenarioServing(connection))


def _run(of_run: Pytest, serving: ItemServing | ScenarioServing) -> None:
    """Run pytest as a worker of xdist does, whose name no process of any machine has."""
    name = f"gw{secrets.randbelow(10**9)}"
    os.environ |= {"PYTEST_XDIST_WORKER": name, "PYTEST_XDIST_WORKER_COUNT": "1"}
    config: Any = pytest.Config.fromdictargs(of_run.options, of_run.arguments)
    config.workerinput = {**of_run.told, "workerid": name}
    config.pluginmanager.register(serving)
    config.stash[DISPATCHED] = serving.dispatch
    serving.end(config.hook.pytest_cmdline_main(config=config))
