"""Asks git about a folder; what git does not say is not known."""

import subprocess
from pathlib import Path

_SECONDS_MAX = 10


def git(folder: Path, *words: str) -> str | None:
    """Return what git answers in a folder; None without git or an answer."""
    told = git_bytes(folder, *words)
    return None if told is None else told.decode(errors="replace").strip()


def git_bytes(folder: Path, *words: str) -> bytes | None:
    """Return the same as it came: names of files need not be text."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],
            cwd=folder, capture_output=True, check=True, timeout=_SECONDS_MAX,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
