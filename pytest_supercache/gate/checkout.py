"""Identifies the state of the project: the commit, and the uncommitted changes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from pytest_supercache.core.masking import masked
from pytest_supercache.gate.documents import DRAFTS
from pytest_supercache.gate.git import GitOutput, NoAnswerError, ask, git, is_repository
from pytest_supercache.gate.project_table import LOCK
from pytest_supercache.gate.work_tree import NOT_THERE, WorkTree, differing, written_since
from pytest_supercache.report import allure_folder
from pytest_supercache.report.folder import MADE, PAGE
from pytest_supercache.report.run_folders import RUNS, VERDICT
from pytest_supercache.scenario.names import is_scenario_file

FILES_MAX = 1_000
"""The number of files with a digest each; all others share one digest."""

NO_COMMIT = "none yet"
"""Stands for the commit in a repository that has none: all files are changes."""

_WRITTEN = frozenset({VERDICT, PAGE, *MADE, *DRAFTS, *allure_folder.MADE})
_RESULTS = "allure-results"
_REPRODUCER = "repro_"

Changes = Mapping[str, str | None]
"""Digests by path; None for a file that was written during the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A state of the project; ``changes`` is None if git fails, ``commit`` also without git."""

    commit: str | None = None
    why_unknown: str = ""  # what git said instead of the commit, or of the changes
    is_refused: bool = False  # there is a repository, and git does not answer for it
    changes: Changes | None = None
    untracked: frozenset[str] = frozenset()  # the changed files that git does not have

    def part(self) -> dict[str, Any]:
        """Return what ``verdict.json`` records of the checkout."""
        if self.commit is None:
            return {}
        if self.changes is None:
            return {"commit": self.commit, "dirty": None, "changes": None}
        is_dirty = any(digest not in {None, NOT_THERE} for digest in self.changes.values())
        return {"commit": self.commit, "dirty": is_dirty, "changes": few(self.changes)}


def checkout_of(folder: Path, reports: Path) -> Checkout:
    """Return the state of the repository around a folder, without our own reports."""
    head = ask(folder, "rev-parse", "HEAD")
    commit = head.text or _before_the_first(folder, head)
    if commit is None:
        why = head.why or "it says nothing"
        return Checkout(why_unknown=why, is_refused=is_repository(folder))
    try:
        tree = differing(folder)
    except NoAnswerError as error:  # it may be slow: then nobody knows what is changed
        return Checkout(commit=commit, why_unknown=str(error), is_refused=error.is_error)
    top, reports, folder = tree.top.resolve(), reports.resolve(), folder.resolve()
    if not folder.is_relative_to(top):
        why = f"it answers for {top}, in which {folder} is not"
        return Checkout(why_unknown=why, is_refused=True)
    own = {name for name in tree.files if _is_own(top / name, reports, folder)}
    own |= _beside_own(tree, top, reports, folder)
    return Checkout(
        commit=commit,
        changes={masked(name): told for name, told in tree.files.items() if name not in own},
        untracked=frozenset(map(masked, tree.untracked - own)),
    )


def _before_the_first(folder: Path, head: GitOutput) -> str | None:
    """Return the text that stands for the commit in a repository without commits, else None."""
    if not head.is_error:
        return None
    status = ask(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no")
    return NO_COMMIT if "# branch.oid (initial)" in (status.text or "").splitlines() else None


def written_files(folder: Path, reports: Path, moment: int) -> list[str]:
    """Return the files of the enclosing work tree that were written after ``moment`` (in ns).

    Our own reports are left out.
    """
    found = written_since(folder, moment)
    if found is None:
        return []
    top, reports, folder = found[0].resolve(), reports.resolve(), folder.resolve()
    if not folder.is_relative_to(top):
        return []
    return sorted(masked(name) for name in found[1] if not _is_own(top / name, reports, folder))


def _is_own(path: Path, reports: Path, folder: Path) -> bool:
    """Say whether a run writes a path as its report; the folder of reports may be the project's."""
    place = _place_of_report(path, reports)
    if path.parent == place and path.name in _WRITTEN:
        return True
    if folder.is_relative_to(reports):
        return False
    is_reproducer = path.parent == place and path.name.startswith(_REPRODUCER)
    is_of_allure = any(path.is_relative_to(place / n) for n in (_RESULTS, allure_folder.HISTORY))
    return is_reproducer or is_of_allure


def reports_among(here: Checkout, folder: Path, verdicts: Iterable[Path]) -> list[str]:
    """Return the new files of a checkout that are reports beside one of the given verdicts.

    Args:
        here: the checkout around ``folder``.
        folder: the root of the project.
        verdicts: files of other runs, which may have any name.
    """
    top = git(folder, "rev-parse", "--show-toplevel")
    if top is None or not here.untracked:
        return []
    files = {path.resolve() for path in verdicts}
    places, folder = {path.parent for path in files}, folder.resolve()
    return [
        name
        for name in sorted(here.untracked)
        if (path := Path(top).resolve() / name) in files
        or any(_is_own(path, place, folder) for place in places)
    ]


def _place_of_report(path: Path, reports: Path) -> Path:
    """Return the folder of reports, or that of the run in it, in which a path may be a report."""
    runs = reports / RUNS
    below = path.relative_to(runs).parts if path.is_relative_to(runs) else ()
    return runs / below[0] if below else reports


def _beside_own(tree: WorkTree, top: Path, reports: Path, folder: Path) -> set[str]:
    """Return the new files that are other tools' reports: they lie among ours, where no code is.

    Where a module or a scenario lies in the folder of reports, other files there may be its data.
    """
    if folder.is_relative_to(reports) or not reports.is_relative_to(top):
        return set()
    new = {name for name in tree.untracked if (top / name).is_relative_to(reports)}
    listed = git(top, "ls-files", "-z", "--", f":(literal){reports.relative_to(top).as_posix()}")
    if listed is None or any(map(_is_source, [*new, *listed.split("\0")])):
        return set()
    return {name for name in new if not name.endswith(".py")}


def _is_source(name: str) -> bool:
    """Say whether a file among the reports is a module that no run writes, or a scenario."""
    name = name.rpartition("/")[2]
    is_module = name.endswith(".py") and not name.startswith(_REPRODUCER)
    return is_module or is_scenario_file(name)


def meanwhile(began: Checkout, ended: Checkout) -> tuple[Checkout, list[str]]:
    """Return the checkout that a run has tested, and the paths that changed meanwhile.

    An untracked file may be an output of the run, so it is no change, and later comparisons skip
    it; but not code that was there before.
    """
    if began.changes is None or ended.changes is None or began.commit != ended.commit:
        are_known = None not in {began.commit, ended.commit}
        changed = ["HEAD"] if are_known and began.commit != ended.commit else []
        return Checkout(commit=began.commit), changed
    apart = {
        name
        for name in {*began.changes, *ended.changes}
        if began.changes.get(name) != ended.changes.get(name)
    }
    new = apart & (began.untracked | ended.untracked)
    written = {name for name in new if not (name in began.changes and _is_code(name))}
    changes = {**began.changes, **dict.fromkeys(written)}
    return Checkout(commit=began.commit, changes=changes), sorted(apart - written)


def _is_code(name: str) -> bool:
    """Say whether a file is a module, a scenario or settings, which runs read and do not write."""
    return name.endswith((".py", ".toml", ".ini", ".cfg")) or is_scenario_file(name)


def written_later(tested: Checkout, later: Checkout) -> Checkout:
    """Return the state that a run has tested, without the new files that were written later."""
    if tested.changes is None or later.changes is None:
        return tested
    written = {
        name
        for name in later.untracked
        if later.changes[name] != tested.changes.get(name, "")
        and not (tested.changes.get(name) is not None and _is_code(name))
    }
    return replace(tested, changes={**tested.changes, **dict.fromkeys(written)})


def others(tested: Changes, here: Changes) -> Iterator[str]:
    """Yield the paths whose uncommitted changes differ from the tested ones.

    The lock is left out: it is compared as a rule.
    """
    here = few({name: told for name, told in here.items() if tested.get(name, "") is not None})
    for name in sorted({*tested, *here}):
        if tested.get(name) != here.get(name) and name.rpartition("/")[2] != LOCK:
            yield name


def few(changes: Changes) -> dict[str, str | None]:
    """Bound the list of changes: one digest each for some files, one for all the rest."""
    kept = sorted(
        changes.items(), key=lambda item: (item[1] is None, item[1] == NOT_THERE, item[0])
    )
    told, rest = kept[:FILES_MAX], [item for item in kept[FILES_MAX:] if item[1] is not None]
    if rest:
        digest = sha256(repr(rest).encode()).hexdigest()
        told = [item for item in told if item[1] is not None]
        told.append((f"and {len(rest)} more files", digest))
    return dict(told)
