"""``repro_<id>.py``: a pytest file that replays a conflict, then searches its flow.

It is made from a row of ``verdict.json`` and needs nothing but this plugin and the code under test:
a scenario stands in it as text, a Python test is taken from where it is.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.report.step_lines import steps_of
from pytest_supercache.report.values import short, wrap

Row = Mapping[str, Any]

_WIDTH = 96


def reproducers(rows: Iterable[Row], root: Path, folder: Path) -> dict[str, str]:
    """Return the text of every reproducer by the name of its file.

    Args:
        rows: the ``scenarios`` of a verdict document.
        root: the project; paths in rows are meant from there.
        folder: where the files will stand.
    """
    files: dict[str, str] = {}
    for row in rows:
        if row["counterexample"] and row.get("flow"):
            files[_free(f"repro_{words_of(str(row['id']))}", files)] = reproducer(row, root, folder)
    return files


def words_of(name: str) -> str:
    """Return a name as a part of a module's name: letters, digits, ``-`` and ``_``."""
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_")[:80] or "item"


def reproducer(row: Row, root: Path, folder: Path) -> str:
    """Return the text of one reproducer."""
    found, flow = row["counterexample"], row["flow"]
    near = _paths(flow.get("conftests") or (), root, folder)
    if "scenario" in flow:
        name = f"test_{words_of(str(row['id'])).replace('-', '_').lower()}"
        given = [f"SCENARIO = {_literal(flow['scenario'])}", ""]
        wanted = ["scenario=SCENARIO"]
    else:
        (path,) = _paths([flow["file"]], root, folder)
        name, given = flow["test"].rpartition(".")[2], []
        wanted = [f"file={path!r}", f"test={flow['test']!r}"]
    wanted += [f"conftests={near!r}"] if near else []
    lines = [
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
        "",
        "import pytest_supercache as sc",
        "",
        *given,
        "# What the token makes happen, step by step:",
        *(line for step in steps_of(found).lines[1:] for line in _comment(_step(step))),
        f"TOKEN = {found['token']!r}",
        "",
        f"{name} = sc.reproduce(",
        *(f"    {argument}," for argument in ("TOKEN", *wanted)),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _step(step: Any) -> str:
    return f"  {step.text}{'  <- from here on the layers never agree again' * step.parts}"


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in wrap(text, _WIDTH)]


def _paths(paths: Iterable[str], root: Path, folder: Path) -> list[str]:
    return [Path(os.path.relpath(root / path, folder)).as_posix() for path in paths]


def _free(name: str, taken: Mapping[str, str]) -> str:
    numbered = (f"{name}{f'_{number}' if number > 1 else ''}.py" for number in range(1, 1_000_000))
    return next(one for one in numbered if one not in taken)


def _literal(text: str) -> str:
    """Write text as a literal that can be read: raw and over several lines where that is safe."""
    is_plain = all(line.isprintable() for line in text.split("\n"))
    if is_plain and '"""' not in text and text.endswith("\n"):
        return f'r"""\n{text}"""'
    pieces = "\n".join(f"    {line!r}" for line in text.splitlines(keepends=True))
    return f"(\n{pieces}\n)"
