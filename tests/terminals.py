"""What a person sees at a terminal of some width: compared with ``tests/snapshots/terminal``.

The pictures are real output of one project. ``python -m tests.terminals`` writes them anew; read
them as they are meant to be seen: ``cat tests/snapshots/terminal/80-coloured.txt``.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path

from tests.plugin.projects import SHOP, race

FOLDER = Path(__file__).parent / "snapshots" / "terminal"
WIDTHS = (80, 120, 200)
COLOURS = {"plain": "no", "coloured": "yes"}
STORY = Path(__file__).parents[1] / "scenarios" / "story" / "price-change.supercache.yaml"

DECIDES = {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "CI", "BUILD_NUMBER"}
"""What could decide instead of the terminal; on a CI machine, pytest cuts no line."""

_PROGRESS = re.compile(r"(\x1bD\x1bM)?\x1b7\x1bD\r[^\n]*?\x1b\[K\x1b8")
_PROJECT = "/home/karim/shop"
_VERSION = re.compile(r"fakeredis [\d.]+")


def sent(command: Sequence[str], folder: Path, columns: int) -> str:
    """Run a command under a pseudo-terminal and return every byte that it was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in DECIDES}
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**kept, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        read = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            read += piece
        process.wait()
    os.close(ours)
    return read.decode().replace("\r\n", "\n")


def without_progress(text: str) -> str:
    """Return what stays: what was drawn below and taken away again is left out."""
    return _PROGRESS.sub("", text)


def write_project(folder: Path) -> None:
    """Write a project with a conflict that fails, one that is documented, and a proof."""
    systems = "systems:\n  reference.naive: violated\n"
    story = re.sub(r"systems:\n(  .*\n)+", systems, STORY.read_text(encoding="utf-8"))
    files = {
        "pytest.ini": "[pytest]\nsupercache_odds = 0\nsupercache_step_timeout = 60\n",
        "conftest.py": SHOP,
        "prices.supercache.yaml": story,
        "stale.supercache.yaml": race("PRICE-09"),
        "uncached.supercache.yaml": race("PRICE-10", "uncached"),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def picture(folder: Path, columns: int, colour: str) -> str:
    """Return what a run of the project shows, from the first failure on.

    The last line, which has the seconds that the run took, is left out.
    """
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "-W", "ignore"]
    text = without_progress(sent([*command, f"--color={colour}"], folder, columns))
    lines = _VERSION.sub("fakeredis 2.40.0", text).replace(str(folder), _PROJECT).splitlines()
    begin = next(at for at, line in enumerate(lines) if "= FAILURES =" in line)
    return "\n".join(lines[begin:-1]) + "\n"


def snapshot(columns: int, kind: str) -> Path:
    """Return the file with what a terminal of a width shows."""
    return FOLDER / f"{columns}-{kind}.txt"


def main() -> None:
    """Write all pictures anew."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        write_project(folder)
        for columns in WIDTHS:
            for kind, colour in COLOURS.items():
                text = picture(folder, columns, colour)
                snapshot(columns, kind).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
