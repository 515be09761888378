"""Asks git about a folder; what git does not say is not known."""

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
"""Settings of a machine by which git would look at fewer files, or less closely, are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOutput:
    """What git has said; None: nothing, and ``why`` not."""

    output: bytes | None = None
    why: str = ""
    is_error: bool = False  # git has ended and said that something is wrong

    @property
    def text(self) -> str | None:
        """The answer as one text."""
        return None if self.output is None else self.output.decode(errors="replace").strip()


def ask(folder: Path, *words: str) -> GitOutput:
    """Return what git answers in a folder, or why it does not."""
    try:
        done = subprocess.run(
            ["git", *_AS_IT_IS, *words],
            cwd=folder, capture_output=True, check=True, timeout=_SECONDS_MAX, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return GitOutput(why=f"no answer within {_SECONDS_MAX} seconds")
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        why = said[0] if said else f"exit status {error.returncode}"
        return GitOutput(why=why, is_error=True)
    except OSError as error:
        return GitOutput(why=f"git cannot be started: {error.strerror or error}")
    return GitOutput(output=done.stdout)


def _environment() -> dict[str, str]:
    """Return the variables of this process without those that bend what git's words mean."""
    return {name: value for name, value in os.environ.items() if name not in _BENDING}


_BENDING = frozenset(
    {"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
     "GIT_ATTR_SOURCE"}
)  # fmt: skip


def git(folder: Path, *words: str) -> str | None:
    """Return what git answers in a folder; None without git or an answer."""
    return ask(folder, *words).text


def git_bytes(folder: Path, *words: str) -> bytes | None:
    """Return the same as it came: names of files need not be text."""
    return ask(folder, *words).output
