"""Every output of a run, once: how it is made from findings, and what form it keeps."""

import ast
import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pytest_supercache.gate.message import message
from pytest_supercache.gate.policy import decide
from pytest_supercache.gate.postmortem import postmortem
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.screen import screen
from pytest_supercache.report.allure_result import (
    broken,
    categories,
    completed,
    config,
    environment,
    result,
)
from pytest_supercache.report.annotations import annotations
from pytest_supercache.report.code_quality import code_quality
from pytest_supercache.report.complaints import sentence
from pytest_supercache.report.evidence import evidence
from pytest_supercache.report.finding import Finding
from pytest_supercache.report.junit import junit
from pytest_supercache.report.page import page
from pytest_supercache.report.page_data import page_data
from pytest_supercache.report.reproducer import reproducers
from pytest_supercache.report.sarif import sarif
from pytest_supercache.report.summary import summary
from pytest_supercache.report.terminal import section
from pytest_supercache.report.text import failure_text

ROOT, FOLDER = Path("/p"), Path("/p/reports")
RULES = Rules(today=date(2026, 11, 25))


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run has found, and its verdict.json."""

    findings: list[Finding]
    document: dict[str, Any]

    def attached(self, name: str) -> str:
        """Return an attachment of the first item."""
        finding = self.findings[0]
        rows = {row["node_id"]: row for row in self.document["scenarios"]}
        found = evidence(finding, rows[finding.node_id], ROOT, FOLDER)
        return next(one.text for one in found if one.name == name)

    def told(self, tell: Callable[..., str]) -> str:
        """Return what the gate has to tell."""
        return tell(self.document, decide(self.document, RULES), RULES)


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def of_document(make: Callable[[dict[str, Any]], str]) -> Callable[[Run], str]:
    return lambda run: make(run.document)


def attached(name: str) -> Callable[[Run], str]:
    return lambda run: run.attached(name)


def allure(run: Run) -> str:
    rows = run.document["scenarios"]
    words = {finding.node_id: finding.words for finding in run.findings}
    found = [
        result(row, words=words[row["node_id"]], start=0.0, stop=1.5, trace="the text", patterns={})
        for row in rows
    ]
    by_name = {row["node_id"][:300]: row for row in rows}
    waivers = {one["match"]: one for one in run.document["gate"]["waivers"]}
    for one in found:
        completed(one, by_name, waivers, {})
    return as_json([*found, broken("p::x", "X-1", start=0.0, stop=0.0, text="no server\nmore")])


def terminal(run: Run) -> str:
    rows = [{**row, "line_of_text": sentence(row)} for row in run.document["scenarios"]]
    lines = section(rows, verbosity=0, width=70)
    return "".join(f"{colour:7}{text}\n" for text, colour in lines)


def only_reproducer(run: Run) -> str:
    return "".join(reproducers(run.document["scenarios"], ROOT, FOLDER).values())


OUTPUTS: Mapping[str, Callable[[Run], str]] = {
    "verdict.json": of_document(as_json),
    "page.json": lambda run: as_json(page_data(run.document)),
    "failure.txt": lambda run: "\n\n".join(map(failure_text, run.findings)) + "\n",
    "terminal.txt": terminal,
    "timeline.svg": attached("timeline"),
    "layers.csv": attached("layers after each step"),
    "explanation.md": attached("explanation"),
    "repro.txt": only_reproducer,
    "allure-results.json": allure,
    "allure-categories.json": lambda run: as_json(categories(run.document)),
    "allurerc.json": lambda run: as_json(config(run.document, "allure-results")),
    "environment.properties": of_document(environment),
    "summary.md": of_document(summary),
    "annotations.txt": of_document(annotations),
    "junit.xml": of_document(junit),
    "run.sarif": of_document(sarif),
    "code-quality.json": of_document(code_quality),
}
"""By the name of their snapshots; those of what the gate tells are in tests/unit/gate."""

OF_THE_GATE: Mapping[str, Callable[[Run], str]] = {
    "index.html": of_document(page),
    "message.md": lambda run: run.told(message),
    "postmortem.md": lambda run: run.told(postmortem),
    "screen.txt": lambda run: run.told(
        lambda found, *rest: "\n".join(screen(rest[0], found, RULES))
    ),
}


def paths(data: Any, above: str = "") -> set[str]:
    """Return the names in JSON, with where they are."""
    if isinstance(data, list):
        return {path for one in data for path in paths(one, f"{above}[]")}
    if isinstance(data, dict):
        return {path for name, one in data.items() for path in paths(one, f"{above}.{name}")}
    return {above}


def elements(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the kinds of elements of XML with their attributes."""
    root = ElementTree.fromstring(text)
    return sorted({(one.tag, tuple(sorted(one.attrib))) for one in root.iter()})


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def markdown(text: str) -> tuple[list[str], list[str], list[int]]:
    """Return the tags, the headings and the cells of each row that Markdown makes of a text."""
    outside = re.sub("(?ms)^(`{3,})text\n.*?^\\1$", "", text)
    outside = re.sub("(?m)^    .*$", "", outside)
    tags = re.findall(r"(?<!\\)</?[a-z!][a-z]*", outside)
    headings = [line.split(" ")[0] for line in outside.splitlines() if line.startswith("#")]
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    return tags, headings, [len(re.findall(r"(?<!\\)[|]", row)) for row in rows]


def lines(text: str) -> int:
    return len(text.splitlines())


def nothing(text: str) -> None:
    """Prose: it has no form but its lines."""


FORMS: Mapping[str, Callable[[str], Any]] = {
    "index.html": lambda text: _Tags(text).found,
    "timeline.svg": elements,
    "junit.xml": elements,
    "layers.csv": lambda text: [len(row) for row in csv.reader(io.StringIO(text))],
    "repro.txt": lambda text: [type(one).__name__ for one in ast.parse(text).body],
    "explanation.md": markdown,
    "summary.md": markdown,
    "message.md": markdown,
    "postmortem.md": markdown,
    "annotations.txt": lines,
    "environment.properties": lambda text: [one.partition("=")[0] for one in text.splitlines()],
    "failure.txt": nothing,
    "terminal.txt": lines,
    "screen.txt": nothing,
}


def form_of(name: str, text: str) -> Any:
    """Return what a reader of the format makes of a text, without the texts in it."""
    return FORMS[name](text) if name in FORMS else sorted(paths(json.loads(text)))
