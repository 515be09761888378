"""Writes ``repro_<id>.py``: a pytest file that replays a conflict, then searches its flow.

It is made from a row of ``verdict.json`` and needs only this plugin and the code under test: it
embeds a scenario as text, and imports a Python test from its own file.

It is a program made of untrusted texts. So its first line sets the encoding, which no later line
can change (PEP 263); texts are literals or printable comments, and only a checked name becomes a
name.
"""

import keyword
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.schedule import read_token
from pytest_supercache.report.step_lines import steps_of
from pytest_supercache.report.values import short, wrap

Row = Mapping[str, Any]

_WIDTH = 96
_CODING = "# -*- coding: utf-8 -*-"
_WRITTEN_AS = "# Written as "
_STAYS = ", which later runs replace or remove; under another name it stays."


def reproducers(rows: Iterable[Row], root: Path, folder: Path) -> dict[str, str]:
    """Return the texts of all reproducers, by file name.

    Args:
        rows: the ``scenarios`` of a verdict document.
        root: the root of the project, which paths in rows are relative to.
        folder: the folder that the files will be in.
    """
    files: dict[str, str] = {}
    for row in rows:
        if can_be_reproduced(row):
            name = _free(row, files)
            files[name] = reproducer(row, root, folder, name)
    return files


def is_written_as(name: str, text: str) -> bool:
    """Say whether a file is a reproducer that still has the name under which it was written."""
    return text.startswith(_CODING) and f"\n{_WRITTEN_AS}{name}{_STAYS}\n" in text


def can_be_reproduced(row: Row) -> bool:
    """Say whether a row has a conflict and a flow that can be searched again."""
    flow = row.get("flow")
    return bool(row["counterexample"] and flow and ("scenario" in flow or _is_name(flow["test"])))


def refuse_foreign(rows: Iterable[Row], root: Path) -> None:
    """Refuse rows of a file whose reproducers would run anything but this project's tests.

    Raises:
        SupercacheError: naming the row and its mistake.
    """
    for row in rows:
        flow = (row.get("flow") or {}) if row.get("counterexample") else {}
        try:
            files = [*flow.get("conftests", ()), *([flow["file"]] if "file" in flow else ())]
            for path in files:
                _refuse_outside(path, root)
            if "file" in flow:
                _name_of(flow["test"])
            if flow:
                read_token(row["counterexample"]["token"])
        except SupercacheError as error:
            raise SupercacheError(f"{short(row.get('id'))}: {error}") from error


def _refuse_outside(path: str, root: Path) -> None:
    file = Path(os.path.normpath(root / path))
    if file.suffix != ".py" or not file.is_relative_to(root):
        raise SupercacheError(f"{path!r:.200} is not a Python file of this project, {root}")


def words_of(name: str) -> str:
    """Return a name as a part of a module's name: letters, digits, ``-`` and ``_`` only."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:80] or "item"


def reproducer(row: Row, root: Path, folder: Path, written_as: str = "") -> str:
    """Return the text of one reproducer.

    Args:
        row: its row of a verdict document.
        root: the root of the project, which paths in the row are relative to.
        folder: the folder that the file will be in.
        written_as: its name there; the usual one if none is given.

    Raises:
        SupercacheError: the flow names a test with an invalid Python name.
    """
    found, flow = row["counterexample"], row["flow"]
    near = _paths(flow.get("conftests") or (), root, folder)
    if "scenario" in flow:
        name = f"test_{words_of(str(row['id'])).replace('-', '_').lower()}"
        given = [f"SCENARIO = {_literal(flow['scenario'])}", ""]
        wanted = ["scenario=SCENARIO"]
    else:
        (path,) = _paths([flow["file"]], root, folder)
        name, given = _name_of(flow["test"]), []
        wanted = [f"file={path!r}", f"test={flow['test']!r}"]
    wanted += [f"conftests={near!r}"] if near else []
    lines = [
        _CODING,
        *_comment(f"{short(row['id'])}: VIOLATED {short(row['guarantee'])}"),
        *_comment(short(found["violation"]["summary"])),
        *(line for said in found.get("explanation") or () for line in _comment(short(said))),
        "#",
        *_comment(
            "This test replays the recorded schedule. When it does not fail any more, or no longer "
            "fits the code, the whole flow is searched. The test passes only when the search was "
            "exhausted and everything held, so keep it as the regression test. To look around in "
            "the code at a step: pytest THIS_FILE --pdb --supercache-break=STEP (a number below)."
        ),
        f"{_WRITTEN_AS}{written_as or _free(row, {})}{_STAYS}",
        "",
        "import pytest_supercache as sc",
        "",
        *given,
        "# What the token makes happen, step by step:",
        *(line for step in steps_of(found).told for line in _comment(_step(step))),
        f"TOKEN = {found['token']!r}",
        "",
        f"{name} = sc.reproduce(",
        *(f"    {argument}," for argument in ("TOKEN", *wanted)),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _step(step: Any) -> str:
    return f"  {step.text}  <- {step.breaks}" if step.breaks else f"  {step.text}"


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in wrap(text, _WIDTH)]


def _paths(paths: Iterable[str], root: Path, folder: Path) -> list[str]:
    return [Path(os.path.relpath(root / path, folder)).as_posix() for path in paths]


def _name_of(test: str) -> str:
    """Return the name of a test function: ``test_stale`` of ``TestShop.test_stale``."""
    if not _is_name(test):
        raise SupercacheError(f"{test!r:.200} is not the name of a test")
    return test.rpartition(".")[2]


def _is_name(test: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in test.split("."))


def _free(row: Row, taken: Mapping[str, str]) -> str:
    name = f"repro_{words_of(str(row['id']))}"
    numbered = (f"{name}{f'_{number}' if number > 1 else ''}.py" for number in range(1, 1_000_000))
    return next(one for one in numbered if one not in taken)


def _literal(text: str) -> str:
    """Return text as a readable literal: raw and over several lines if that is safe."""
    is_plain = all(line.isprintable() for line in text.split("\n"))
    if is_plain and '"""' not in text and text.endswith("\n"):
        return f'r"""\n{text}"""'
    pieces = "\n".join(f"    {line!r}" for line in text.splitlines(keepends=True))
    return f"(\n{pieces}\n)"
