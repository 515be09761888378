"""Finds rules of the gate that a run does not read, because they lie outside of pytest's root.

Which folder is pytest's root depends on its arguments and on the place of the ini file. Rules in a
folder between the root and the files that are run, or the folder where pytest was started, may be
the intended ones; so may those above a root that has none. They are not merged: a run has the rules
of its root, and is refused if the others are stricter.

A symbolic link gives two paths, the written and the resolved one. Both are checked.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.always_on import FILES, above, between, has_rules
from pytest_supercache.gate.known import KnownIssue
from pytest_supercache.gate.paths import uncovered
from pytest_supercache.gate.project import read_rules
from pytest_supercache.gate.project_table import (
    KNOWN_ISSUES,
    LOCK,
    SETTINGS,
    is_of_the_gate,
    read_table,
)
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.rules_apart import is_more_severe

_NEVER_LESS = {
    "release", "minimum_severity", "known_issues", "gate", "uncollected", "absent", "report",
    "build", "seed", "odds", "traffic", "link_patterns", "step_timeout", "time", "executions",
}  # fmt: skip
"""Settings that are compared elsewhere, or that are not laxer with any value."""
_BOUNDS = {"ticks", "memory", "polls", "preemptions", "search", "faults"}
"""Settings that may reduce the search if a folder leaves them at their default."""


def refuse_unread_rules(root: Path, starts: Iterable[Path], known_issues: str | None) -> None:
    """Refuse a root with laxer rules than others above it or on the way to ``starts``.

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
    """Yield each file of the gate that is stricter than those of the root, and how.

    ``known_issues`` is the file of waivers that the run was told to use.
    """
    for folder, base in _folders(root, list(starts)).items():
        for name in FILES:
            why = _why_it_counts(name, folder, base, known_issues)
            if why:
                yield folder / name, why
    if not has_rules(root):
        for folder in above(Path(os.path.realpath(root))):
            for name in FILES:
                if why := _presence(folder / name):
                    yield folder / name, f"{why}; {_NONE_BELOW}"


_THERE = "it is there"
_NONE_BELOW = (
    "there are no rules in the root (if that is a project of its own, it needs a "
    "[tool.supercache] in its pyproject.toml)"
)


def _folders(root: Path, starts: list[Path]) -> dict[Path, Path]:
    """Return the folders on the way to each start, each with the root to compare with."""
    found: dict[Path, Path] = {}
    for start in starts:
        start = start if start.is_dir() else start.parent
        real = [Path(os.path.realpath(path)) for path in (root, start)]
        for base, end in ((root, start), (real[0], real[1])):
            found |= {folder: base for folder in between(base, end) if folder != real[0]}
    return found


def _presence(file: Path) -> str:
    """Say that a file configures the gate, or may do so if it is not valid TOML; else ""."""
    try:
        return _THERE if is_of_the_gate(file) else ""
    except SupercacheError as error:
        return f"it may have rules and cannot be read ({error})"


def _why_it_counts(name: str, folder: Path, root: Path, known_issues: str | None) -> str:
    """Say how a file of a folder is stricter than those of the root; "" if it is not.

    A file above the root belongs to another project if the root has its own.
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
    """Yield each demand of a folder's file that the root's file does not have."""
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
    """Return a line of a lock relative to the root: Python tests are listed by node id."""
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
