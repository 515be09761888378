"""Writes the job summary in Markdown: the verdict, a table, and a folded part for each conflict.

GitHub accepts 1 MiB per step. What exceeds it is dropped from the end and counted.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.report.complaints import complaints, path_of, sentence, short_lines
from pytest_supercache.report.markdown import escaped
from pytest_supercache.report.step_lines import steps_of
from pytest_supercache.report.values import pasted, short
from pytest_supercache.report.words import headline

Json = Mapping[str, Any]

BYTES_MAX = 1_000_000
ROWS_MAX = 500


def summary(document: Json) -> str:
    """Return the summary of a run."""
    head = "\n".join(_head(document)) + "\n"
    size, parts, left = len(head.encode()), [head], 0
    for text in _details(document):
        size += len(text.encode())
        if left or size > BYTES_MAX - 200:
            left += 1
        else:
            parts.append(text)
    if left:
        parts.append(f"\nand {left} more conflicts, in `verdict.json` and `index.html`\n")
    return "".join(parts)


def _head(document: Json) -> Iterator[str]:
    gate = document.get("gate")
    if gate:
        until = f" until {escaped(gate['until'])}" if gate["until"] else ""
        yield f"## {escaped(gate['verdict'])}{until}"
        yield ""
        said_beside = (*(gate.get("limits") or ()), *gate["assumptions"][:10])
        for said in (*gate["reasons"][:10], *said_beside):
            yield f"- {escaped(said)}"
        yield ""
        yield escaped(headline(document))
    else:
        yield f"## {escaped(headline(document))}"
    rows = document["scenarios"]
    if not rows:
        return
    yield ""
    yield "| scenario | verdict | coverage |"
    yield "|---|---|---|"
    wrong = {(one.id, one.path) for one in complaints(document) if one.waiver is None}
    rows = sorted(rows, key=lambda row: not _is_in(row, wrong))
    for row in rows[:ROWS_MAX]:
        verdict = str(row["verdict"]).upper()
        bold = "**" if _is_in(row, wrong) else ""
        yield f"| {escaped(row['id'])} | {bold}{verdict}{bold} | {escaped(row['coverage'])} |"
    if len(rows) > ROWS_MAX:
        yield f"| and {len(rows) - ROWS_MAX} more | | |"


def _is_in(row: Json, wrong: set[tuple[str, str]]) -> bool:
    return (short(row["id"]), path_of(row)) in wrong


def _details(document: Json) -> Iterator[str]:
    """Yield one folded part for each row with details; complaints first."""
    wrong = {(one.id, one.path) for one in complaints(document) if one.waiver is None}
    for row in sorted(document["scenarios"], key=lambda row: not _is_in(row, wrong)):
        if row["counterexample"] or row["verdict"] == "unknown":
            yield "\n".join(_detail(row)) + "\n"


def _detail(row: Json) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{_html(sentence(row))}</summary>"
    yield ""
    for reason in row["reasons"]:
        yield f"- {escaped(reason)}"
    found = row["counterexample"]
    if found:
        for said in short_lines(found["violation"]["summary"], 20):
            yield f"- {escaped(said)}"
        for line in found.get("explanation") or ():
            yield f"- {escaped(line)}"
        yield ""
        steps = steps_of(found).told
        marks = [f"  <- {step.breaks}" if step.breaks else "" for step in steps]
        yield from _fenced([f"{step.text}{mark}" for step, mark in zip(steps, marks, strict=True)])
        command = pasted(row["replay"])
        if command:
            yield ""
            yield from _fenced([command])
    yield ""
    yield "</details>"


def _fenced(lines: list[str]) -> Iterator[str]:
    """Yield a fenced block of code that its content cannot end."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}text"
    yield from lines
    yield fence


def _html(text: str) -> str:
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, name)
    return text
