"""Marks the beginning of a gate run: the last verdict is replaced by "begun and not finished".

This happens before conftest files are imported, so that a run which crashes in them, or in wrong
settings, leaves no GO of an earlier run behind.
"""

import errno
import os
import secrets
from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import InputError
from pytest_supercache.core.lifeline import interrupt_when_orphaned
from pytest_supercache.gate import place, project_table
from pytest_supercache.gate.run_id import RUN_ID, known_as
from pytest_supercache.plugin.exit_status import MARKED_BY, is_asked, is_listing
from pytest_supercache.plugin.project_state import look_early, note_start
from pytest_supercache.plugin.project_table import read_table
from pytest_supercache.plugin.run_folder import looks_again

_IS_WORKER = "PYTEST_XDIST_WORKER"
CONTROLLER = "SUPERCACHECONTROLLER"  # which process has marked which folder
_MARKED: pytest.StashKey[Path] = pytest.StashKey()
_ID: pytest.StashKey[str] = pytest.StashKey()
_NUMBER: pytest.StashKey[str] = pytest.StashKey()
_OTHERS: pytest.StashKey[list[dict[str, Any]]] = pytest.StashKey()
_SHOWN_MAX = 200  # characters of a command line


def mark_if_asked(config: pytest.Config) -> bool:
    """Mark the last verdict if this becomes a gate run, and say whether it does.

    A worker of xdist leaves that to its controller. Any process can set the variable that says so,
    so only a child of the process that made the mark is believed.

    Raises:
        UsageError: the verdict cannot be marked.
    """
    options = config.known_args_namespace
    table = read_table(config.rootpath)
    if not is_asked(config, options, table):
        return False
    folder = report_folder(config, options, table)
    if _IS_WORKER in os.environ and os.environ.get(CONTROLLER) == f"{os.getppid()} {folder}":
        interrupt_when_orphaned()  # as early as can be: imports take their time
        return False
    mark(config, options, folder)
    look_early(config, folder)
    _tell_workers(config, f"{os.getpid()} {folder}")
    return True


class Presence:
    """Detects that the gate is on and the plugin is disabled (``-p no:supercache``)."""

    def __init__(self, plugin: object) -> None:
        self._plugin = plugin

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        """Refuse a run whose gate is on while the plugin is disabled.

        Raises:
            UsageError: nothing would be decided.
        """
        if early_config.pluginmanager.is_registered(self._plugin):
            return
        if mark_if_asked(early_config):
            raise pytest.UsageError(
                "gate: the plugin is switched off (-p no:supercache), so nothing would be "
                "decided; leave out one of them"
            )


def _tell_workers(config: pytest.Config, who: str) -> None:
    """Announce this process as the controller to its children, until the run is over."""
    before = os.environ.get(CONTROLLER)
    os.environ[CONTROLLER] = who

    def come_back() -> None:
        if before is None:
            os.environ.pop(CONTROLLER, None)
        else:
            os.environ[CONTROLLER] = before

    config.add_cleanup(come_back)


def mark_once(config: pytest.Config, folder: Path) -> None:
    """Mark the last verdict unless that was done before conftest files were imported.

    Raises:
        UsageError: the verdict cannot be marked.
    """
    if config.stash.get(_MARKED, None) != folder:
        mark(config, config.option, folder)


def mark(config: pytest.Config, options: Namespace, folder: Path) -> None:
    """Replace the last verdict by an empty one, and remove the reports that show it.

    Raises:
        UsageError: that fails; the files that stay are of an older run.
    """
    from pytest_supercache.gate.unmarked import forget_other_notes

    path = folder / "verdict.json"
    try:
        write_own(config, path, (), {"run": {"finished": False, **identity(config, is_gate=True)}})
    except OSError as error:
        stays = _without_mark(config, path)
        with suppress(OSError):
            forget_last_run(config, options, folder)
        raise pytest.UsageError(
            f"gate: {path} cannot be marked as begun: {error}{stays}{_hint(error)}"
        ) from error
    try:
        forget_last_run(config, options, folder)
    except OSError as error:
        raise pytest.UsageError(
            f"gate: what an older run left cannot be removed: {error}"
        ) from error
    forget_other_notes(path, config.stash[_ID])
    config.stash[_MARKED] = folder
    config.stash.setdefault(MARKED_BY, os.getpid())


def _hint(error: OSError) -> str:
    """Return advice if the folder is not writable, else ""."""
    if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return ""
    return "; give a folder that can be written (--supercache-report=DIR)"


def mark_without_gate(config: pytest.Config, options: Namespace, folder: Path) -> bool:
    """Record that a run without the gate has begun, if other runs may have its id.

    Otherwise a killed run would leave another run's verdict. A gate run's verdict is left alone.
    """
    from pytest_supercache.gate.same_id import OfGateRunError

    run = identity(config, is_gate=False)
    if is_listing(options) or run["id"] == run["owner"]:
        return False
    with suppress(OfGateRunError, OSError):  # the end of the run says so
        write_own(config, folder / "verdict.json", (), {"run": {"finished": False, **run}})
        return True
    return False


def announce(config: pytest.Config) -> None:
    """Record that a run has begun, before pytest has loaded anything else.

    Only the words of the command line are known yet. The mark itself reports errors later.
    """
    note_start(config)
    given = config.invocation_params.args
    if "--supercache-gate" not in given or _IS_WORKER in os.environ:
        return
    from pytest_supercache.gate.elsewhere import record_elsewhere

    run = {**identity(config, is_gate=True), "finished": False}
    if run["id"] == run["owner"]:
        return
    for file in _read_from(config.invocation_params.dir):
        with suppress(OSError):
            record_elsewhere(file, run, is_any_meant=False)


def _without_mark(config: pytest.Config, path: Path) -> str:
    """Remove or empty the last verdict if no mark can be written, and say what stays.

    On a full disk the file can be removed; in a read-only folder it may still be emptied. If
    neither works, the id is noted elsewhere.
    """
    with suppress(OSError):
        path.unlink(missing_ok=True)
        return ""
    with suppress(OSError):
        path.write_text("")
        return "; what was there is emptied"
    _note_elsewhere(config, path)
    return "; what is there is of an older run and decides nothing"


def _note_elsewhere(config: pytest.Config, path: Path) -> None:
    """Note outside of a folder that its verdict is of an older run of this id."""
    if config.stash[_ID] != config.stash[_NUMBER]:
        from pytest_supercache.gate.unmarked import note_unmarked

        note_unmarked(path, config.stash[_ID])


def forget_last_run(config: pytest.Config, options: Namespace, folder: Path) -> None:
    """Remove the reports that show the last verdict of a folder."""
    from pytest_supercache.gate.documents import DRAFTS
    from pytest_supercache.plugin.allure_results import OWN, folder_of_allure
    from pytest_supercache.report import allure_folder
    from pytest_supercache.report.folder import MADE, PAGE

    for name in (PAGE, *MADE, *DRAFTS, *allure_folder.MADE):
        (folder / name).unlink(missing_ok=True)
    for results in {folder / OWN, folder_of_allure(config, options) or folder / OWN}:
        allure_folder.forget_verdict(results)


def report_folder(config: pytest.Config, options: Namespace, table: dict[str, Any]) -> Path:
    """Return the folder of reports; a relative name is relative to the project's root.

    Raises:
        UsageError: no folder can have that name.
    """
    named = getattr(options, "supercache_report", None)
    try:
        asked = named or config.getini("supercache_report")
        return place.report_folder(config.rootpath, table, asked)
    except InputError as error:
        raise pytest.UsageError(f"{error}") from error


def identity(config: pytest.Config, *, is_gate: bool) -> dict[str, Any]:
    """Return the fields that identify this run, also among those of the same id.

    The id is the one that the caller sets, or a number of its own.
    """
    number = config.stash.setdefault(_NUMBER, secrets.token_hex(8))
    return {
        "id": config.stash.setdefault(_ID, known_as(os.environ.get(RUN_ID) or number)),
        "owner": number,
        "process": os.getpid(),
        "arguments": _call(config)[:_SHOWN_MAX],
        "is_gate": is_gate,
    }


def _call(config: pytest.Config) -> str:
    """Return the command line of pytest; values of options may be secrets, and are left out."""
    given = [str(argument) for argument in config.invocation_params.args]
    names = [each.partition("=")[0] if each.startswith("--") else each[:2] for each in given]
    options = [name for name in names if name.startswith("-")]
    return " ".join(["pytest", *options, *map(str, config.args)])


def refuse_empty_id() -> None:
    """Refuse an id that is set and empty: the variable of CI was never filled.

    Raises:
        UsageError: it is empty; `supercache verdict` could not tell this run from older ones.
    """
    if not os.environ.get(RUN_ID, "an id").strip():
        raise pytest.UsageError(
            f"gate: {RUN_ID} is empty, so nobody could tell this run from an older one; give "
            "each run an id, or remove the variable"
        )


def write_own(
    config: pytest.Config, path: Path, rows: Iterable[Any], scope: Mapping[str, Any]
) -> str:
    """Write a verdict, merged with those of other runs that may have the same id; return it.

    Raises:
        OfGateRunError: this run is without the gate, and a gate run has the same id.
        OSError: the file cannot be written.
    """
    from pytest_supercache.gate.same_id import write_beside_others

    before = config.stash.get(_OTHERS, None)
    config.stash[_OTHERS], text = write_beside_others(path, rows, scope, before)
    if scope["run"]["is_gate"] or not is_listing(config.option):
        _record_elsewhere(config, path, scope["run"])
    return text


def wrote_last(config: pytest.Config, path: Path) -> bool:
    """Say whether this run was the last one to write a verdict.

    Raises:
        OSError: the file cannot be read.
        InputError: the file is no verdict.
    """
    from pytest_supercache.report.verdict_schema import read_verdict

    return (read_verdict(path).get("run") or {}).get("owner") == config.stash[_NUMBER]


def others_beside(config: pytest.Config, path: Path, run: Mapping[str, Any]) -> list[Any]:
    """Return the other runs of the same id that rule out a GO."""
    from pytest_supercache.gate import same_id

    return same_id.others_beside(path, run, config.stash.get(_OTHERS, None))


def _record_elsewhere(config: pytest.Config, path: Path, run: Mapping[str, Any]) -> None:
    """Record the run in each file that `supercache verdict` might read instead of this run's.

    Raises:
        OSError: such a file cannot be changed.
    """
    from pytest_supercache.gate.elsewhere import record_elsewhere

    started = config.invocation_params.dir
    options = config.known_args_namespace
    is_named = getattr(options, "supercache_report", None) is not None
    is_chosen = is_named or looks_again(options)
    told = {**run, "written_to": Path(os.path.relpath(path, started)).as_posix()}
    for file in _read_from(started, config.rootpath):
        if os.path.realpath(file) == os.path.realpath(path):
            continue
        try:
            record_elsewhere(file, told, is_any_meant=not is_chosen)
        except OSError:
            _note_elsewhere(config, file)
            raise


def _read_from(*folders: Path) -> set[Path]:
    """Return the files that `supercache verdict` reads if started in one of these folders."""
    found = set()
    for folder in folders:
        with suppress(SupercacheError):  # then it ends with this mistake
            there = place.place_from(folder)
            found.add(there.verdict_file(project_table.read_table(there.root)))
    return found
