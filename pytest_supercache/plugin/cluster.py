"""Opens the cluster of a run (``--supercache-cluster``), and sends the work of its items there."""

import pickle
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.plugin.exit_status import is_listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from pytest_supercache.checking.divided import WorkerProcesses
    from pytest_supercache.checking.workers import Dispatch, Work
    from pytest_supercache.remote.executor import DaskExecutor

BEGIN_SECONDS = 1.0
"""How much longer a search is before children begin, each of which has to start pytest."""

_SHOWN_MAX = 3

_MEASURING = "_cov"
"""The plugin of pytest-cov, which measures in the process of the run only."""

_SERVING = "pytest_supercache.plugin.serving"


AHEAD = -1
"""The priority of items whose turn has not come: parts of the one whose turn it is come first."""

DISPATCHED: "pytest.StashKey[Dispatch]" = pytest.StashKey()
"""How the work of an item is dispatched in a process of a cluster."""


class Pytest(NamedTuple):
    """What pytest is started with in another process of a run."""

    options: dict[str, Any]
    arguments: list[str]
    told: dict[str, Any]
    """What plugins of the run tell a worker of xdist."""


class Cluster:
    """The cluster of a run.

    Args:
        config: of the run.
        address: as the option has it.
        written: the folder of the reports, which is no part of the project.
    """

    def __init__(self, config: pytest.Config, address: str, written: Path) -> None:
        self._config = config
        self._address = address
        self._written = written
        self._executor: DaskExecutor | None = None
        self._told = dict[str, Any]()
        self._divided = set[str]()
        self._unhelped = dict[str, str]()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Open the cluster before anything runs.

        Raises:
            UsageError: it cannot be used.
        """
        config = self._config
        if is_listing(config.option) or config.getoption("supercache_replay"):
            return
        _refuse_beside_others(config)
        self._told = _told_by_plugins(config)
        from pytest_supercache.remote.executor import DaskExecutor
        from pytest_supercache.remote.identity import Files

        files = Files(roots=(str(config.rootpath),), left_out=(str(self._written),))
        try:
            self._executor = DaskExecutor(self._address, files=files)
        except SupercacheError as error:
            raise pytest.UsageError(f"--supercache-cluster={error}") from error

    def pytest_unconfigure(self) -> None:
        """Close it."""
        if self._executor is not None:
            self._executor.shutdown()

    @property
    def is_open(self) -> bool:
        """Whether the cluster can be used; a replay does not open it."""
        return self._executor is not None

    def _pytest(self, arguments: list[str]) -> Pytest:
        plugins = [*self._config.option.plugins, "no:terminal"]
        loaded = [word for name in plugins for word in ("-p", name)]
        return Pytest(options_of(self._config), [*loaded, *arguments], self._told)

    def search_ahead(
        self, nodes: list[pytest.Item], search: "Callable[..., Any]"
    ) -> "dict[pytest.Item, Future[Any]]":
        """Let the cluster search whole scenarios, by a function about each of them."""
        executor = self._executor
        assert executor is not None, "it was opened before the first item"
        given = self._pytest(list(self._config.args))
        program = executor.program(f"{_SERVING}:serve_scenarios", given, priority=AHEAD)
        return {node: executor.submit_to(program, search, node.nodeid) for node in nodes}

    @contextmanager
    def dispatch(self, node: pytest.Item, work: "Work") -> "Iterator[WorkerProcesses | None]":
        """Yield the processes that help with an item.

        Only with its first check: that is the one which a process that runs the item comes to.
        """
        from pytest_supercache.checking.divided import WorkerProcesses
        from pytest_supercache.checking.workers import Beginning

        executor = self._executor
        if executor is None or "://" in work.backend or node.nodeid in self._divided:
            yield None
            return
        self._divided.add(node.nodeid)
        from pytest_supercache.runtime.process.fingerprints import state_elsewhere

        given = (self._pytest([str(node.path)]), node.nodeid, told_of(work), state_elsewhere())
        program = executor.program(f"{_SERVING}:serve_item", given)

        def submit(*call: Any) -> "Future[Any]":
            future = executor.submit_to(program, *call)
            future.add_done_callback(partial(self._note, node.nodeid))
            return future

        are_ready = Beginning(submit, executor.threads).is_over
        yield WorkerProcesses(executor.threads, submit, BEGIN_SECONDS, are_ready=are_ready)

    def _note(self, node_id: str, future: "Future[Any]") -> None:
        """Keep why a call was not answered."""
        from pytest_supercache.remote.program import NotCalledError

        error = None if future.cancelled() else future.exception()
        if isinstance(error, NotCalledError):
            self._unhelped.setdefault(node_id, str(error))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which items the cluster did not help with."""
        items = list(self._unhelped.items())
        for node_id, reason in items[:_SHOWN_MAX]:
            terminalreporter.write_line(f"searched without the cluster: {node_id}: {reason}")
        if len(items) > _SHOWN_MAX:
            terminalreporter.write_line(f"and {len(items) - _SHOWN_MAX} more")


def _refuse_beside_others(config: pytest.Config) -> None:
    """Refuse a second way to search in several processes."""
    others = {
        "-n": config.getoption("numprocesses", None),
        "--supercache-workers": config.getoption("supercache_workers", None),
    }
    for name, value in others.items():
        if value:
            raise pytest.UsageError(
                f"--supercache-cluster with {name}: both spread the searches over processes; leave "
                "one of them out"
            )


def _told_by_plugins(config: pytest.Config) -> dict[str, Any]:
    """Return what plugins tell a worker of xdist; the processes of the cluster are like one.

    Raises:
        UsageError: a plugin cannot tell it anything.
    """
    told = {"workerid": "gw0", "workercount": 1, "testrunuid": "supercache"}
    told["mainargv"] = sys.argv
    gateway = SimpleNamespace(id="gw0")
    node = SimpleNamespace(config=config, workerinput=told, gateway=gateway)
    if not hasattr(config.hook, "pytest_configure_node"):  # it is a hook of xdist
        return told
    measuring = [config.pluginmanager.get_plugin(_MEASURING)]
    prepare = config.pluginmanager.subset_hook_caller("pytest_configure_node", measuring)
    try:
        prepare(node=node)
    except Exception as error:
        raise pytest.UsageError(
            f"--supercache-cluster: a plugin does not know how to prepare a worker: {error}"
        ) from error
    return told


def told_of(work: "Work") -> str:
    """Return what the work of an item must be, wherever it is made."""
    judged = tuple(guarantee.name for guarantee in work.guarantees)
    layers = (work.system, work.backend, work.state, work.clients, work.isolate)
    return repr((work.item, work.settings, judged, *layers))


def options_of(config: pytest.Config) -> dict[str, Any]:
    """Return the options for a process that runs some of the items, as a worker of xdist would."""
    found = {name: value for name, value in vars(config.option).items() if _can_be_sent(value)}
    return {
        **found,
        "plugins": [],  # only as arguments they come before those that are installed
        "rootdir": str(config.rootpath),
        "inifilename": None if config.inipath is None else str(config.inipath),
        "usepdb": False,
        "numprocesses": None,
        "dist": "no",
        "tx": [],
        "looponfail": False,
        "basetemp": None,
        "allure_report_dir": None,
        "no_cov": True,
        "supercache_gate": False,
        "supercache_shard": None,
        "supercache_report": None,
        "supercache_save": None,
        "supercache_cluster": None,
        "supercache_workers": None,
    }


def _can_be_sent(value: object) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - to pickle it runs the `__reduce__` of a plugin's objects
        return False
    return True
