"""The gate inside a run: it records what happened besides the findings, and sets the exit status.

It decides where all reports arrive, on xdist's controller. Before a gate run a mark replaces the
last ``verdict.json``, so that a run which crashes leaves no old GO behind.
"""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import masked_id
from pytest_supercache.gate.place import way_to_root
from pytest_supercache.plugin.asserts import are_plain, refuse_without_asserts
from pytest_supercache.plugin.connection_failures import CONNECTION_FAILURES
from pytest_supercache.plugin.item_runs import ItemRuns
from pytest_supercache.plugin.items import CollectedItems, is_ours
from pytest_supercache.plugin.marking import (
    identity,
    mark,
    mark_once,
    mark_without_gate,
    others_beside,
    refuse_empty_id,
    write_own,
    wrote_last,
)
from pytest_supercache.plugin.project_state import ProjectState
from pytest_supercache.plugin.rules import judged_without_gate, rules_of
from pytest_supercache.plugin.set_aside import replaced_settings
from pytest_supercache.plugin.uncollected import Uncollected
from pytest_supercache.plugin.unread import refuse_unread
from pytest_supercache.report.run_folders import VERDICT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_supercache.gate.rules import Rules
    from pytest_supercache.plugin.run_folder import RunFolder
    from pytest_supercache.plugin.sharding import Sharding

    Findings = list[dict[str, Any]]

_CRASHED = "???"  # what xdist reports instead of setup, call or teardown
_BOUNDS = ("faults", "ticks", "memory", "polls", "preemptions", "search")
"""Settings whose reduction makes HOLDS prove less."""


_COLOURS = {
    "GO": "green", "GO WITH KNOWN WORKAROUND": "yellow", "NO-GO": "red", "NO VERDICT": "red"
}  # fmt: skip


class Gate:
    """Records the events of a run for the gate; hooks that need it are methods here."""

    def __init__(
        self, config: pytest.Config, project: dict[str, Any], folder: "RunFolder", *, is_on: bool
    ) -> None:
        self._config = config
        self._project = project
        self._folder = folder
        self._facts: dict[str, list[str]] = {
            "failed": [], "broken": [], "crashed": [], "skipped": []
        }  # fmt: skip
        self.is_on = is_on
        if self.is_on and not hasattr(config, "workerinput"):
            mark_once(config, folder.top)  # before anything is refused
        self._runs = ItemRuns()
        decides = is_on or config.getoption("supercache_shard") is not None
        self._items = CollectedItems(config, decides=decides)
        self.project_state = ProjectState(config, project, folder.top)
        self._failures = 0
        self._rules: Rules | None = None
        self._screen: list[str] = []
        self._texts: dict[str, str] = {}
        self._status: int | None = None
        self._scope: Mapping[str, Any] = {}  # of the verdict, once its file has it
        self._close: Callable[[Mapping[str, Any]], None] | None = None  # likewise
        self.has_begun = False  # without being on, and its file says so
        self.sharding: Sharding | None = None
        if not hasattr(config, "workerinput"):
            self._prepare()

    @property
    def _path(self) -> "Path":
        return self._folder.shown / VERDICT

    @property
    def _today(self) -> str | None:
        given: str | None = self._config.getoption("supercache_today")
        return given

    def _prepare(self) -> None:
        """Refuse settings under which nothing is evidence, and read the rules.

        Raises:
            UsageError: an option or a file is wrong.
        """
        if not (self.is_on or self._today):
            return
        from pytest_supercache.gate.project import read_day

        try:
            if self.is_on:
                refuse_empty_id()
                refuse_without_asserts(self._config)
                refuse_unread(self._config)
                self.project_state.look_at_checkout()
            if self.is_on and self._config.getoption("supercache_shard") is not None:
                raise SupercacheError(
                    "--supercache-shard with the gate: a shard decides nothing; run all shards "
                    "without the gate, and let `supercache merge` decide"
                )
            for name in ("today", "replay") if self.is_on else ():
                if self._config.getoption(f"supercache_{name}"):
                    raise SupercacheError(
                        f"--supercache-{name} with the gate: a verdict must be about today and "
                        "about whole searches; leave one of them out"
                    )
            today = read_day(self._today) if self._today else self._now().date()
            self._rules = rules_of(self._config, self._project, today)
        except (SupercacheError, OSError) as error:
            raise pytest.UsageError(f"gate: {error}") from error

    def mark(self) -> None:
        """Withdraw the verdict in the file: the run has begun and not ended.

        Raises:
            UsageError: the file cannot be written.
        """
        mark(self._config, self._config.option, self._path.parent)

    def _now(self) -> datetime:
        """Return the time by the kernel's stamp of a new file.

        A conftest may have frozen the clock of the process, which must not revive an expired
        waiver.
        """
        if not self.is_on:
            return datetime.now(UTC)
        self._path.touch()
        return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)

    def note_file(self, path: "Path") -> None:
        """Note a scenario file that is collected."""
        self._items.files.add(str(path))

    def uncollected(self) -> Uncollected:
        """Return the files below the paths of the run that were not collected."""
        return self.project_state.uncollected(self._items.seen)

    # -- hooks ---------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """List the scenario files before the run, if the verdict or a description needs them."""
        is_described = self._config.getoption("supercache_describe") is not None
        decides = self.is_on or self.sharding is not None
        if is_described or (decides and not hasattr(self._config, "workerinput")):
            self.project_state.look()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark reports of scenarios and explored tests, so that xdist's controller sees it, too."""
        report = yield
        if is_ours(item):
            vars(report)["supercache_item"] = masked_id(item.name)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record failures that are no findings."""
        self._runs.note(report)
        is_expected = hasattr(report, "wasxfail")
        ours = getattr(report, "supercache_item", None)
        found = getattr(report, "supercache", None)
        if ours is not None and (found is not None or report.failed or report.skipped):
            self._items.answered.add(report.nodeid)
        if report.failed and not is_expected:
            self._failures += 1
            if report.when == _CRASHED:
                self._facts["crashed"].append(masked_id(report.nodeid))
            elif ours is None:
                self._facts["failed"].append(masked_id(report.nodeid))
            elif found is None or found["as_stated"]:  # what failed is not its verdict
                self._facts["broken"].append(ours)
        elif ours is not None and _is_no_evidence(report, found):
            self._facts["skipped"].append(ours)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record what could not be collected."""
        if report.failed:
            self._failures += 1
            self._facts["broken"].append(masked_id(report.nodeid))
            self._items.report_failure(report.nodeid)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, Any]:
        """Record what each file has, before other plugins take anything from the report."""
        if isinstance(collector, pytest.File):
            self._items.begin_file()
        report = yield
        if report.failed:
            self._items.fail(collector)
        elif report.skipped or self._items.was_passed_over(collector, report):
            self._items.skip_file(collector)
        if isinstance(collector, pytest.Module):
            self._items.modules.add(str(collector.path))
            if report.passed:
                self._items.no_tests.note_module(collector.path)
        for node in report.result or ():
            if isinstance(node, pytest.Item) and is_ours(node):
                self._items.note_in_file(node)
        self._items.look_at_imports()
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Record the items that need a result, whichever plugin removes them later."""
        if is_ours(item):
            self._items.collect(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Find explored functions that became no test, and examine the files around ours."""
        self._items.all_are_collected()
        is_told = self.sharding is not None or any(map(is_ours, session.items))
        if is_told and not hasattr(self._config, "workerinput"):
            self._begin()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Examine the files when workers have collected; none of them has run anything yet."""
        if self.sharding is not None or self.project_state.may_be_ours(ids):
            self._begin()

    def _begin(self) -> None:
        """Examine the files, and let a run without the gate record that it has begun."""
        self.project_state.look()
        if not (self.is_on or self.has_begun):
            self.has_begun = mark_without_gate(self._config, self._config.option, self._path.parent)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Record items that were deselected."""
        self._items.deselect(items)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """On a worker of xdist: send its items to the controller, which collects nothing."""
        self._items.tell()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Receive the collected items of a worker; each worker has collected everything."""
        self._items.learn(node.gateway.id, getattr(node, "workeroutput", None) or {})

    def finish(
        self,
        session: pytest.Session,
        findings: "Findings",
        circumstances: "Mapping[str, Any]",
        narrowed_by: list[str],
    ) -> dict[str, Any]:
        """Decide, set the exit status if the gate is on, and return the part of the file.

        Args:
            session: the session, which has ended.
            findings: the findings of its items.
            circumstances: what was tested, with which versions, and when.
            narrowed_by: the settings that make the search cover less than by default.
        """
        run = {**self._run(session), "narrowed_by": narrowed_by}
        if not self.is_on:
            document = {"scenarios": findings, "run": run}
            is_shard = self.sharding is not None
            run |= judged_without_gate(self._config, self._project, document, is_shard=is_shard)
        if self._rules is None:
            return {"run": run}
        from pytest_supercache.gate.documents import DRAFTS
        from pytest_supercache.gate.policy import decide
        from pytest_supercache.gate.screen import gate_part, screen
        from pytest_supercache.plugin.terminal import columns

        circumstances, rules = dict(circumstances), self._rules
        if self.is_on:
            with suppress(OSError):  # then nothing can be written either, which is told below
                now = self._now()
                circumstances["when"] = _text(now)
                rules = replace(rules, today=max(rules.today, now.date()))  # midnight has passed
        document = {"scenarios": findings, "run": run, **circumstances}
        if self.is_on:
            run["own_verdict"] = decide(document, rules).verdict.value
            run["others"] = others_beside(self._config, self._path, run)
        decision = decide(document, rules)
        self._screen = screen(decision, document, rules, columns(self._config))
        if self.is_on:
            session.exitstatus = decision.exit_status
            self._status = decision.exit_status
            self._texts = {n: draft(document, decision, rules) for n, draft in DRAFTS.items()}
        gate = gate_part(decision, document, rules)
        return {"when": circumstances["when"], "run": run, "gate": gate}

    def write(self, findings: "Findings", scope: "Mapping[str, Any]") -> None:
        """Write the verdict as that of a run which has not finished: its reports come first.

        Raises:
            OSError: the file cannot be written.
        """
        rows = tuple(findings)
        self._write(rows, {**scope, "run": {**scope["run"], "finished": False}})
        self._scope, self._close = scope, partial(self._write, rows)

    def end(self) -> None:
        """Record that a run without the gate has finished, now that its reports are written.

        Raises:
            OSError: the file cannot be written.
        """
        if not self.is_on and self._close is not None:
            self._close(self._scope)

    def _write(self, rows: "tuple[Any, ...]", scope: "Mapping[str, Any]") -> None:
        """Write the verdict where it is asked for, and then into the folder of the run.

        Where a gate run of the same id has its verdict, a run without the gate has only its folder.
        """
        from pytest_supercache.gate.same_id import OfGateRunError
        from pytest_supercache.report.verdict_json import write_whole

        try:
            text = write_own(self._config, self._path, rows, scope)
        except OfGateRunError as error:
            self._folder.stay(str(error))
            text = write_own(self._config, self._path, rows, scope)
        if not self._folder.stays:
            self._folder.write_own(lambda folder: write_whole(folder / VERDICT, text))

    def close(self) -> None:
        """Record in the file that the run is over and its verdict stands.

        Raises:
            OSError: the file cannot be written.
            SupercacheError: without the gate, the file is no longer a verdict.
        """
        if self._close is None or not (self.is_on or wrote_last(self._config, self._path)):
            return
        closed = {**self._scope, **self.project_state.closing_part()}
        if self.is_on or closed != self._scope:  # without the gate, it says so already
            self._close(closed)

    def write_texts(self, folder: "Path") -> None:
        """Write the drafts of the message and the post-mortem beside a verdict."""
        from pytest_supercache.report.verdict_json import write_whole

        for name, text in self._texts.items():
            write_whole(folder / name, text)

    def cannot_write(self, session: pytest.Session, error: Exception) -> None:
        """End without a verdict if its file cannot be written; only note a missing report."""
        if self._close is not None:
            self._screen.append(f"  note: the reports beside verdict.json are not whole: {error}")
            return
        said = f"verdict.json could not be written: {error}"
        if int(session.exitstatus) == int(pytest.ExitCode.TESTS_FAILED):
            self._screen.append(f"  note: {said}")
            return
        from pytest_supercache.gate.policy import NO_EVIDENCE, GateVerdict

        self._screen = [GateVerdict.NO_VERDICT.value, f"  because {said}"]
        session.exitstatus = int(session.exitstatus) or NO_EVIDENCE

    @property
    def decided(self) -> int | None:
        """The exit status of the verdict, once the file of the verdict has it."""
        return self._status if self._close is not None else None

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the screen of the gate."""
        if not self._screen:
            return
        day = f" on {self._today} (not today, so no evidence)" if self._today else ""
        terminalreporter.section(f"gate{day}")
        for line in self._screen:
            colour = _COLOURS.get(line.partition(" until ")[0].partition(", while ")[0])
            terminalreporter.line(line, **({colour: True, "bold": True} if colour else {}))

    # -- what happened -------------------------------------------------------------------------

    def _run(self, session: pytest.Session) -> dict[str, Any]:
        status = int(session.exitstatus)
        unexplained = max(0, session.testsfailed - self._failures)
        stopped = self._runs.stopped(session)
        if status == int(pytest.ExitCode.TESTS_FAILED) and not session.testsfailed:
            unexplained += 1
        return {
            "finished": True,
            **identity(self._config, is_gate=self.is_on),
            "root": way_to_root(self._folder.top / VERDICT, self._config.rootpath),
            "exit_status": status,
            **self._facts,
            "skipped": [*self._facts["skipped"], *self._items.skipped_files()],
            "unexplained": unexplained,
            **self._items.part(is_stopped=stopped is not None),
            **self._config.stash[CONNECTION_FAILURES].part(),
            **self.project_state.part(self._items.seen, self._items.ran_from | self._items.files),
            "stopped": stopped,
            "plain_asserts": are_plain(self._config),
            "replay": bool(self._config.getoption("supercache_replay")),
            "overriding": self._overriding(),
            "replaced": replaced_settings(self._config),
            **self._shard_part(),
        }

    def _shard_part(self) -> dict[str, Any]:
        if self.sharding is None:
            return {}
        return {"shard": self.sharding.part(self._items.no_tests.called())}

    def _overriding(self) -> list[str]:
        """Return the options of the command line that override the scenario files."""
        given = {name: self._config.getoption(f"supercache_{name}") for name in _BOUNDS}
        return [f"--supercache-{name}={value}" for name, value in given.items() if value]


def _is_no_evidence(report: pytest.TestReport, found: "Mapping[str, Any] | None") -> bool:
    """Say whether an item was skipped or xfailed without a finding that explains it.

    An example of ``@given`` may have held before; a violation counts as an answer.
    """
    if found is None:
        return report.skipped or report.when == "call"
    return report.skipped and bool(found["as_stated"])


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
