"""Rules of the gate that a run does not read: they lie in other folders than pytest's root.

Which folder is pytest's root depends on its arguments and on where an ini file lies. Rules on the
way from there to the files that are run, or to where pytest was started, may be those that are
meant; so may those above a root that has none. They are not mixed: a run has the rules of its
root, and is refused where others would ask for more.

Links have two ways: the one that was written, and the one to where they lead. Both are looked at.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.known import KnownIssue
from pytest_supercache.gate.paths import uncovered
from pytest_supercache.gate.project import KNOWN_ISSUES, LOCK, is_of_the_gate, read_rules
from pytest_supercache.gate.project_table import SETTINGS, read_table
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.rules_apart import is_more_severe

_FILES = (LOCK, KNOWN_ISSUES, SETTINGS)
_REPOSITORIES = (".git", ".hg", ".svn", ".jj")
_NEVER_LESS = {
    "release", "minimum_severity", "known_issues", "gate", "uncollected", "report", "build", "seed",
    "odds", "traffic", "step_timeout", "time", "executions",
}  # fmt: skip
"""Settings that are compared otherwise, or of which no value lets more through."""
_BOUNDS = {"ticks", "memory", "polls", "preemptions", "search", "faults"}
"""Settings that may make the search less where a folder leaves them at their default."""


def refuse_unread_rules(root: Path, starts: Iterable[Path], known_issues: str | None) -> None:
    """Refuse a root whose rules let more through than others above it or on the way to ``starts``.

    Raises:
        SupercacheError: a file of the gate would not be read.
    """
    for file, why in unread_rules(root, starts, known_issues):
        raise SupercacheError(
            f"{file} would not be read: pytest's root is {root}; {why}; give "
            f"--rootdir={file.parent}, or start pytest in the folder that is meant; if its root is "
            "above nevertheless, put an empty [tool.pytest.ini_options] into its pyproject.toml"
        )


def unread_rules(
    root: Path, starts: Iterable[Path], known_issues: str | None = None
) -> Iterator[tuple[Path, str]]:
    """Yield each file of the gate that asks for more than those of the root, and for what.

    ``known_issues`` is the file of waivers that the run was told to use.
    """
    for folder, base in _folders(root, list(starts)).items():
        for name in _FILES:
            why = _why_it_counts(name, folder, base, known_issues)
            if why:
                yield folder / name, why
    if not any(_presence(root / name) for name in _FILES):
        for folder in _above(Path(os.path.realpath(root))):
            for name in _FILES:
                if why := _presence(folder / name):
                    yield folder / name, f"{why}; {_NONE_BELOW}"


_THERE = "it is there"
_NONE_BELOW = (
    "there are no rules in the root (if that is a project of its own, it needs a "
    "[tool.supercache] in its pyproject.toml)"
)


def _folders(root: Path, starts: list[Path]) -> dict[Path, Path]:
    """Return the folders on the way to where something is run, each with the root to compare."""
    found: dict[Path, Path] = {}
    for start in starts:
        start = start if start.is_dir() else start.parent
        real = [Path(os.path.realpath(path)) for path in (root, start)]
        for base, end in ((root, start), (real[0], real[1])):
            found |= {folder: base for folder in _between(base, end) if folder != real[0]}
    return found


def _between(root: Path, start: Path) -> Iterator[Path]:
    """Yield the folders on the way from the root to another one, without the root."""
    common = Path(os.path.commonpath([root, start]))
    for end in (start, root):
        for folder in (end, *end.parents):
            if folder == common:
                break
            if folder != root:
                yield folder
    if common != root:
        yield common


def _above(root: Path) -> Iterator[Path]:
    """Yield the folders above the root, up to the top of its repository."""
    for folder in (root, *root.parents):
        if folder != root:
            yield folder
        if any(os.path.lexists(folder / name) for name in _REPOSITORIES):
            return


def _presence(file: Path) -> str:
    """Say that a file is there and about the gate, or may be: nobody knows of one without TOML."""
    try:
        return _THERE if is_of_the_gate(file) else ""
    except SupercacheError as error:
        return f"it may have rules and cannot be read ({error})"


def _why_it_counts(name: str, folder: Path, root: Path, known_issues: str | None) -> str:
    """Say what a file of a folder asks for and those of the root do not; nothing if there is none.

    One that lies above the root belongs to another project if the root has its own.
    """
    why = _presence(folder / name)
    if why != _THERE:
        return why
    if not _presence(root / name):
        return "there is none in it"
    return "" if root.is_relative_to(folder) else _what_more(name, folder, root, known_issues)


def _what_more(name: str, folder: Path, root: Path, known_issues: str | None) -> str:
    try:
        return next(_more(name, folder, root, known_issues), "")
    except SupercacheError as error:
        return f"it cannot be compared with the one there: {error}"


def _more(name: str, folder: Path, root: Path, known_issues: str | None) -> Iterator[str]:
    """Yield what a file of a folder asks for, and that of the root does not."""
    today = datetime.now(UTC).date()
    own, there = read_table(folder), read_table(root)
    rules, used = read_rules(folder, own, today), read_rules(root, there, today, known_issues)
    if name == LOCK:
        yield from _more_scenarios(rules, used, Path(os.path.relpath(folder, root)).as_posix())
    else:
        if name == SETTINGS:
            yield from _more_settings(rules, used, own, there)
        if name == KNOWN_ISSUES or "known_issues" in own:
            known = {_waiver(issue) for issue in rules.issues}
            yield from (
                f"{one.id} is waived there only" for one in used.issues if _waiver(one) not in known
            )


def _waiver(issue: KnownIssue) -> tuple[object, ...]:
    days = issue.opened, issue.expires
    return issue.match, issue.systems, issue.workaround_checked_by, *days


def _more_scenarios(rules: Rules, used: Rules, folder: str) -> Iterator[str]:
    if rules.lock_fault:
        yield rules.lock_fault
    there = used.lock or {}
    for name, counts in (rules.lock or {}).items():
        line = _from_root(name, folder)
        if line not in there:
            yield f"{line} is not in the lock there"
        elif counts and not there[line]:
            yield f"{line} does not count in the lock there"
    paths = [os.path.normpath(f"{folder}/{path}") for path in rules.lock_paths]
    for path in uncovered(used.lock_paths, paths):
        yield f"the lock there is not about {path}"


def _from_root(name: str, folder: str) -> str:
    """Write a line of a lock as one of the root: Python tests stand in it by node id."""
    return f"{folder}/{name}" if "::" in name else name


def _more_settings(
    rules: Rules, used: Rules, own: Mapping[str, Any], there: Mapping[str, Any]
) -> Iterator[str]:
    lost = [name for name in rules.release if name not in used.release]
    if lost:
        yield f"{', '.join(lost)} does not ship there (release)"
    if is_more_severe(used.minimum_severity, rules.minimum_severity):
        yield f"minimum_severity is {used.minimum_severity} there"
    for name in sorted({*own, *(_BOUNDS & set(there))} - _NEVER_LESS):
        if own.get(name) != there.get(name):
            yield f"{name} is another one there"
