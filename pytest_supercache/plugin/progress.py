"""Shows the progress of a long search below pytest's current line, on a terminal only.

The line is drawn with cursor movements of the VT100, which every terminal knows, and erased before
pytest continues. Nothing is written if output goes to a file or a pipe, with ``-q``, or in a worker
process, of xdist or of ours.
"""

import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_supercache.core.real_clock import real_seconds
from pytest_supercache.plugin.terminal import columns, uncaptured

if TYPE_CHECKING:
    from pytest_supercache.core.progress import Progress

AFTER_SECONDS = 1.0
"""Seconds before the first progress line; a shorter search shows none."""

EVERY_SECONDS = 0.25

_ROOM = "\x1bD\x1bM"  # make room for a line below, and come back to where we were
_DOWN, _BACK = "\x1b7\x1bD\r", "\x1b[K\x1b8"  # to its beginning; clear the rest and come back


class Progressing:
    """The progress line of one item; called after each execution."""

    def __init__(self, config: pytest.Config, name: str, width: int) -> None:
        self._config = config
        self._name = name
        self._width = width
        self._next = real_seconds() + AFTER_SECONDS
        self._is_shown = False

    def __call__(self, now: "Progress") -> None:
        """Show the progress of the search, a few times a second."""
        at = real_seconds()
        if at < self._next:
            return
        self._next = at + EVERY_SECONDS
        from pytest_supercache.report.progress_line import progress_line

        room = "" if self._is_shown else _ROOM
        self._is_shown = True
        self._write(f"{room}{_DOWN}{progress_line(self._name, now, self._width)}{_BACK}")

    def clear(self) -> None:
        """Erase the line."""
        if self._is_shown:
            self._write(f"{_DOWN}{_BACK}")
            self._is_shown = False

    def _write(self, text: str) -> None:
        with uncaptured(self._config):
            sys.stdout.write(text)
            sys.stdout.flush()


def progressing(config: pytest.Config, name: str) -> Progressing | None:
    """Return the progress line of an item; None: the output is no terminal."""
    if multiprocessing.parent_process() is not None:
        return None
    width = columns(config)
    if width is None or config.get_verbosity() < 0 or os.environ.get("TERM") == "dumb":
        return None
    return Progressing(config, name, width - 1)
