"""Several runs under one id, in one folder: each writes its own verdict and keeps the others in it.

An id stands for a CI job, and a job can start pytest more than once: in turn, at once, or inside
a test. The last one to write is no better than the others. So ``verdict.json`` names its writer,
and whoever replaces it keeps what stands against a GO: runs that have not finished, and runs that
came to something else. They leave the list only when they say GO themselves.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import InputError
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import Row, write_verdict
from pytest_supercache.report.verdict_schema import read_verdict

_GOOD = ("GO", "GO WITH KNOWN WORKAROUND", "exit status 0")
_WAIT_SECONDS = 10.0  # a run holds the folder for as long as it takes to write one file


class OfGateRunError(SupercacheError):
    """The file has the verdict of a gate run, which a run without the gate does not replace."""


def write_beside_others(path: Path, rows: Iterable[Row], scope: Mapping[str, Any]) -> None:
    """Write a verdict, with the other runs of its id that stand against a GO.

    Raises:
        OfGateRunError: this is a run without the gate, and one with it has this id.
        OSError: it cannot be written.
    """
    run = scope["run"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        latest, others = _runs_in(path, run)
        if latest and latest["is_gate"] and not run["is_gate"]:
            raise OfGateRunError(
                f"{path} is about the gate run of this id, {_named(latest)}; to keep the reports "
                "of both, give this run another folder (--supercache-report=DIR)"
            )
        write_verdict(path, rows, {**scope, "run": {**run, "others": others}})


def others_beside(path: Path, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the other runs of the same id, as the file knows them, that stand against a GO."""
    return _runs_in(path, run)[1]


def against_go(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield which other runs of the same id have not said GO."""
    for other in run.get("others") or ():
        outcome = other.get("outcome")
        came_to = f"ended with {outcome}" if outcome else "has begun and not finished"
        yield (
            f"the run id {run.get('id')} has another run: {_named(other)} {came_to}; this is "
            f"{_named(run)}. Give each run an id of its own"
        )


def _runs_in(
    path: Path, own: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Return the run that has written a file, if it has the same id, and all that count against.

    Runs without the gate do not count against one with it.
    """
    try:
        document = read_verdict(path)
    except (OSError, InputError):  # there is none, or it decides nothing
        return None, []
    run = document.get("run") or {}
    if run.get("id") != own["id"]:
        return None, []
    latest = _entry(run, document.get("gate") or {})
    others = [
        one
        for one in (*(run.get("others") or ()), latest)
        if one.get("owner") != own["owner"]
        and one.get("outcome") not in _GOOD
        and (one.get("is_gate") is not False or not own["is_gate"])
    ]
    return latest, others


def _entry(run: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, Any]:
    """Return what others keep of a run; what an older version wrote says less."""
    is_finished = run.get("finished") is True
    is_gate = run.get("is_gate", bool(gate) or not is_finished)
    outcome = run.get("own_verdict") or gate.get("verdict")
    outcome = outcome if is_gate else f"exit status {run.get('exit_status')}"
    return {
        **{name: run[name] for name in ("owner", "process", "arguments") if name in run},
        "is_gate": is_gate,
        "outcome": outcome if is_finished else None,
    }


def _named(run: Mapping[str, Any]) -> str:
    return f"process {run.get('process', '?')} ({short(str(run.get('arguments', 'pytest')))})"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time read and replace what is in a folder; the lock dies with it.

    Raises:
        TimeoutError: another process does not give it back.
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
