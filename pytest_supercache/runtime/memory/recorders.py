"""Tells what mocks and fixtures of pytest have recorded, and who asks for it.

A mock keeps its calls, ``caplog`` its log records. If a test makes one before its check, or a
fixture does, all executions record into the same one, and what the body asserts of it after the
race may have been recorded by an earlier execution.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity

MOCKS_MAX = 500
"""The number of mocks that are looked at, with those that they have made."""


class _RecorderKind(NamedTuple):
    """A class whose objects record, with its module."""

    module: str
    name: str
    records: Callable[[Any], Any]
    """Returns what an object has recorded."""
    asked_by: frozenset[str]
    """The attributes that show it."""


_MOCK = _RecorderKind(
    "unittest.mock", "NonCallableMock", lambda mock: mock.mock_calls,
    frozenset(
        {
            "called", "call_args", "call_args_list", "call_count", "method_calls", "mock_calls",
            "assert_any_await", "assert_any_call", "assert_awaited", "assert_awaited_with",
            "assert_called", "assert_called_with", "assert_has_awaits", "assert_has_calls",
            "assert_not_called", "assert_called_once", "assert_called_once_with", "await_args",
            "await_args_list", "await_count",
        }
    ),
)  # fmt: skip
_KINDS = (
    _MOCK,
    _RecorderKind("_pytest.logging", "LogCaptureFixture", lambda caplog: caplog.records,
          frozenset({"messages", "record_tuples", "records", "text"})),
    _RecorderKind("_pytest.recwarn", "WarningsRecorder", lambda recorder: recorder.list,
          frozenset({"list", "pop"})),
    _RecorderKind("logging.handlers", "BufferingHandler", lambda handler: handler.buffer,
          frozenset({"buffer"})),
)  # fmt: skip


def _is_of(value: Any, kind: _RecorderKind) -> bool:
    base = getattr(sys.modules.get(kind.module), kind.name, None)
    return base is not None and issubclass(type(value), base)


class MadeRecorder(NamedTuple):
    """An object that was made before a check, and the number of its records by then."""

    value: Any
    name: str
    kind: _RecorderKind
    before: int

    def left(self) -> Any:
        """Return the first record since the check began; None: there is none."""
        records = self.kind.records(self.value)
        return records[self.before] if len(records) > self.before else None


class Recorders:
    """The recorders that the body of a check leads to, and the mocks that mocks have made."""

    def __init__(self) -> None:
        self._known: dict[int, MadeRecorder] = {}
        self._left: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._left)

    def add(self, value: Any, name: str) -> None:
        """Remember an object if it records; of a mock, those that it has made, too."""
        kind = next((kind for kind in _KINDS if _is_of(value, kind)), None)
        if kind is None or identity(value) in self._known:
            return
        self._known[identity(value)] = MadeRecorder(value, name, kind, len(kind.records(value)))
        self._add_made(value, name)

    def begin(self) -> None:
        """Note what earlier executions have left."""
        for known in list(self._known.values()):
            self._add_made(known.value, known.name, is_new=True)
        left = {number: known.left() for number, known in self._known.items()}
        self._left = {number: record for number, record in left.items() if record is not None}

    def shows(self, number: int, attribute: str) -> str:
        """Return a recorder's name if the attribute shows what an earlier execution has left."""
        known = self._known.get(number)
        if known is None or number not in self._left or attribute not in known.kind.asked_by:
            return ""
        return known.name if known.left() is self._left[number] else ""

    def _add_made(self, value: Any, name: str, *, is_new: bool = False) -> None:
        if not _is_of(value, _MOCK):
            return
        for made in islice(_made_by(value), MOCKS_MAX):
            number = identity(made)
            if number not in self._known and len(self._known) < MOCKS_MAX:
                before = 0 if is_new else len(made.mock_calls)
                self._known[number] = MadeRecorder(made, name, _MOCK, before)


def _made_by(mock: Any) -> Iterator[Any]:
    """Yield the mocks to which a mock leads, near ones first."""
    waiting, seen = [mock], {identity(mock)}
    for one in waiting:
        for held in list(vars(one).values()):
            for inner in held.values() if type(held) is dict else (held,):
                if _is_of(inner, _MOCK) and identity(inner) not in seen:
                    seen.add(identity(inner))
                    waiting.append(inner)
                    yield inner
