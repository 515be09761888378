"""Reads the formats of recordings: Jepsen's log and EDN, and our JSON lines."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pytest_supercache.core.inputs import object_of
from pytest_supercache.oracle.linear.call import Json
from pytest_supercache.oracle.linear.recording import UNSAID, LineError, ReadLine, RecordedEvent

TYPES = frozenset({"invoke", "ok", "fail", "info"})
_EXACT_FLOAT_MAX = 2**53

# --- our own: {"process": 3, "type": "invoke", "f": "write", "key": "x", "value": 1}


def read_json_line(line: str) -> RecordedEvent | None:
    """Read one event of JSON lines; None for a blank line."""
    try:
        data = _decode(line)
    except RecursionError:
        raise LineError("JSON that is nested too deeply") from None
    except ValueError as error:
        if not line.strip():
            return None
        raise LineError(f"not JSON: {error}") from None
    if not isinstance(data, dict):
        raise LineError(_EXPECTED_JSON)
    kind, type_ = data.get("f"), data.get("type")
    if not isinstance(type_, str) or type_ not in TYPES or not isinstance(kind, str):
        raise LineError(_EXPECTED_JSON)
    value = data.get("value", UNSAID)
    if value.__class__ not in _PLAIN:
        value = _pair(value) if kind == "cas" else _frozen(value)
    key = data.get("key")
    if key is not None and not isinstance(key, str):
        key = _name("key", key)
    compared = type_ == "fail" and "error" not in data
    return RecordedEvent(_name("process", data.get("process")), type_, kind, key, value, compared)


_EXPECTED_JSON = (
    "expected an object with process, type (invoke, ok, fail or info), f (the call) and value: "
    '{"process": 3, "type": "invoke", "f": "write", "value": 1}'
)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # as would be every other such number
        raise ValueError(f"{digits} is too large for a number, write it as a text")
    return number


_decode = json.JSONDecoder(
    parse_constant=_no_number, parse_float=_finite, object_pairs_hook=object_of
).decode
_PLAIN = frozenset({int, str, type(None)})


def _name(what: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise LineError(f"{what} must be a text or a whole number")


def _pair(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _frozen(value: Any) -> Any:
    """Make a JSON value hashable, and different from every other: Python's True equals 1."""
    if value is UNSAID or value.__class__ in _PLAIN:
        return value
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _EXACT_FLOAT_MAX
        return int(value) if whole else value
    try:
        return Json(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    except RecursionError:
        raise LineError("JSON that is nested too deeply") from None


# --- Jepsen's log: INFO  jepsen.util - 3  :invoke  :write  1

_OF_LOG = re.compile(
    r"INFO\s+jepsen\.util\s+-\s+(\d{1,18})\s+:(invoke|ok|fail|info)\s+:([a-z-]{1,40})(?:\s+(\S.*))?"
)
_OTHER_LOG = re.compile(r"(?:TRACE|DEBUG|INFO|WARN|ERROR)\s+(?!\s|jepsen\.util\s+-\s+\d)")

# --- and its operations as EDN: {:process 3, :type :invoke, :f :put, :key "x", :value "1"}

_TEXT = r'"(?:[^"\\]|\\.)*"'
_EDN_FIELD = re.compile(
    rf":([a-z][a-z0-9-]*)\s+({_TEXT}|\[[^\[\]\"]*\]|[^\s,{{}}\[\]\"]+)(?:\s*,\s*|\s+|(?=\}}))"
)
_EDN_PREFIX = "#jepsen.history.Op"
_VALUE = re.compile(rf"nil|-?\d{{1,18}}|{_TEXT}")
_PAIR = re.compile(r"\[(nil|-?\d{1,18})\s+(nil|-?\d{1,18})\]")
_KEYWORD = re.compile(r":[\w.-]+")


def read_jepsen_line(line: str) -> RecordedEvent | None:
    """Read one event of a Jepsen recording, log or EDN; None for other lines of a log."""
    line = line.strip()
    if line.startswith(("{", _EDN_PREFIX)):
        return _of_edn(_edn_fields(line.removeprefix(_EDN_PREFIX)))
    match = _OF_LOG.fullmatch(line)
    if match is not None:
        process, type_, kind, written = match.groups()
        return _of_jepsen(process, type_, kind, None, written)
    if not line or _OTHER_LOG.match(line):
        return None
    raise LineError(_EXPECTED_JEPSEN)


def _edn_fields(line: str) -> dict[str, str]:
    """Split a flat map into its fields, as written; operations are always flat."""
    fields: dict[str, str] = {}
    at, end = 1, len(line) - 1
    while at < end:
        match = _EDN_FIELD.match(line, at)
        if match is None or match[1] in fields:
            raise LineError(_EXPECTED_JEPSEN)
        fields[match[1]] = match[2]
        at = match.end()
    if at != end or not line.endswith("}"):
        raise LineError(_EXPECTED_JEPSEN)
    return fields


def _of_edn(fields: dict[str, str]) -> RecordedEvent | None:
    process, type_, kind = (fields.get(name, "") for name in ("process", "type", "f"))
    if process.startswith(":"):
        return None  # :nemesis, which disturbs and calls nothing
    if not process.isdecimal() or type_[1:] not in TYPES or not kind.startswith(":"):
        raise LineError(_EXPECTED_JEPSEN)
    key = _value(fields.get("key", "nil"))
    event = _of_jepsen(
        process, type_[1:], kind[1:], None if key is None else str(key), fields.get("value")
    )
    return event._replace(compared=False) if "error" in fields else event


_EXPECTED_JEPSEN = (
    "expected an event of Jepsen, as a log line (INFO  jepsen.util - 3  :invoke  :write  1) or as "
    'EDN ({:process 3, :type :invoke, :f :put, :key "x", :value "1"})'
)


def _of_jepsen(process: str, type_: str, kind: str, key: Any, written: str | None) -> RecordedEvent:
    if written is None or _KEYWORD.fullmatch(written):  # :timed-out
        return RecordedEvent(process, type_, kind, key, UNSAID)
    pair = _PAIR.fullmatch(written)
    value = tuple(map(_value, pair.groups())) if pair else _value(written)
    return RecordedEvent(process, type_, kind, key, value, compared=type_ == "fail")


def _value(written: str) -> Any:
    if not _VALUE.fullmatch(written):
        raise LineError(f"cannot read the value {written[:60]!r}")
    if written == "nil":
        return None
    if not written.startswith('"'):
        return int(written)
    if "\\" not in written:
        return written[1:-1]
    try:
        return str(json.loads(written, strict=False))
    except ValueError:
        raise LineError(f"cannot read the text {written[:60]!r}") from None


FORMATS: Mapping[str, ReadLine] = {"jepsen": read_jepsen_line, "jsonl": read_json_line}
"""The values of ``--format``."""
