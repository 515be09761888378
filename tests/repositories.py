"""Small repositories of git, as tests need them."""

import subprocess
from pathlib import Path

_SETTINGS = (
    "user.name=Betty", "user.email=b@example.org", "init.defaultBranch=main",
    "protocol.file.allow=always",
)  # fmt: skip


def git(folder: Path, *words: str) -> None:
    """Let git do something in a folder."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    subprocess.run(
        ["git", *settings, *words], cwd=folder, check=True, timeout=60, capture_output=True
    )


def committed(folder: Path) -> None:
    """Make a repository of a folder, with all that is in it."""
    git(folder, "init", "-q")
    git(folder, "add", "--all")
    git(folder, "commit", "-qm", "all", "--allow-empty")


def append(path: Path, text: str = "# another one\n") -> None:
    """Write more into a file, or make it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{path.read_text() if path.exists() else ''}{text}")
