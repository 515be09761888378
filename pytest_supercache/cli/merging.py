"""``supercache merge``: makes one verdict of those of all shards, and decides from it."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from pytest_supercache.cli.gating import (
    PlaceAndRules,
    ends_with_1_only_for_no_go,
    max_age_option,
    mistakes_exit_2,
    project_here,
    run_id_option,
    waivers_option,
)
from pytest_supercache.cli.reading import read_document
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import DOCUMENT_BYTES_MAX, size_text
from pytest_supercache.gate.checkout import checkout_of, reports_among
from pytest_supercache.gate.documents import DRAFTS
from pytest_supercache.gate.freshness import Asked, doubts_of, doubts_of_time
from pytest_supercache.gate.git import folder_in_repository
from pytest_supercache.gate.merge import identity, merge_shards
from pytest_supercache.gate.place import way_to_root
from pytest_supercache.gate.policy import Decision, decide
from pytest_supercache.gate.rules_apart import weaker
from pytest_supercache.gate.same_id import later_beside, others_beside, write_beside_others
from pytest_supercache.gate.screen import REASONS_SHOWN, gate_part, screen
from pytest_supercache.gate.shards import SHARDS_MAX
from pytest_supercache.gate.unmarked import forget_other_notes, note_unmarked
from pytest_supercache.report import allure_folder
from pytest_supercache.report.folder import MADE, PAGE, forget_reproducers, write_reports
from pytest_supercache.report.last_run import last_run
from pytest_supercache.report.run_folders import VERDICT, forget_old_runs, new_folder
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_json import verdict_document, write_whole

_WRONG_SHOWN = 20
_RESULTS = "allure-results"


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@max_age_option
@run_id_option
@waivers_option
@ends_with_1_only_for_no_go
@mistakes_exit_2
def merge(
    files: tuple[Path, ...], max_age: float, run_id: str | None, known_issues: str | None
) -> None:
    """Decide from the verdict.json FILEs of all shards of one run (--supercache-shard=I/N).

    The shards must be of one commit, by the same rules, bounds and versions, and all of them must
    be there, each once. The result is reports/verdict.json with its page and drafts, as of one run.

    Exit status: that of `supercache verdict`: 0 GO, 1 NO-GO, 6 NO VERDICT; 2 for a wrong call.
    """
    here = project_here(known_issues)
    _refuse(files, here.verdict_file)
    _begin(here.verdict_file, run_id)
    documents, unread = _read(files)
    unread += _older_than_others(documents)
    document = merge_shards(documents, unread)
    asked = _asked(here, files, document, max_age, run_id)
    moments = {str(one["when"]) for one in documents.values() if one.get("when")}
    doubts = [
        *(said for when in sorted(moments) for said in doubts_of_time(when, asked)),
        *doubts_of(document, asked),
        *weaker(document, here.rules),
        *_of_another_project(document, here.place.root),
    ]
    decision = _write(here, document, list(dict.fromkeys(doubts)))
    click.echo("\n".join(_said(here, document, decision)))
    sys.exit(decision.exit_status)


def _refuse(files: Sequence[Path], target: Path) -> None:
    """Refuse files that the merge would overwrite, or too many of them.

    Raises:
        SupercacheError: the call is wrong.
    """
    if len(files) > SHARDS_MAX:
        raise SupercacheError(f"merge: {len(files):,} files; expected at most {SHARDS_MAX:,}")
    if any(os.path.realpath(path) == os.path.realpath(target) for path in files):
        raise SupercacheError(
            f"merge: {target} is where the merged verdict goes; let the shards write elsewhere "
            "(--supercache-report=reports/shard-1), or copy them"
        )
    size = sum(path.stat().st_size for path in files if path.is_file())
    if size > DOCUMENT_BYTES_MAX:
        raise SupercacheError(f"merge: the files have more than {size_text(DOCUMENT_BYTES_MAX)}")


def _begin(path: Path, run_id: str | None) -> None:
    """Replace the last verdict by a mark: a merge that is killed leaves no old GO behind."""
    own = identity(run_id, [f"{os.getpid()} {datetime.now(UTC)}"])
    try:
        write_beside_others(path, (), {"run": {**own, **_process(), "finished": False}})
    except OSError:
        if run_id:
            note_unmarked(path, run_id)
        raise
    forget_other_notes(path, own["id"])
    for name in (PAGE, *MADE, *DRAFTS, *allure_folder.MADE):
        (path.parent / name).unlink(missing_ok=True)
    allure_folder.forget_verdict(path.parent / _RESULTS)
    forget_reproducers(path.parent)


def _process() -> dict[str, Any]:
    return {"process": os.getpid(), "arguments": "supercache merge"}


def _read(files: Iterable[Path]) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """Return the documents of the files, by name, and complaints about those without one."""
    documents, unread = dict[str, Mapping[str, Any]](), list[str]()
    for path in files:
        try:
            if str(path) in documents:
                unread.append(f"{path} is given twice")
            documents[str(path)] = read_document(path)
        except SupercacheError as error:
            unread.append(str(error))
    return documents, unread


def _older_than_others(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a complaint about each file of a run beside which a later one has not ended well."""
    runs = [run for one in documents.values() if isinstance(run := one.get("run"), Mapping)]
    owners = [run.get("owner") for run in runs]
    for name, document in documents.items():
        for said in later_beside(Path(name), document, owners):
            yield f"{name}: {said}"


def _asked(
    here: PlaceAndRules,
    files: Iterable[Path],
    document: dict[str, Any],
    max_age: float,
    run_id: str | None,
) -> Asked:
    """Return what the verdict must match; the files of shards beside it are no changes."""
    now, root = datetime.now(UTC), here.place.root
    checkout = checkout_of(root, here.verdict_file.parent)
    if document.get("changes") is not None:
        reports = reports_among(checkout, root, files)
        document["changes"] = {**document["changes"], **dict.fromkeys(reports)}
    return Asked(
        now=now, stamped=now, hours_max=max_age, run_id=run_id, commit=checkout.commit,
        changes=checkout.changes, why_unknown=checkout.why_unknown, is_refused=checkout.is_refused,
    )  # fmt: skip


def _of_another_project(document: Mapping[str, Any], root: Path) -> Iterator[str]:
    """Yield a complaint if the shards are of another project of the repository."""
    there, own = document["run"]["merge"]["folder"], folder_in_repository(root)
    if there is not None and own is not None and there != own:
        yield (
            f"the shards are of the project in {there} of the repository, and this is the one in "
            f"{own}; merge them there"
        )


def _write(here: PlaceAndRules, document: dict[str, Any], doubts: list[str]) -> Decision:
    """Decide, and write the verdict with everything that is made from it; return the decision."""
    path, root = here.verdict_file, here.place.root
    own = new_folder(path.parent, datetime.now(UTC), document.get("build"))
    run = {**document["run"], **_process(), "root": way_to_root(path, root)}
    document |= {"run": run, "last_run": last_run(own)}
    run["own_verdict"] = decide(document, here.rules, doubts).verdict.value
    run["others"] = others_beside(path, run, None)
    decision = decide(document, here.rules, doubts)
    document["gate"] = gate_part(decision, document, here.rules)
    rows = document["scenarios"]
    write_beside_others(path, rows, {**document, "run": {**run, "finished": False}})
    shown = verdict_document(rows, document)
    for folder in (own, path.parent):
        write_reports(shown, folder, root)
        for name, draft in DRAFTS.items():
            write_whole(folder / name, draft(document, decision, here.rules))
    _, text = write_beside_others(path, rows, document)
    write_whole(own / VERDICT, text)
    forget_old_runs(own)
    return decision


def _said(here: PlaceAndRules, document: Mapping[str, Any], decision: Decision) -> list[str]:
    """Return the lines of the screen, and further reasons why the shards are not of one run."""
    lines = screen(decision, document, here.rules)
    wrong = document["run"]["merge"]["wrong"][REASONS_SHOWN:]
    more = len(wrong) - _WRONG_SHOWN
    lines += [f"  shards: {short(said)}" for said in wrong[:_WRONG_SHOWN]]
    lines += [f"  shards: and {more} more in verdict.json"] if more > 0 else []
    return [*lines, f"written: {here.verdict_file}"]
