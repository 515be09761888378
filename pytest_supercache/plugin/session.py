"""The state of one pytest run: its options, servers, gate and findings."""

import os
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import quoted
from pytest_supercache.declare.registry import REGISTRY, Watch, refuse_nonsense
from pytest_supercache.plugin.allure_results import AllureResults
from pytest_supercache.plugin.cluster import Cluster
from pytest_supercache.plugin.connection_failures import CONNECTION_FAILURES
from pytest_supercache.plugin.exit_status import MARKED_BY, is_asked
from pytest_supercache.plugin.findings import ItemFindings
from pytest_supercache.plugin.gating import Gate
from pytest_supercache.plugin.marking import report_folder
from pytest_supercache.plugin.options import Options
from pytest_supercache.plugin.run_folder import RunFolder
from pytest_supercache.plugin.storing import store_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pytest_supercache.core.result import CheckResult
    from pytest_supercache.layers.servers import AnyServer
    from pytest_supercache.plugin.describing import Description
    from pytest_supercache.plugin.sharding import Sharding
    from pytest_supercache.scenario.scenario import Scenario

SESSION: "pytest.StashKey[Session]" = pytest.StashKey()

_LIBRARIES = ("pytest", "pytest-supercache", "redis", "fakeredis", "hypothesis")


class Session:
    """The plugin's state of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        config.stash.setdefault(MARKED_BY, os.getpid())
        self._servers: dict[str, AnyServer] = {}
        self.findings = ItemFindings()
        self.coming: dict[pytest.Item, Future[tuple[CheckResult, dict[str, list[str]]]]] = {}
        self._ids: dict[str, Scenario] = {}
        self.options = Options(config)
        self.description = _description(config)
        top = report_folder(config, config.option, self.options.project)
        is_gate = is_asked(config, config.option, self.options.project)
        build = self.options.value("build")
        self.run_folder = RunFolder(config, top, build, is_gate=is_gate)
        self.gate = Gate(config, self.options.project, self.run_folder, is_on=is_gate)
        self.options.refuse_mistakes()  # a gate run has taken back the last verdict by now
        self.gate.sharding = self._sharding()
        self.store = store_of(config, self.options, top, is_gate=is_gate)
        address = self.options.value("cluster")
        self.cluster = None if address is None else Cluster(config, str(address), top)
        self.allure = AllureResults(config, self.options.link_patterns)
        self._register_watches()

    @classmethod
    def of(cls, config: pytest.Config) -> "Session":
        """Return the session of this run."""
        return config.stash[SESSION]

    @property
    def server(self) -> "AnyServer":
        """The server behind the existing cache, started when it is first needed."""
        return self.server_for(None)

    def server_for(self, backend: str | None) -> "AnyServer":
        """Return the server of a backend."""
        name = self.backend(backend)
        if name not in self._servers:
            from pytest_supercache.layers.servers import start_server

            self._servers[name] = start_server(name)
        return self._servers[name]

    def backend(self, own: str | None) -> str:
        """Return the backend of the existing cache; the command line overrides ``own``."""
        options = self.options
        return str(
            options.command_line("backend") or own or options.value("backend") or "fakeredis"
        )

    def stop_servers(self) -> None:
        """Stop the started servers; each starts again when it is needed."""
        while self._servers:
            self._servers.popitem()[1].close()

    def searched_ahead(self, node: pytest.Item) -> "CheckResult | None":
        """Wait for the result of a worker; None: the item is to be searched here.

        That is also so after an error in a worker: the error occurs again where it can be seen.
        """
        future = self.coming.pop(node, None)
        if future is None:
            return None
        from pytest_supercache.checking.submitted import until_done

        if until_done(future).exception() is not None:
            return None
        result, failures = future.result()
        self.config.stash[CONNECTION_FAILURES].learn(failures)
        return result

    def claim(self, scenario: "Scenario") -> None:
        """Reserve a scenario's id, which tokens and known issues refer to, so it must be unique.

        Raises:
            ScenarioProblems: another file has the same id.
        """
        first = self._ids.setdefault(scenario.id, scenario)
        if first.path != scenario.path:
            from pytest_supercache.scenario.project import id_taken

            raise id_taken(scenario, first)

    @property
    def hypothesis_seed(self) -> int | None:
        """The value of ``--hypothesis-seed``, if Hypothesis is loaded; a word becomes a number."""
        given = self.config.getoption("--hypothesis-seed", default=None)
        if given is None or str(given).isdecimal():
            return None if given is None else int(given)
        return Random(str(given)).getrandbits(64)

    def _register_watches(self) -> None:
        for entry in self.options.watched:
            table = dict(entry) if isinstance(entry, dict) else {"target": entry}
            known = {name.name for name in fields(Watch)}
            if set(table) - known or not isinstance(table.get("target"), str):
                raise pytest.UsageError(
                    f"[tool.supercache] watch = {quoted(entry)}: expected a table with "
                    f"{', '.join(sorted(known))}"
                )
            try:
                refuse_nonsense(watch := Watch(**table))
            except SupercacheError as error:
                raise pytest.UsageError(f"[tool.supercache]: {error}") from error
            REGISTRY.watches[watch.target] = watch

    def _sharding(self) -> "Sharding | None":
        """Return the division of the run into shards; None: it is a whole one.

        Raises:
            UsageError: the option is wrong.
        """
        if self.config.getoption("supercache_shard") is None:
            return None
        from pytest_supercache.plugin.sharding import Sharding, asked_shard

        settings = self.options.deciding(self.hypothesis_seed)
        return Sharding(self.config, asked_shard(self.config), settings)

    # -- reports -------------------------------------------------------------------------------

    @cached_property
    def circumstances(self) -> dict[str, Any]:
        """What was tested, with which versions, and when."""
        return {
            "build": self.options.value("build"),
            "versions": {"python": python_version(), **_versions()},
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": self.options.exploration({}).seed,
            **self.gate.project_state.checkout.part(),
        }


def _description(config: pytest.Config) -> "Description | None":
    target = config.getoption("supercache_describe")
    if target is None:
        return None
    from pytest_supercache.plugin.describing import Description

    if config.pluginmanager.has_plugin("hypothesispytest"):  # it would load Hypothesis at the end
        config.pluginmanager.unregister(name="hypothesispytest")
    return Description(Path(target), project_root(config))


def project_root(config: pytest.Config) -> Path:
    """Return the folder that all included files must be in.

    Without an ini file, pytest's root is the common folder of its arguments, perhaps one folder of
    scenarios; the start folder is a better choice then.
    """
    started = config.invocation_params.dir
    if config.inipath is None and config.rootpath.is_relative_to(started):
        return started
    return config.rootpath


def _versions() -> dict[str, str]:
    found = {name: _version_of(name) for name in _LIBRARIES}
    return {name: number for name, number in found.items() if number is not None}


@cache
def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
