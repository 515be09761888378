"""Records a run also in the file that `supercache verdict` reads, if the run writes another file.

Which folder a run writes to depends on arguments and options that `supercache verdict` does not
get. So the file that it reads lists the run until the run says GO. If there is no such file, one is
created that decides nothing and names the file to read.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import InputError
from pytest_supercache.gate.same_id import FOR_ITS_ID, GOOD, alone, entry_of
from pytest_supercache.report.document_digest import with_digest
from pytest_supercache.report.verdict_json import verdict_document, write_whole
from pytest_supercache.report.verdict_schema import read_verdict

_TOLD = (
    "id", "owner", "process", "arguments", "is_gate", "own_verdict", "exit_status", "written_to",
)  # fmt: skip


def record_elsewhere(file: Path, run: Mapping[str, Any], *, is_any_meant: bool) -> None:
    """Record the outcome of a run in another folder's file that may be taken for its verdict.

    Such a file has a verdict of the same id, or any verdict if ``is_any_meant``. If neither is so,
    the outcome of a run with an id is kept there for later runs of that id. A run without the gate
    does not count against a gate run.

    Raises:
        OSError: the file does not rule out a GO and cannot be changed.
    """
    has_id = run["id"] != run["owner"]
    if not os.path.lexists(file):
        with suppress(OSError):  # then nobody else has a verdict there
            if has_id and not _is_good(run):
                _write(file, _without_verdict(run, []))
        return
    with alone(file.parent):
        try:
            document = read_verdict(file)
        except (OSError, InputError):  # it decides nothing, and says so
            return
        there = document.get("run") or {}
        if there.get("is_gate", bool(document.get("gate"))) and not run["is_gate"]:
            return
        if there.get("owner") == run["owner"]:
            _replace(file, run, there)
        elif (is_against := there.get("id") == run["id"] or is_any_meant) or has_id:
            others = [one for one in there.get("others") or () if one.get("owner") != run["owner"]]
            entry = {**entry_of(run, {}), "id": run["id"], **({} if is_against else FOR_ITS_ID)}
            others += [] if _is_good(run) else [entry]
            _write(file, {**document, "run": {**there, "others": others}})


def _is_good(run: Mapping[str, Any]) -> bool:
    return run["finished"] is True and entry_of(run, {})["outcome"] in GOOD


def _replace(file: Path, run: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """Update the file that this run has created; remove it on a GO without other runs."""
    others = there.get("others") or []
    if _is_good(run) and not others:
        file.unlink(missing_ok=True)
    else:
        _write(file, _without_verdict(run, others))


def _without_verdict(run: Mapping[str, Any], others: list[Any]) -> Mapping[str, Any]:
    """Return a document that decides nothing and names the file with the verdict."""
    told = {name: run[name] for name in _TOLD if name in run}
    return verdict_document((), {"run": {**told, "finished": False, "others": others}})


def _write(file: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(with_digest(document), indent=2, ensure_ascii=False)
    write_whole(file, f"{text}\n")
