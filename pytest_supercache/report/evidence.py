"""Makes the attachments for Allure: pictures and tables that are readable without scripts."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_supercache.report.finding import Finding
from pytest_supercache.report.markdown import escaped
from pytest_supercache.report.page import page
from pytest_supercache.report.reproducer import can_be_reproduced, reproducer
from pytest_supercache.report.step_lines import Steps, steps_of
from pytest_supercache.report.text import failure_text, line_of_text
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.timeline_svg import timeline_svg
from pytest_supercache.report.values import pasted
from pytest_supercache.report.verdict_json import verdict_document

Row = Mapping[str, Any]

PLAYER = "page with a player (download and open it)"
"""The name of the page of one conflict; Allure 3 runs no script in what it shows of it."""

BYTES_MAX = 1_000_000
"""The most bytes of one attachment: reports of hundreds of megabytes cannot be opened."""

_FORMULA = ("=", "+", "@", "\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A named text with its media type."""

    name: str
    type: str
    suffix: str
    text: str


def evidence(finding: Finding, row: Row, root: Path, folder: Path) -> list[Attachment]:
    """Return the attachments of an item, the picture first.

    Args:
        finding: the finding of the item.
        row: its row of ``verdict.json``.
        root: the root of the project.
        folder: the folder of the reproducers.
    """
    found = list(_of_conflict(finding, row, root, folder) if row["counterexample"] else ())
    return [
        *found,
        Attachment(name="verdict", type="text/plain", suffix="txt", text=failure_text(finding)),
        _json("verdict.json", row),
    ]


def _of_conflict(finding: Finding, row: Row, root: Path, folder: Path) -> Iterator[Attachment]:
    found = row["counterexample"]
    picture = timeline_svg(timeline(found), line_of_text(finding))
    yield Attachment(name="timeline", type="image/svg+xml", suffix="svg", text=picture)
    table = layers_table(steps_of(found))
    yield Attachment(name="layers after each step", type="text/csv", suffix="csv", text=table)
    yield Attachment(
        name="explanation", type="text/markdown", suffix="md", text=_explanation(row, found)
    )
    if not row["as_stated"]:
        text = page(verdict_document([dict(row)], {}))
        if len(text) <= BYTES_MAX:
            yield Attachment(name=PLAYER, type="text/html", suffix="html", text=text)
    if found["history"]:
        yield _json("history", found["history"])
    if can_be_reproduced(row):
        program = reproducer(row, root, folder)
        yield Attachment(name="reproducer", type="text/plain", suffix="py", text=program)


def layers_table(steps: Steps) -> str:
    """Return the content of each layer after each step, as CSV; no cell is a formula."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    cells = [_cell(f"{place} {key}") for place, key in steps.cells]
    table.writerow(["step", "what", *cells, "what it breaks"])
    for line in steps.lines:
        number = "" if line.number is None else line.number
        text = line.text.removeprefix(f"{number}. ")
        table.writerow([number, _cell(text), *map(_cell, line.values), line.breaks])
    return out.getvalue()


def _cell(text: str) -> str:
    is_formula = text.startswith(_FORMULA) or (text.startswith("-") and len(text) > 1)
    return f"'{text}" if is_formula else text


def _explanation(row: Row, found: Row) -> str:
    said = [found["violation"]["summary"], *(found.get("explanation") or ())]
    lines = [f"- {escaped(line)}" for text in said for line in str(text).splitlines()]
    command = pasted(row["replay"])
    if command:
        lines += ["", f"    {command}"]
    return "\n".join(lines) + "\n"


def _json(name: str, data: Any) -> Attachment:
    text = _without_controls(json.dumps(data, indent=2, ensure_ascii=False))
    if len(text.encode(errors="replace")) > BYTES_MAX:
        text = json.dumps({"left out": f"{len(text):,} characters; see verdict.json of the run"})
    return Attachment(name=name, type="application/json", suffix="json", text=text)


def _without_controls(text: str) -> str:
    """Escape unprintable characters in JSON: they could make a value look like another one."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
