"""Writes workflow commands of GitHub: annotations at the line of a scenario.

GitHub shows ten of each kind per step of a job; the last one counts the others.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_supercache.report.complaints import Complaint, complaints

SHOWN_MAX = 9


def annotations(document: Mapping[str, Any]) -> str:
    """Return one line per annotation: errors, and warnings for what a waiver accepts."""
    found = complaints(document)
    errors = [one for one in found if one.waiver is None]
    waived = [one for one in found if one.waiver is not None]
    lines = [*_lines("error", errors), *_lines("warning", waived)]
    return "".join(f"{line}\n" for line in lines)


def command(kind: str, message: str, **properties: object) -> str:
    """Return one workflow command."""
    said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{kind} {said}::{_data(message)}"


def _lines(kind: str, found: list[Complaint]) -> Iterable[str]:
    for one in found[:SHOWN_MAX]:
        text = f"{one.message}\nreplay: {one.replay}" if one.replay else one.message
        if one.waiver is not None:
            text = f"{text}\naccepted until {one.waiver['expires']} by {one.waiver['id']}"
        place = {"file": one.path, "line": one.line} if one.path else {}
        yield command(kind, text, **place, title=one.title)
    if len(found) > SHOWN_MAX:
        yield f"::{kind}::and {len(found) - SHOWN_MAX} more, see verdict.json"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
