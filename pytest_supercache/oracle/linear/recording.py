"""Turns a recording into calls: caller, call, times and answer.

Files are untrusted: each line is checked, its length and the number of lines are
bounded, and a mistake is an error that begins with ``file:line:``.
"""

from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import (
    RECORDING_BYTES_MAX,
    RECORDING_EVENTS_MAX,
    RECORDING_LINE_BYTES_MAX,
    open_regular,
)
from pytest_supercache.oracle.linear.call import READS, Call, Model


class RecordingError(SupercacheError):
    """A recording that cannot be read; its text begins with ``file:line:``."""


class LineError(Exception):
    """The error of a line, from a reader that does not know its number."""


class _Unsaid:
    """A marker that equals only itself."""


UNSAID: Final = _Unsaid()
"""The value of a line that has none."""


class RecordedEvent(NamedTuple):
    """One line: a call begins (``invoke``), or ends in one of three ways.

    ``ok``: it was answered. ``fail``: it did not take effect. ``info``: unknown. ``compared``:
    a cas failed because the register held another value than the expected one.
    """

    process: str
    type: str
    kind: str
    key: str | None
    value: Any
    compared: bool = False


ReadLine = Callable[[str], RecordedEvent | None]
"""Makes an event of a line; None for a line without one. Raises LineError."""


def read_calls(path: Path, model: Model, read_line: ReadLine) -> list[Call]:
    """Read a file.

    Raises:
        RecordingError: it is not in the announced format; the text begins with ``file:line:``.
    """
    recording = Recording(model)
    number = size = 0
    try:
        with open_regular(path) as file:
            while raw := file.readline(RECORDING_LINE_BYTES_MAX + 1):
                number += 1
                size += len(raw)
                event = read_line(_text(raw, number, size))
                if event is not None:
                    recording.add(number, event)
    except LineError as error:
        raise RecordingError(f"{path}:{number}: {error}") from None
    except OSError as error:
        raise RecordingError(f"{path}:{number + 1}: cannot be read: {error.strerror}") from None
    if not recording.events:
        raise RecordingError(
            f"{path}:{max(number, 1)}: no call up to here, and an empty recording proves nothing; "
            "is it the right file and the right --format?"
        )
    return recording.finish()


def _text(raw: bytes, number: int, size: int) -> str:
    if len(raw) > RECORDING_LINE_BYTES_MAX:
        raise LineError(
            f"a line of more than {RECORDING_LINE_BYTES_MAX:,} bytes; one event is expected in it"
        )
    if number > RECORDING_EVENTS_MAX or size > RECORDING_BYTES_MAX:
        raise LineError(
            f"more than {RECORDING_EVENTS_MAX:,} lines or {RECORDING_BYTES_MAX:,} bytes up to "
            "here; keys are judged one by one, so the recording can be split by key"
        )
    try:
        return raw.removeprefix(BOM_UTF8 if number == 1 else b"").decode()
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8: byte 0x{raw[error.start]:02x} at {error.start + 1}") from None


@dataclass(slots=True)
class Recording:
    """The calls so far. Positions are line numbers."""

    model: Model
    calls: list[Call] = field(default_factory=list)
    events: int = 0
    _open: dict[str, Call] = field(default_factory=dict)

    def add(self, line: int, event: RecordedEvent) -> None:
        """Add an event."""
        self.events += 1
        if event.kind not in self.model.kinds:
            raise LineError(_foreign(event.kind, self.model))
        if event.type == "invoke":
            self._begin(line, event)
            return
        call = self._open.pop(event.process, None)
        if call is None:
            raise LineError(
                f"process {event.process} has no call in progress that {event.type!r} could end"
            )
        if call.kind != event.kind or event.key not in {None, call.key}:
            asked = f"{call.kind} {call.key}".strip()
            raise LineError(
                f"process {event.process} called {asked} in line {call.called_at}; "
                "what ends here is another call"
            )
        if event.type == "info":
            self._leave_open(call)
        else:
            self._end(line, call, event)

    def finish(self) -> list[Call]:
        """Return all calls; those without an answer have an unknown outcome."""
        for call in self._open.values():
            self._leave_open(call)
        self._open.clear()
        return self.calls

    def _begin(self, line: int, event: RecordedEvent) -> None:
        other = self._open.get(event.process)
        if other is not None:
            raise LineError(
                f"process {event.process} calls again before its call of line {other.called_at} "
                "has ended; a process has one call at a time. When an outcome is not known, end "
                "the call with type info"
            )
        value = None
        if event.kind not in READS:
            value = event.value
            self._check(event.kind, value)
        self._open[event.process] = Call(
            process=event.process, kind=event.kind, key=event.key or "", value=value, called_at=line
        )

    def _end(self, line: int, call: Call, event: RecordedEvent) -> None:
        value = event.value
        if call.kind in READS:
            if event.type == "fail":
                return
            if value is UNSAID:
                raise LineError(f"a {call.kind} that is ok needs a value: what it returned")
            if self.model is Model.KV:
                value = _kv_text("" if value is None else value)
            call.answer = value
        else:
            if value is not UNSAID and event.type == "ok" and value != call.value:
                raise LineError(
                    f"process {event.process} called {call.kind} with another value in line "
                    f"{call.called_at}"
                )
            if event.type == "fail" and not (call.kind == "cas" and event.compared):
                return  # it never took effect and says nothing
            call.answer = event.type == "ok"
        call.returned_at = line
        self.calls.append(call)

    def _check(self, kind: str, value: Any) -> None:
        if value is UNSAID:
            raise LineError(f"a {kind} needs a value")
        if kind == "cas" and not (isinstance(value, tuple) and len(value) == CAS_VALUES):
            raise LineError("a cas needs two values, the expected one and the new one: [1, 2]")
        if kind != "cas" and isinstance(value, tuple):
            raise LineError(f"a {kind} needs one value")
        if self.model is Model.KV:
            _kv_text(value)

    def _leave_open(self, call: Call) -> None:
        if call.kind not in READS:  # a read whose answer nobody saw says nothing
            self.calls.append(call)


CAS_VALUES = 2


def _kv_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise LineError(
        "the values of --model kv are texts, which can be appended to; for other values take "
        "--model register, which has keys too"
    )


def _foreign(kind: str, model: Model) -> str:
    known = ", ".join(sorted(model.kinds))
    others = [other for other in Model if kind in other.kinds]
    hint = f"; use --model {others[0].value}" if others else ""
    return f"{kind!r} is no call of --model {model.value}, which has {known}{hint}"
