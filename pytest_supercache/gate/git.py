"""Runs git in a folder; whatever git does not answer counts as unknown."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS_MAX = 10
_AS_IT_IS = (
    "--no-optional-locks", "--no-replace-objects",  # a commit is what its id says
    "-c", "core.fsmonitor=false", "-c", "core.checkStat=default", "-c", "core.trustctime=true",
    "-c", "core.excludesFile=",
)  # fmt: skip
"""Overrides of user settings that make git check fewer files, or less closely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOutput:
    """The output of git; None: there is none, and ``why`` says the reason."""

    output: bytes | None = None
    why: str = ""
    is_error: bool = False  # git has ended and said that something is wrong
    is_late: bool = False  # git was stopped before it had answered

    @property
    def text(self) -> str | None:
        """The output as text."""
        return None if self.output is None else self.output.decode(errors="replace").strip()


def ask(folder: Path, *words: str, given: bytes = b"") -> GitOutput:
    """Return the output of git in a folder, or why there is none; ``given`` is its input.

    Git is started only where it may find a repository: a run asks several times.
    """
    if not _may_be_in_repository(folder):
        return GitOutput(why=_NO_REPOSITORY, is_error=True)
    try:
        done = subprocess.run(
            ["git", *_AS_IT_IS, *words],
            cwd=folder, input=given, capture_output=True, check=True, timeout=_SECONDS_MAX,
            env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return GitOutput(why=f"no answer within {_SECONDS_MAX} seconds", is_late=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        why = said[0] if said else f"exit status {error.returncode}"
        return GitOutput(why=why, is_error=True)
    except OSError as error:
        return GitOutput(why=f"git cannot be started: {error.strerror or error}")
    return GitOutput(output=done.stdout)


class NoAnswerError(Exception):
    """Git has given no answer to a question that was necessary; the text says why."""

    def __init__(self, output: GitOutput) -> None:
        super().__init__(output.why)
        self.is_error = output.is_error


def answer(folder: Path, *words: str, given: bytes = b"") -> bytes:
    """Return the output of git in a folder; ``given`` is its input.

    Raises:
        NoAnswerError: there is none.
    """
    found = ask(folder, *words, given=given)
    if found.output is None:
        raise NoAnswerError(found)
    return found.output


def is_repository(folder: Path) -> bool:
    """Say whether a folder seems to be in a repository, whatever git says of it.

    A folder `.git` that has nothing of a repository is none.
    """
    at = folder.resolve()
    return "GIT_DIR" in os.environ or any(_marks(each / ".git") for each in (at, *at.parents))


def _may_be_in_repository(folder: Path) -> bool:
    """Say whether git may find a repository from a folder, with a work tree or bare."""
    at = folder.resolve()
    return "GIT_DIR" in os.environ or any(
        os.path.lexists(each / ".git") or os.path.lexists(each / "HEAD")
        for each in (at, *at.parents)
    )


_NO_REPOSITORY = "fatal: not a git repository (or any of the parent directories): .git"


def _marks(path: Path) -> bool:
    if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises PermissionError
        return os.path.lexists(path)
    return any(os.path.lexists(path / part) for part in ("HEAD", "objects", "refs"))


def without_answer(why: str) -> str:
    """Return the complaint about a repository for which git does not answer."""
    return (
        f"there is a repository here, and git does not say what is checked out: {why}. Nobody "
        "would notice other code: let git answer (install it, `git config --global --add "
        "safe.directory FOLDER`, ...), or copy the project without .git"
    )


def _environment() -> dict[str, str]:
    """Return the environment of this process without the variables that alter git's answers."""
    return {name: value for name, value in os.environ.items() if name not in _BENDING}


def folder_in_repository(root: Path) -> str | None:
    """Return the way to a folder from the top of its repository, ``.`` for the top; None: no git.

    It tells the projects of one repository apart on any machine.
    """
    way = git(root, "rev-parse", "--show-prefix")
    return None if way is None else way.rstrip("/") or "."


_BENDING = frozenset(
    {"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
     "GIT_ATTR_SOURCE"}
)  # fmt: skip


def git(folder: Path, *words: str) -> str | None:
    """Return git's output in a folder as text; None without git or on an error."""
    return ask(folder, *words).text
