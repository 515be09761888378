"""Writes the Allure results of a run, or hands them to allure-pytest if that is enabled.

Without ``--alluredir`` the evidence is part of the reports, so that under xdist the controller
writes one folder; with it, allure-pytest writes in every worker, and we complete its folder.
"""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_supercache.report.finding import Finding
    from pytest_supercache.report.links import Patterns

OWN = "allure-results"
"""The folder of our own results, beside ``verdict.json``."""

EVIDENCE: pytest.StashKey[dict[str, Any]] = pytest.StashKey()
"""The Allure evidence of an item: the words of its scenario, and its attachments."""


def show(
    node: pytest.Item,
    finding: "Finding",
    row: dict[str, Any],
    folder: Path,
    patterns: "Patterns",
) -> None:
    """Pass an item's evidence to allure-pytest, or store it for the report of the item."""
    from pytest_supercache.report.evidence import evidence

    attachments = evidence(finding, row, node.config.rootpath, folder)
    if folder_of_allure(node.config) is not None:
        from pytest_supercache.report.allure import attach

        marked = {str(mark.kwargs.get("label_type")) for mark in node.iter_markers("allure_label")}
        kinds = {one.rpartition(".")[2].lower() for one in marked}
        attach(finding, row, attachments, kinds, patterns)
        return
    node.stash[EVIDENCE] = {
        "words": finding.words,
        "attachments": [[one.name, one.type, one.suffix, one.text] for one in attachments],
    }


class AllureResults:
    """Collects the results of all reports, and writes them to one folder."""

    def __init__(self, config: pytest.Config, patterns: "Patterns") -> None:
        self._config = config
        self._patterns = patterns
        self._are_completed = False  # those of allure-pytest
        self._results: dict[str, dict[str, Any]] = {}  # by node id

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Any:
        """Attach the evidence to the report, which xdist sends between processes."""
        report = yield
        if report.when == "call" and EVIDENCE in item.stash:
            report.supercache_evidence = item.stash[EVIDENCE]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a supercache item."""
        name = getattr(report, "supercache_item", None)
        if name is None or hasattr(self._config, "workerinput"):
            return
        times = {"start": report.start, "stop": report.stop, "text": report.longreprtext}
        evidence = getattr(report, "supercache_evidence", None)
        if evidence is not None:
            kept = {"row": getattr(report, "supercache", None), **evidence, **times}
            self._results[report.nodeid] = kept
        elif report.failed and report.nodeid not in self._results:
            self._results[report.nodeid] = {"row": None, "name": name, **times}

    def write(self, document: dict[str, Any], reports: Path) -> None:
        """Write results beside a verdict, or complete those of allure-pytest."""
        from pytest_supercache.report.allure_folder import complete, empty, write_config

        given = folder_of_allure(self._config)
        folder = reports / OWN if given is None else given
        if given is None:
            empty(folder)
            for node_id, kept in self._results.items():
                _write(folder, node_id, kept, self._patterns)
        if given is None or not self._are_completed:
            complete(folder, document, self._patterns)
            self._are_completed = True
        write_config(reports / "allurerc.json", folder, document)


def _write(folder: Path, node_id: str, kept: dict[str, Any], patterns: "Patterns") -> None:
    from pytest_supercache.report.allure_folder import write_attachments, write_result
    from pytest_supercache.report.allure_result import broken, result
    from pytest_supercache.report.evidence import Attachment

    times = {"start": kept["start"], "stop": kept["stop"]}
    if kept["row"] is None:
        write_result(folder, broken(node_id, kept["name"], text=kept["text"], **times))
        return
    data = result(kept["row"], words=kept["words"], trace=kept["text"], patterns=patterns, **times)
    attachments = [
        Attachment(name=name, type=kind, suffix=suffix, text=text)
        for name, kind, suffix, text in kept["attachments"]
    ]
    data["attachments"] = write_attachments(folder, data["uuid"], attachments)
    write_result(folder, data)


def folder_of_allure(config: pytest.Config, options: Namespace | None = None) -> Path | None:
    """Return the folder that allure-pytest writes to; None: it is not enabled.

    Before conftest files are imported, ``options`` are the command-line options known so far.
    """
    given = getattr(options or config.option, "allure_report_dir", None)
    return config.invocation_params.dir / given if given else None
