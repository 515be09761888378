"""One pytest run: its options, its server, the findings that come in, and what is made of them."""

import os
from collections.abc import Generator, Mapping
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
from pytest_supercache.core.lifeline import interrupt_when_orphaned
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.verdict import Label, Verdict
from pytest_supercache.declare.registry import REGISTRY, Registry, Watch, refuse_nonsense
from pytest_supercache.plugin.allure_results import AllureResults
from pytest_supercache.plugin.exit_status import MARKED_BY, is_of_another_process
from pytest_supercache.plugin.gating import Gate, is_ours
from pytest_supercache.plugin.marking import report_folder
from pytest_supercache.plugin.options import Options
from pytest_supercache.plugin.prefetch import Prefetch
from pytest_supercache.plugin.terminal import columns

if TYPE_CHECKING:
    from pytest_supercache.core.result import CheckResult
    from pytest_supercache.layers.servers import AnyServer
    from pytest_supercache.plugin.describing import Description
    from pytest_supercache.scenario.scenario import Scenario

SESSION: "pytest.StashKey[Session]" = pytest.StashKey()
FINDING: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
"""What an item found, as plain data."""


class NotAsExpected(AssertionError):  # noqa: N818 - what testers call a failure
    """A verdict other than the one that lets the item pass; its text is the whole story."""


def failure_like(result: "CheckResult") -> type[NotAsExpected]:
    """Return the class of failures like this one.

    Hypothesis tells failures apart by class and place, and looks for the smallest example of each:
    it must not take something undecided for a smaller example of a conflict.
    """
    return _failure_like(result.verdict, result.label)


@cache
def _failure_like(_verdict: Verdict, _label: Label | None) -> type[NotAsExpected]:
    about = {"__module__": NotAsExpected.__module__, "__doc__": NotAsExpected.__doc__}
    return type(NotAsExpected.__name__, (NotAsExpected,), about)


_RANK = {"holds": 0, "unknown": 1, "violated": 2}
_LIBRARIES = ("pytest", "pytest-supercache", "redis", "fakeredis", "hypothesis")


def says_no_better(finding: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Say whether a finding of an item takes the place of one before it: it is as bad, or worse."""
    return _RANK[finding["verdict"]] >= _RANK[before["verdict"]]


def come_back_to(before: Registry) -> None:
    """Forget what was registered since, but not what an import of ours registers only once."""
    shipped = {
        name: system
        for name, system in REGISTRY.systems.items()
        if system.factory.__module__.startswith("pytest_supercache.")
    }
    REGISTRY.become(
        Registry(before.systems | shipped, before.verbs, before.watches, before.explored)
    )


class Session:
    """The plugin's state of one run; hooks that need it are methods here."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        config.stash.setdefault(MARKED_BY, os.getpid())
        self._servers: dict[str, AnyServer] = {}
        self._found: dict[str, dict[str, Any]] = {}  # by node id
        self._ids: dict[str, Scenario] = {}
        self.options = Options(config)
        self.description = _description(config)
        self.gate = Gate(config, self.options.project, self.report_folder)
        self.options.refuse_mistakes()  # a gate run has taken back the last verdict by now
        self.allure = AllureResults(config, self.report_folder)
        self.prefetch = Prefetch(config, self)
        self._written = f"written: {self.report_folder / 'verdict.json'}"
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
        """Return the server for what needs this one."""
        name = self.backend(backend)
        if name not in self._servers:
            from pytest_supercache.layers.servers import start_server

            self._servers[name] = start_server(name)
        return self._servers[name]

    def backend(self, own: str | None) -> str:
        """Return what stands behind the existing cache; the command line has the last word."""
        options = self.options
        return str(
            options.command_line("backend") or own or options.value("backend") or "fakeredis"
        )

    def stop_servers(self) -> None:
        """Stop what was started; it starts again when it is needed."""
        while self._servers:
            self._servers.popitem()[1].close()

    def claim(self, scenario: "Scenario") -> None:
        """Take a scenario's id: tokens and known issues point to it, so it is there once.

        Raises:
            ScenarioProblems: another file has it.
        """
        first = self._ids.setdefault(scenario.id, scenario)
        if first.path != scenario.path:
            from pytest_supercache.scenario.project import id_taken

            raise id_taken(scenario, first)

    @property
    def hypothesis_seed(self) -> int | None:
        """What ``--hypothesis-seed`` says, if Hypothesis is loaded; a word stands for a number."""
        given = self._config.getoption("--hypothesis-seed", default=None)
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

    # -- hooks ---------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Prepare explored tests; with ``--supercache-replay`` keep what the token names."""
        for item in items:
            test: Any = getattr(item, "obj", None)
            if hasattr(test, "is_explored"):
                from pytest_supercache.plugin.exploring import prepare

                prepare(getattr(test, "__func__", test))
        recorded = any(hasattr(getattr(i, "obj", None), "supercache_flow") for i in items)
        if recorded:
            _drop_other_cases(config, items)
        token = config.getoption("supercache_replay")
        if config.getoption("supercache_break"):
            from pytest_supercache.plugin.debugging import refuse_without_replay

            refuse_without_replay(config, replays=recorded or bool(token))
        if token:
            from pytest_supercache.plugin.collection import select_for_replay

            try:
                select_for_replay(config, items, token)
            except SupercacheError as error:
                raise pytest.UsageError(f"--supercache-replay: {error}") from error

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell the `supercache` command why something could not be collected."""
        if report.failed and self.description is not None:
            self.description.add_failure(report.nodeid or "the root", report.longreprtext)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write down what was collected, for the `supercache` command."""
        if self.description is not None:
            self.description.write(self.gate.uncollected(), is_whole=not session.testsfailed)
        if hasattr(self._config, "workerinput") and any(map(is_ours, session.items)):
            interrupt_when_orphaned()  # a search notices no closed pipe

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show our own texts alone; let the finding travel with its report, also between processes.

        A traceback would lead through the plugin, and what is to be known is in the text.
        """
        report = yield
        error = call.excinfo
        if error is not None and isinstance(error.value, NotAsExpected | SupercacheError):
            notes = "".join(f"\n{note}" for note in getattr(error.value, "__notes__", ()))
            report.longrepr = f"{error.value}{_where_raised(error, item.path)}{notes}"
        finding = item.stash.get(FINDING, None)
        if report.when == "call" and finding is not None:
            report.supercache = finding  # type: ignore[attr-defined]
            _stop_if_too_much_hangs(item.session)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the findings; on the controller those of all workers arrive here."""
        finding = getattr(report, "supercache", None)
        if finding is not None:
            self._add(finding)

    def keep(self, node: pytest.Item) -> None:
        """Keep what was found for an item that will have no report: the run is interrupted."""
        if FINDING in node.stash:
            self._add(node.stash[FINDING])

    def _add(self, finding: dict[str, Any]) -> None:
        """Keep one finding an item: of several runs of it, the one that says the worst."""
        name = str(finding["node_id"])
        before = self._found.get(name, finding)
        if says_no_better(finding, before):
            self._found[name] = finding

    @property
    def _findings(self) -> list[dict[str, Any]]:
        return [self._found[name] for name in sorted(self._found)]

    def pytest_report_header(self) -> str | None:
        """Say which backend is used, when it is not the default."""
        backend = self.options.value("backend")
        if not backend:
            return None
        from pytest_supercache.layers.servers import shown_address

        return f"supercache: {shown_address(backend)}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write ``verdict.json`` and its page, once, where all findings are; the gate decides."""
        is_told = self._found or self.gate.is_on or self.gate.has_begun
        if hasattr(self._config, "workerinput") or not is_told:
            return
        if is_of_another_process(self._config):
            return
        from pytest_supercache.core.inputs import InputError, read_json
        from pytest_supercache.gate.same_id import OfGateRunError
        from pytest_supercache.report.folder import write_reports

        findings = self._findings
        scope = {**self.circumstances, **self.gate.finish(session, findings)}
        try:
            self.gate.write(findings, scope)
            document = read_json(self.report_folder / "verdict.json")
            write_reports(document, self.report_folder, self._config.rootpath)
            self.allure.write(document)
            self.gate.write_texts()
        except OfGateRunError as error:
            self._written = f"not written: {error}"
        except (OSError, InputError) as error:
            if not self.gate.is_on:
                raise
            self.gate.cannot_write(session, error)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what every item said, and where the reports are."""
        if not self._found:
            return
        from pytest_supercache.report.terminal import section

        terminalreporter.section("supercache")
        verbosity, width = self._config.get_verbosity(), columns(self._config)
        for text, colour in section(self._findings, verbosity=verbosity, width=width):
            terminalreporter.line(text, **({colour: True} if colour else {}))
        terminalreporter.line(self._written)

    def pytest_unconfigure(self) -> None:
        """Stop the servers, unless this is a fork of the process that has started them."""
        if not is_of_another_process(self._config):
            self.stop_servers()

    # -- reports -------------------------------------------------------------------------------

    @property
    def report_folder(self) -> Path:
        """Where reports go; a relative name is meant from the project's root."""
        return report_folder(self._config, self._config.option, self.options.project)

    @cached_property
    def circumstances(self) -> dict[str, Any]:
        """What was tested, with what, and when."""
        return {
            "build": self.options.value("build"),
            "versions": {"python": python_version(), **_versions()},
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": self.options.exploration({}).seed,
            **self.gate.surroundings.checkout.part(),
        }


def _stop_if_too_much_hangs(session: pytest.Session) -> None:
    """End the run where checks have left more threads behind than there may be."""
    from pytest_supercache.runtime.kernel.left_threads import why_no_more

    session.shouldstop = session.shouldstop or why_no_more() or False


def _drop_other_cases(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep of a reproducer's parametrized test what its token names."""
    from pytest_supercache.plugin.reproducing import is_recorded

    others = [item for item in items if not is_recorded(item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _description(config: pytest.Config) -> "Description | None":
    target = config.getoption("supercache_describe")
    if target is None:
        return None
    from pytest_supercache.plugin.describing import Description

    if config.pluginmanager.has_plugin("hypothesispytest"):  # it would load Hypothesis at the end
        config.pluginmanager.unregister(name="hypothesispytest")
    return Description(Path(target), project_root(config))


def project_root(config: pytest.Config) -> Path:
    """Return the folder that included files must not leave.

    Without an ini file pytest's root is what its arguments have in common, perhaps one folder of
    scenarios; where it was started says more.
    """
    started = config.invocation_params.dir
    if config.inipath is None and config.rootpath.is_relative_to(started):
        return started
    return config.rootpath


def _where_raised(error: pytest.ExceptionInfo[BaseException], path: Path) -> str:
    """Say which line of the test led to an error of ours; nothing for scenario files."""
    lines = [
        entry.lineno + 1
        for entry in error.traceback
        if entry.path == path and entry.name != "explored_test"  # ours, though it says otherwise
    ]
    if not lines or isinstance(error.value, NotAsExpected):
        return ""
    return f"\n  at {path.name}:{lines[-1]}"


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
