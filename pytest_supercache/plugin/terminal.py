"""How wide the terminal is, if there is one: pytest's capture hides it while a test runs."""

import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_supercache.report.finding import Finding

WIDTHS = (100, 240)
"""Of pictures: at least, where nothing limits them, and at most."""

_NARROWEST = 60


def columns(config: pytest.Config) -> int | None:
    """Return the width of the terminal that the output goes to; None: it goes elsewhere."""
    reporter: Any = config.pluginmanager.getplugin("terminalreporter")
    if hasattr(config, "workerinput") or not getattr(reporter, "isatty", False):
        return None
    with uncaptured(config):
        return shutil.get_terminal_size().columns


def picture_width(config: pytest.Config) -> int:
    """Return how wide pictures may be: what the terminal has, within reason."""
    least, most = WIDTHS
    seen = columns(config)
    if seen is not None:
        return max(_NARROWEST, min(seen, most))
    return max(least, min(shutil.get_terminal_size((120, 24)).columns, most))


def whole_text(config: pytest.Config, finding: "Finding") -> str:
    """Return all that is to say about an item, as wide as fits where it is read."""
    from pytest_supercache.report.text import failure_text

    is_wrapped = columns(config) is not None
    return failure_text(finding, picture_width(config), is_wrapped=is_wrapped)


def uncaptured(config: pytest.Config) -> Any:
    """Return a context in which output goes where the user sees it."""
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()
