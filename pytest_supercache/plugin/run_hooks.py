"""The hooks of one run: collection, the reports of items, and the written files."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.identity import identity
from pytest_supercache.core.lifeline import interrupt_when_orphaned
from pytest_supercache.declare.held import can_change, shared
from pytest_supercache.declare.late_binding import indistinct, redefined
from pytest_supercache.declare.registry import REGISTRY
from pytest_supercache.plugin.exit_status import is_listing, is_of_another_process
from pytest_supercache.plugin.findings import FINDING, NotAsExpected, undecided
from pytest_supercache.plugin.items import is_ours
from pytest_supercache.plugin.recorded import FLOW, is_recorded
from pytest_supercache.plugin.session import Session
from pytest_supercache.plugin.terminal import PaintedText, columns
from pytest_supercache.plugin.with_django import ask_for_databases
from pytest_supercache.report.run_folders import VERDICT, forget_old_runs
from pytest_supercache.runtime.process.interrupt import repeat_dropped_ctrl_c

_ASKED_TOO_EARLY = (
    "What fixtures and migrations ask of Redis is asked before the first execution: it goes to the "
    "server that the settings name, and no cache is under test yet. Start that server for the run, "
    "or let the tests' settings name a cache in memory, and name the real one in the factory"
)


class RunHooks:
    """The hooks that pytest calls during a run."""

    def __init__(self, session: Session) -> None:
        self._config = session.config
        self._session = session
        self._findings = session.findings

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Let a dropped Ctrl-C come again, now that pytest has replaced the hook that hears it."""
        self._config.add_cleanup(repeat_dropped_ctrl_c())

    @pytest.hookimpl(trylast=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let items of ours use the databases of a project on Django."""
        ask_for_databases(item)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Prepare explored tests; with ``--supercache-replay`` keep only the item of the token."""
        for item in items:
            test: Any = getattr(item, "obj", None)
            if _is_explored(test):
                from pytest_supercache.plugin.exploring import prepare

                prepare(getattr(test, "__func__", test))
        recorded = any(hasattr(getattr(i, "obj", None), FLOW) for i in items)
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
        """Pass a failed collection to the description for the `supercache` command."""
        if report.failed and self._session.description is not None:
            self._session.description.add_failure(report.nodeid or "the root", report.longreprtext)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the description of the collected items for the `supercache` command."""
        _refuse_redefined(session.items)
        _refuse_parameters_of_a_loop(session.items)
        description, gate = self._session.description, self._session.gate
        if description is not None:
            description.write(gate.uncollected(), is_whole=not session.testsfailed)
        if hasattr(self._config, "workerinput") and any(map(is_ours, session.items)):
            interrupt_when_orphaned()  # a search notices no closed pipe

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show only our own texts; attach the finding to its report, also for xdist.

        A traceback would only show the plugin; the text has the facts.
        """
        was_raised = call.excinfo is not None  # a plugin may set it, too
        report = yield
        error = call.excinfo
        if error is not None and isinstance(error.value, NotAsExpected | SupercacheError):
            notes = "".join(f"\n{note}" for note in getattr(error.value, "__notes__", ()))
            text = f"{error.value}{_where_raised(error, item.path)}{notes}"
            report.longrepr = PaintedText(text)
        if error is not None and report.when == "setup" and is_ours(item):
            report.sections += _hints_on(error.value)
        finding = item.stash.get(FINDING, None)
        if report.when == "call" and finding is not None:
            is_failed_by_another = report.failed and not was_raised
            vars(report)["supercache"] = undecided(finding) if is_failed_by_another else finding
            _stop_if_too_much_hangs(item.session)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the findings; those of all workers arrive on the controller."""
        finding = getattr(report, "supercache", None)
        if finding is not None:
            self._findings.add(finding)

    def pytest_report_header(self) -> str | None:
        """Name the backend, if it is not the default."""
        backend = self._session.options.value("backend")
        if not backend:
            return None
        from pytest_supercache.layers.servers import shown_address

        return f"supercache: {shown_address(backend)}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write ``verdict.json`` and its page once, where all findings are; let the gate decide."""
        gate = self._session.gate
        is_shard = gate.sharding is not None and not is_listing(self._config.option)
        is_told = self._findings.rows or gate.is_on or gate.has_begun or is_shard
        if hasattr(self._config, "workerinput") or not is_told:
            return
        if is_of_another_process(self._config):
            return
        self._write(session)

    def _write(self, session: pytest.Session) -> None:
        from pytest_supercache.core.inputs import InputError
        from pytest_supercache.report.last_run import last_run

        gate, folder = self._session.gate, self._session.run_folder
        findings = self._findings.rows
        is_shard = gate.sharding is not None
        before = {
            "last_run": None if is_shard else last_run(folder.own),
            "looks_again": folder.stays,
        }
        circumstances = {**self._session.circumstances, **before}
        decided = gate.finish(session, findings, circumstances, self._session.options.narrowing())
        try:
            gate.write(findings, {**circumstances, **decided})
            self._write_reports()
            gate.end()
        except (OSError, InputError) as error:
            if not gate.is_on:
                raise
            gate.cannot_write(session, error)

    def _write_reports(self) -> None:
        """Write the reports into the folder of the run, and the same to the top."""
        from pytest_supercache.core.inputs import read_json
        from pytest_supercache.plugin.marking import forget_last_run
        from pytest_supercache.report.folder import (
            forget_reproducers,
            the_same_anywhere,
            write_reports,
        )

        run, config = self._session.run_folder, self._config
        document = read_json(run.verdict)
        texts = the_same_anywhere(document)

        def write(folder: Path) -> None:
            write_reports(document, folder, config.rootpath, texts)
            self._session.allure.write(document, folder)
            self._session.gate.write_texts(folder)

        if not run.stays:
            forget_last_run(config, config.option, run.top)
            forget_reproducers(run.top)
        run.write_own(write)
        if not run.stays:
            write(run.top)
        if not run.has_none:
            forget_old_runs(run.own)

    def pytest_enter_pdb(self) -> None:
        """Keep the reports of a run that stops in a debugger in its folder."""
        gate = self._session.gate
        if not (gate.is_on or gate.has_begun):  # then the top says already that the run has begun
            self._session.run_folder.stays = True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the results of all items, and the paths of the reports."""
        if not self._findings.rows:
            return
        from pytest_supercache.report.terminal import page_of_conflict, section

        terminalreporter.section("supercache")
        verbosity, width = self._config.get_verbosity(), columns(self._config)
        for text, colour in section(self._findings.rows, verbosity=verbosity, width=width):
            terminalreporter.line(text, **({colour: True} if colour else {}))
        run = self._session.run_folder
        for note in run.notes:
            terminalreporter.line(f"note: {note}")
        terminalreporter.line(f"written: {run.shown / VERDICT}")
        page = page_of_conflict(self._findings.rows, run.shown)
        if page is not None:
            terminalreporter.line(f"open: {page}")

    def pytest_unconfigure(self) -> None:
        """Stop the servers, unless this is a fork of the process that started them."""
        if not is_of_another_process(self._config):
            self._session.stop_servers()


def _refuse_redefined(items: list[pytest.Item]) -> None:
    """Refuse a system, a verb or a test that would run another definition than stands above it.

    Raises:
        UsageError: naming it.
    """
    if not any(map(is_ours, items)):
        return
    tests: list[Any] = [getattr(item, "obj", None) for item in items]
    systems = [one.factory for one in REGISTRY.systems.values()]
    verbs = [one.function for one in REGISTRY.verbs.values()]
    if found := redefined([*systems, *verbs, *filter(_is_explored, tests)]):
        name, registered = found
        raise pytest.UsageError(
            f"{registered} reads {name!r} when it is called, and {name!r} was defined anew since: "
            "it would run the last definition. Give each a name of its own"
        )


def _refuse_parameters_of_a_loop(items: list[pytest.Item]) -> None:
    """Refuse parameters of an explored test that are one object, or that all do the same.

    Raises:
        UsageError: naming the test.
    """
    cases: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        if _is_explored(getattr(item, "obj", None)) and hasattr(item, "callspec"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item.callspec.params)
    for test, given in cases.items():
        _refuse_one_object(test, given)
        for name in dict.fromkeys(name for each in given for name in each):
            _refuse_alike(test, name, [each[name] for each in given if name in each])


def _refuse_one_object(test: str, cases: list[dict[str, Any]]) -> None:
    """Refuse two cases of a test that share an object instead of having one each."""
    before = set[tuple[int, ...]]()
    for each in cases:
        case = tuple(map(identity, each.values()))
        if case in before and any(map(can_change, each.values())):
            raise pytest.UsageError(
                f"{test}: two cases get one object, and both find what it holds in the end. "
                "Give each case an object of its own"
            )
        before.add(case)


def _refuse_alike(test: str, name: str, values: list[Any]) -> None:
    """Refuse functions that read one variable, or find one thing in one object."""
    different = list({identity(value): value for value in values}.values())
    if variable := indistinct(different):
        raise pytest.UsageError(
            f"{test}: two functions that are parameters {name!r} read {variable!r} when they "
            "are called, and both get its last value. Let each take it as a default: "
            f"lambda {variable}={variable}: ..."
        )
    for number, value in enumerate(different):
        if callable(value) and (part := shared(value, different[:number])):
            raise pytest.UsageError(
                f"{test}: two parameters {name!r} find {part} in one object when they are "
                "called, so they do the same. Give each an object of its own"
            )


def _is_explored(test: Any) -> bool:
    return hasattr(test, "is_explored")


def _stop_if_too_much_hangs(session: pytest.Session) -> None:
    """End the run if checks have left too many threads behind."""
    from pytest_supercache.runtime.kernel.left_threads import why_no_more

    session.shouldstop = session.shouldstop or why_no_more() or False


def _drop_other_cases(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only the case of a reproducer's parametrized test that its token names."""
    others = [item for item in items if not is_recorded(item)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _hints_on(error: BaseException) -> list[tuple[str, str]]:
    """Return a section for a report on a set-up that did not reach a Redis server."""
    kind = type(error)
    is_of_client = str(kind.__module__).partition(".")[0] in {"redis", "valkey"}
    is_known = is_of_client and kind.__name__ in {"ConnectionError", "TimeoutError"}
    return [("supercache", _ASKED_TOO_EARLY)] if is_known else []


def _where_raised(error: pytest.ExceptionInfo[BaseException], path: Path) -> str:
    """Name the line of the test that led to an error of ours; "" for scenario files."""
    lines = [
        entry.lineno + 1
        for entry in error.traceback
        if entry.path == path and entry.name != "explored_test"  # ours, though it says otherwise
    ]
    if not lines or isinstance(error.value, NotAsExpected):
        return ""
    return f"\n  at {path.name}:{lines[-1]}"
