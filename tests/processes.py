"""Which processes there are: what tests ask the kernel."""

import os
from pathlib import Path


def children_named(program: str, parent: int) -> list[int]:
    """Return the running processes of a program that a process started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            name, rest = (folder / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
        except (OSError, IndexError):
            continue
        if name == program and int(rest.split()[1]) == parent:
            found.append(int(folder.name))
    return found


def is_running(process: int) -> bool:
    """Say whether a process is still there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
