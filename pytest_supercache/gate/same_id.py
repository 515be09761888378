"""Merges the verdicts of several runs with one id and folder: each keeps the others in its file.

An id stands for a CI job, and a job can start pytest more than once: one after the other, at once,
or inside a test. The last run to write is no better than the others. So ``verdict.json`` names its
writer, and a run that replaces it keeps each run that rules out a GO: one that has not finished, or
that did not say GO. Such a run leaves the list only when it says GO itself. What is lost because
the file was damaged or removed rules out a GO, too.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import InputError
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from pytest_supercache.report.run_folders import RUNS, VERDICT, top_of
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import Row, write_verdict
from pytest_supercache.report.verdict_schema import read_verdict

GOOD = ("GO", "GO WITH KNOWN WORKAROUND", "exit status 0")
FOR_ITS_ID = {"for_its_id": True}
"""Marks another run that counts only against runs of its own id."""
_LISTINGS = frozenset({"--collect-only", "--co", "--setup-plan"})
_WAIT_SECONDS = 10.0  # a run holds the folder for as long as it takes to write one file


class OfGateRunError(SupercacheError):
    """The file has the verdict of a gate run, which a run without the gate must not replace."""


Others = list[dict[str, Any]]


def write_beside_others(
    path: Path, rows: Iterable[Row], scope: Mapping[str, Any], before: Others | None = None
) -> tuple[Others, str]:
    """Write a verdict with the other runs of its id that rule out a GO; return these and the text.

    ``before`` are those that the run wrote last; None: this is its first write.

    Raises:
        OfGateRunError: this run is without the gate, and a gate run has the same id.
        OSError: the file cannot be written.
    """
    run = scope["run"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent):
        latest, others = _runs_in(path, run, before)
        if latest and latest["is_gate"] and not run["is_gate"]:
            raise OfGateRunError(
                f"{path} stays: it is about the gate run of this id, {_named(latest)}"
            )
        text = write_verdict(path, rows, {**scope, "run": {**run, "others": others}})
    return others, text


def others_beside(path: Path, run: Mapping[str, Any], before: Others | None) -> Others:
    """Return the other runs of the same id in the file that rule out a GO."""
    return _runs_in(path, run, before)[1]


def later_beside(
    path: Path, document: Mapping[str, Any], asked: Iterable[object] = ()
) -> Iterator[str]:
    """Yield a complaint for each run of the same id that stands against an older run's file.

    The file is that of a run in its own folder; the folder of reports has what came after it. Runs
    with one of the numbers ``asked`` are no others. The folder of reports may also be one into
    which CI has put those of several machines, of which the last one left its file at the top.
    """
    run, top = document.get("run"), top_of(path.resolve().parent) / VERDICT
    if not (isinstance(run, Mapping) and {"id", "owner"} <= set(run)):
        return
    own = {"is_gate": bool(document.get("gate")), **run}
    others = (
        _left_in_runs(top.parent, own) if _is_same(path, top) else others_beside(top, own, None)
    )
    yield from against_go(
        {**run, "others": [one for one in others if one.get("owner") not in {*asked}]}
    )


def _left_in_runs(folder: Path, own: Mapping[str, Any]) -> Others:
    """Return the gate runs of the same id in folders of their own that the top does not know."""
    known = {own["owner"], *(one.get("owner") for one in own.get("others") or ())}
    found: Others = []
    for path in sorted((folder / RUNS).glob(f"*/{VERDICT}")) if own["id"] != own["owner"] else ():
        with suppress(OSError, InputError):
            document = read_verdict(path)
            run = document.get("run") or {}
            entry = entry_of(run, document.get("gate") or {})
            is_other = run.get("id") == own["id"] and run.get("owner") not in known
            if is_other and entry["is_gate"] and entry["outcome"] not in GOOD:
                found.append(entry)
    return found


def _is_same(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def against_go(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield a complaint for each other run of the same id that has not said GO."""
    for other in run.get("others") or ():
        if other.get("for_its_id") and other.get("id") != run.get("id"):
            continue
        if other.get("lost"):
            yield f"{other['lost']}, so other runs may stand against this one; give it another id"
            continue
        if _LISTINGS & set(str(other.get("arguments", "")).split()):
            yield (
                f"{_what_has(run, other)} another run: {_named(other)} only listed what there is, "
                "with the gate, and decided nothing. Leave out --supercache-gate there"
            )
            continue
        outcome = other.get("outcome")
        came_to = f"ended with {outcome}" if outcome else "has begun and not finished"
        place = f" and wrote {other['written_to']}" if other.get("written_to") else ""
        yield (
            f"{_what_has(run, other)} another run: {_named(other)} {came_to}{place}; this is "
            f"{_named(run)}. Give each run an id of its own"
        )


def _what_has(run: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    is_shared = run.get("id") != run.get("owner")  # somebody gave it
    is_same = other.get("id", run.get("id")) == run.get("id")
    return f"the run id {run.get('id')} has" if is_shared and is_same else "this folder has"


def _runs_in(
    path: Path, own: Mapping[str, Any], before: Others | None
) -> tuple[dict[str, Any] | None, Others]:
    """Return the writer of a file, if it has the same id, and all runs that rule out a GO.

    Runs without the gate do not count against a gate run.
    """
    if own["id"] == own["owner"]:  # nobody gave an id: no other run has it
        return None, []
    try:
        document = read_verdict(path)
    except (OSError, InputError) as error:
        if before is None and not isinstance(error, FileNotFoundError):
            return None, _with_lost([], str(error))
        document = {}
    run = document.get("run") or {}
    is_ours = run.get("id") == own["id"]
    latest = entry_of(run, document.get("gate") or {}) if is_ours else None
    known = [
        one
        for one in run.get("others") or ()
        if one.get("id", run.get("id", own["id"])) == own["id"]
    ]
    runs = [*known, latest] if latest else known
    if before is not None and own["owner"] not in {one.get("owner") for one in runs}:
        gone = f"{path.name} was removed or replaced while {_named(own)} went on"
        return latest, _with_lost([*before, *runs], gone)
    others = [
        one
        for one in runs
        if one.get("owner") != own["owner"]
        and one.get("outcome") not in GOOD
        and (one.get("is_gate") is not False or not own["is_gate"])
    ]
    return latest, others


def _with_lost(known: Others, why: str) -> Others:
    """Add, at most once, an entry for the lost records of other runs."""
    return [*(one for one in known if one.get("lost") != why), {"lost": why}]


def entry_of(run: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a run in the lists of others; an older version writes fewer fields."""
    is_finished = run.get("finished") is True
    is_gate = run.get("is_gate", bool(gate) or not is_finished)
    outcome = run.get("own_verdict") or (gate.get("verdict") if is_gate else None)
    if not (is_gate or outcome):
        outcome = f"exit status {run['exit_status']}" if "exit_status" in run else None
    is_told = is_finished or ("written_to" in run and outcome not in GOOD)
    told = ("owner", "process", "arguments", "written_to")
    return {
        **{name: run[name] for name in told if name in run},
        "is_gate": is_gate,
        "outcome": outcome if is_told else None,
    }


def _named(run: Mapping[str, Any]) -> str:
    return f"process {run.get('process', '?')} ({short(str(run.get('arguments', 'pytest')))})"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock a folder for one process; the operating system frees the lock of a dead process.

    Raises:
        TimeoutError: another process holds the lock for too long.
    """
    if os.name != "posix":  # two runs that write at the same moment may miss each other there
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        _lock(held, folder)
        yield
    finally:
        os.close(held)


def _lock(held: int, folder: Path) -> None:
    import fcntl  # which only POSIX has

    deadline = real_seconds() + _WAIT_SECONDS
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if real_seconds() > deadline:
                raise TimeoutError(
                    f"another process has been writing in {folder} for {_WAIT_SECONDS:g} s"
                ) from None
            real_sleep(0.01)
        except OSError:  # some network file systems lock no folder; each file is still whole
            return
        else:
            return
