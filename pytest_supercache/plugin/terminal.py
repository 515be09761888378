"""Finds the width of the terminal, which pytest's capture hides while a test runs."""

import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_supercache.report.finding import Finding

WIDTHS = (100, 240)
"""Columns of pictures: the least if the output is no terminal, and the most anywhere."""

_NARROWEST = 60


def columns(config: pytest.Config) -> int | None:
    """Return the width of the output's terminal; None: the output is no terminal."""
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    if hasattr(config, "workerinput") or not getattr(reporter, "isatty", False):
        return None
    with uncaptured(config):
        return shutil.get_terminal_size().columns


def picture_width(config: pytest.Config) -> int:
    """Return the width of pictures: that of the terminal, within limits."""
    least, most = WIDTHS
    seen = columns(config)
    if seen is not None:
        return max(_NARROWEST, min(seen, most))
    return max(least, min(shutil.get_terminal_size((120, 24)).columns, most))


def whole_text(config: pytest.Config, finding: "Finding") -> str:
    """Return the full text about an item, as wide as its output allows."""
    from pytest_supercache.report.text import failure_text

    is_wrapped = columns(config) is not None
    return failure_text(finding, picture_width(config), is_wrapped=is_wrapped)


class PaintedText(str):
    """The text of a failure, which a terminal with colours shows in colours.

    pytest asks for `toterminal`; a file, and the controller of xdist, get the text.
    """

    __slots__ = ()

    def toterminal(self, out: Any) -> None:
        """Write each line in its colour."""
        from pytest_supercache.report.terminal import paint_of

        for line in self.splitlines():
            out.line(line, **dict.fromkeys(paint_of(line), True))


def uncaptured(config: pytest.Config) -> Any:
    """Return a context in which pytest does not capture output."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()
