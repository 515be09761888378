"""Finds who committed each waiver, by `git blame` of the lines of its entry.

``approved_by`` is a name that anybody can type; the report shows the committer beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pytest_supercache.gate.git import git
from pytest_supercache.gate.known import KnownIssue

_IS_SHALLOW = "--is-shallow-repository"
_UNCOMMITTED = "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Committed:
    """The last commit that touched an entry; an empty ``commit`` means uncommitted changes."""

    commit: str = ""
    author: str = ""
    on: str = ""  # a date, UTC

    def __str__(self) -> str:
        if not self.commit:
            return "not committed"
        return f"committed by {self.author} on {self.on} ({self.commit[:10]})"


def committers(path: Path, issues: Sequence[KnownIssue], root: Path) -> dict[str, Committed]:
    """Return the last commit of each issue, by its id; empty without git or a repository.

    In an untracked or ignored file, every issue counts as uncommitted. So it does in a file
    outside of any repository, if ``root``, the root of the project, is in one.
    """
    if not issues:
        return {}
    lines = _blamed(path)
    if not lines and _is_untracked(path, root):
        return {issue.id: Committed() for issue in issues}
    starts = sorted(issue.line for issue in issues)
    found = {}
    for issue in issues:
        end = min(
            (start for start in starts if start > issue.line), default=max(lines, default=0) + 1
        )
        own = [lines[number] for number in range(issue.line, end) if number in lines]
        if own:
            found[issue.id] = max(own)[1]
    return found


def _is_untracked(path: Path, root: Path) -> bool:
    is_in_repository = any(
        git(folder, "rev-parse", "--is-inside-work-tree") == "true"
        for folder in (path.parent, root)
    )
    return is_in_repository and not git(path.parent, "ls-files", "--", path.name)


def _blamed(path: Path) -> dict[int, tuple[float, Committed]]:
    """Return the time and commit of each line that is not blank; a later time is larger."""
    text = git(path.parent, "blame", "--line-porcelain", "--", path.name) or ""
    if "\nboundary\n" in text and git(path.parent, "rev-parse", _IS_SHALLOW) == "true":
        return {}  # whoever made the oldest commit of a shallow clone did not write all of it
    found: dict[int, tuple[float, Committed]] = {}
    commit, number, facts = "", 0, dict[str, str]()
    for line in text.splitlines():
        if line.startswith("\t"):
            said = line.strip()
            if said and not said.startswith("#"):
                found[number] = _entry(commit, facts)
            facts = {}
        elif len(words := line.split()) >= 3 and len(words[0]) >= 40 and not facts:
            commit, number, facts = words[0], int(words[2]), {"": ""}
        else:
            name, _, value = line.partition(" ")
            facts[name] = value
    return found


def _entry(commit: str, facts: Mapping[str, str]) -> tuple[float, Committed]:
    if commit.startswith(_UNCOMMITTED):
        return float("inf"), Committed()
    at = float(facts.get("committer-time", "0"))
    try:
        day = str(datetime.fromtimestamp(at, UTC).date())
    except (ValueError, OverflowError, OSError):  # whoever commits says when
        day = "a day that there is not"
    return at, Committed(commit=commit, author=facts.get("author", "unknown"), on=day)
