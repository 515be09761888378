"""Detects that an execution finds what an earlier one has left in an object or a file.

What modules lead to is restored (:mod:`pytest_supercache.runtime.memory.lasting`). What a test
makes before its check, such as a fixture or a variable around the body, is not: it may collect what
the test wants to know afterwards. Nor are files that outlive an execution. If a flow reads there
what an earlier execution has written, only the first one began as production does. If the body
reads it after the race, its assertions may hold because of an earlier execution. So they may where
the body itself has written it: that may be meant, and the verdict says so.
"""

import io
import os
import random
import types
from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.under_test import members_of
from pytest_supercache.runtime.memory.behind import OF_THE_PROCESS, Behind, Owner, builds_itself
from pytest_supercache.runtime.memory.effects import SCALARS, Memo, slots_of
from pytest_supercache.runtime.memory.lasting import ELEMENTS_MAX, OBJECTS_MAX
from pytest_supercache.runtime.memory.own_memory import OwnMemory
from pytest_supercache.runtime.memory.reach import at_key, inside, leads_on
from pytest_supercache.runtime.memory.recorders import Recorders
from pytest_supercache.runtime.memory.snapshots import are_same, elements

_LEFT = (
    "one execution finds in {} what an earlier one has left there: it was made before the check, "
    "as a fixture is. Let the body of the test, or the factory of the system, make it"
)
_LEFT_IN_FILE = (
    "one execution finds in {} what an earlier one has left there. Use a file in world.tmp_path, "
    "or in layers.tmp_path, which is fresh in each execution"
)
_LEFT_IN_RECORDER = (
    "the body asks {} for what it has recorded, and finds what an earlier execution has left "
    "there. Let the body make it, or empty it in the body before the race (`caplog.clear()`, "
    "`mock.reset_mock()`)"
)

BYTES_MAX = 1 << 20
"""The largest size of a file of which the content is compared, rather than its time."""

State = Mapping[str, Any]
"""What an object holds, by part as accesses name it; the elements of a list are one part."""


@dataclass(slots=True)
class _Place:
    """An object, or a file, with its states."""

    look: Callable[[], State]
    start: State | None = None
    """Its state when it was first touched in the check."""
    left: State | None = None
    """Its state at the end of the previous execution."""
    is_touched: bool = False
    """It was touched in the present execution."""
    warm: set[str] = field(default_factory=set)
    """The parts that are as the previous execution has left them, and not as in the first one."""
    is_written: bool = False
    """A flow has written to it, in any execution."""
    is_set: bool = False
    """A flow has written to it in the present execution."""
    found: set[str] = field(default_factory=set)
    """The parts that were warm when the execution began, and that no flow has set anew."""

    def touch(self) -> None:
        """Take the state before the first access of an execution."""
        self.is_touched = True
        now = self.look()
        if self.start is None:
            self.start = now
        if self.left is not None:
            self.warm = _unlike(now, self.start) - _unlike(now, self.left)
        self.found = set(self.warm)

    def write(self, part: str, *, replaces: bool) -> None:
        """Note that a flow writes a part; one that is replaced has nothing of before."""
        self.is_written = self.is_set = True
        if replaces:
            self.found.discard(part)

    def shows(self, part: str) -> bool:
        """Say whether a part still has something that an earlier execution has put there."""
        parts = self.found if part == WHOLE else self.found & {part, WHOLE}
        now = self.look() if parts else {}
        return any(_still_has(now.get(one, []), (self.left or {}).get(one, [])) for one in parts)

    def note_gone(self) -> None:
        """Note which parts have been emptied: what they get then is new, even if it is the same."""
        now, left = (self.look(), self.left or {}) if self.found else ({}, {})
        self.found = {one for one in self.found if _still_has(now.get(one, []), left.get(one, []))}

    def shows_file(self) -> bool:
        """Say the same of a file, or a folder: one that is written, and as it was, is new."""
        left, now = (self.left or {}).get(WHOLE, []), self.look()[WHOLE] if self.found else []
        if not left or not now or not self.is_set:
            return bool(left) and now == left
        if type(left[0]) is bytes and type(now[0]) is bytes:
            return len(now[0]) > len(left[0]) and now[0].startswith(left[0])
        return len(now) > len(left) and set(now).issuperset(left)

    def finds(self, part: str) -> bool:
        """Say whether a part is still as the previous execution has left it; WHOLE: any part."""
        if not self.warm:
            return False
        self.warm -= _unlike(self.look(), self.left or {})
        return bool(self.warm) if part == WHOLE else not self.warm.isdisjoint((part, WHOLE))

    def end(self) -> None:
        """Take the state that an execution leaves."""
        self.left, self.is_touched, self.is_set = self.look(), False, False
        self.warm, self.found = set(), set()


def _unlike(one: State, other: State) -> set[str]:
    """Return the parts that differ in two states, or are in one of them alone."""
    parts = one.keys() | other.keys()
    return {part for part in parts if not are_same(one.get(part, []), other.get(part, []))}


def _still_has(now: list[Any], left: list[Any]) -> bool:
    """Say whether content begins with what was left; a stream's content is one text."""
    if len(now) == len(left) == 1 and type(now[0]) is type(left[0]) and type(now[0]) in _TEXTS:
        return bool(left[0]) and now[0].startswith(left[0])
    return bool(left) and are_same(now[: len(left)], left)


_TEXTS = (str, bytes)


class MadeBefore:
    """The objects that were made before a check and that its body leads to, and files."""

    def __init__(self) -> None:
        self.objects: dict[int, tuple[Any, str, _Place]] = {}
        """The objects, with their names, by their identity."""
        self._files: dict[str, _Place] = {}
        self._of_body: dict[int | str, tuple[Any, str, _Place]] = {}
        """What the body writes after the race: objects by their identity, and files."""
        self._touched: list[_Place] = []  # in the present execution
        self.recorders, self.own = Recorders(), OwnMemory()

    def add(self, body: Any, known: Container[int]) -> list[tuple[Any, str]]:
        """Take in what a body leads to, except for objects that are known to be restored.

        Returns:
            The objects of frameworks among it, with their names.
        """
        frameworks: list[tuple[Any, str]] = []
        waiting: deque[tuple[Any, str]] = deque([(body, "")])
        seen, behind = set(map(identity, OF_THE_PROCESS)), Behind()
        while waiting and len(seen) < OBJECTS_MAX:
            value, name = waiting.popleft()
            number = identity(value)
            if number in seen or number in known:
                continue
            self.recorders.add(value, name or "an object")
            if not leads_on(value):
                behind_it = list(behind.found(value))
                frameworks += [(one, name) for one, owner in behind_it if owner is Owner.FRAMEWORK]
                waiting.extend((one, name) for one, _ in behind_it if one is not value)
                continue
            seen.add(number)
            if builds_itself(type(value)):
                frameworks.append((value, name))
            if number not in self.objects:
                self.objects[number] = value, name, _Place(_look_at(value))
                self.own.remember(value, name)
            for inner, way in islice(inside(value), ELEMENTS_MAX):
                if type(inner) not in SCALARS:
                    waiting.append((inner, way(name)))
        return frameworks

    def begin(self) -> None:
        """Note what the previous execution has left."""
        for place in self._touched:
            place.end()
        self._touched.clear()
        self.recorders.begin()

    def may_show(self) -> bool:
        """Say whether a body may read what an earlier execution has left."""
        places = (*(place for _, _, place in self.objects.values()), *self._files.values())
        return bool(self.recorders) or any(
            place.is_written and place.left is not None for place in places
        )

    def show(self, holder: Any, part: str) -> str:
        """Return what the body finds of an earlier execution as it reads a part of an object."""
        _, name, place = self.objects[identity(holder)]
        is_shown = self._may_show(place) and place.shows(part)
        return _LEFT.format(name or "an object") if is_shown else ""

    def show_file(self, name: str) -> str:
        """Return what the body finds of an earlier execution as it reads a file, or a folder."""
        place = self._files.get(name)
        is_shown = place is not None and self._may_show(place) and place.shows_file()
        return _LEFT_IN_FILE.format(name) if is_shown else ""

    def show_recorded(self, holder: Any, attribute: str) -> str:
        """Return what the body finds of an earlier execution as it asks a mock, or the like."""
        name = self.recorders.shows(identity(holder), attribute)
        return name and _LEFT_IN_RECORDER.format(name)

    def name_of(self, holder: Any, part: str) -> str:
        """Return the name of an object that was made before the check."""
        return self.objects[identity(holder)][1] or _name_of(holder, part)

    def touch_in_body(self, holder: Any, part: str, name: str, *, writes: bool) -> str:
        """Note that the body uses a part of an object after the race.

        Returns:
            The name of what the body itself has left there in an earlier execution; else nothing.
        """
        number = identity(holder)
        if number not in self._of_body:
            if not writes:
                return ""
            self._of_body[number] = holder, name, _Place(_look_at(holder))
        _, name, place = self._of_body[number]
        self._touch(place)
        place.note_gone()
        shows = (not writes or type(holder) is Memo) and place.left is not None
        found = name if shows and place.shows(part) else ""
        if writes:
            place.write(part, replaces=part != WHOLE or type(holder) is types.CellType)
        return found

    def touch_file_in_body(self, name: str, *, writes: bool) -> str:
        """Note the same of a file, or a folder."""
        if name not in self._of_body:
            if not writes:
                return ""
            self._of_body[name] = None, name, _Place(lambda: _state_of_file(name))
        _, _, place = self._of_body[name]
        self._touch(place)
        found = name if not writes and place.left is not None and place.shows_file() else ""
        if writes:
            place.write(WHOLE, replaces=False)
        return found

    def _may_show(self, place: _Place) -> bool:
        if not place.is_written or place.left is None:  # what only the body writes is its own
            return False
        self._touch(place)
        return True

    def touch(self, holder: Any, part: str, *, writes: bool) -> str:
        """Note that the code under test is about to use a part of an object.

        Returns:
            What it finds there of an earlier execution, if it looks; else nothing.
        """
        _, name, place = self.objects[identity(holder)]
        self._touch(place)
        if writes:
            place.write(part, replaces=part != WHOLE or type(holder) is types.CellType)
        looks = not writes or type(holder) is Memo  # a call of it looks first
        return _LEFT.format(name or "an object") if looks and place.finds(part) else ""

    def touch_file(self, name: str, *, writes: bool) -> str:
        """Note that the code under test is about to use a file, or a folder.

        Returns:
            What it finds there of an earlier execution, if it looks; else nothing.
        """
        place = self._files.setdefault(name, _Place(lambda: _state_of_file(name)))
        self._touch(place)
        if writes:
            place.write(WHOLE, replaces=False)
        return "" if writes or not place.finds(WHOLE) else _LEFT_IN_FILE.format(name)

    def _touch(self, place: _Place) -> None:
        if not place.is_touched:
            self._touched.append(place)
            place.touch()


def _name_of(holder: Any, part: str) -> str:
    """Return a name for an object to which no way is known."""
    if issubclass(type(holder), types.ModuleType) or type(holder) is types.FunctionType:
        return f"{holder.__name__}{part}"
    return f"a {type(holder).__name__} of the test"


def _look_at(value: Any) -> Callable[[], State]:
    kind = type(value)
    if kind is types.CellType:
        return lambda: {WHOLE: _content_of(value)}
    if kind is types.FunctionType or issubclass(kind, type):
        return lambda: _by_attribute(vars(value))
    if kind in _BY_CONTENT:
        return lambda: {WHOLE: _CONTENT[kind](value)}
    return lambda: {
        **_by_entry(value),
        **_by_attribute(members_of(value)),
        **_by_attribute(dict(slots_of(value))),
    }


def _by_attribute(members: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {f".{name}": [held] for name, held in list(members.items())}


def _by_entry(value: Any) -> dict[str, list[Any]]:
    if issubclass(type(value), dict):
        return {at_key(key)(""): [held] for key, held in list(dict.items(value))}
    return {WHOLE: elements(value)}


def _content_of(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not filled yet
        return []


_CONTENT: dict[type, Callable[[Any], list[Any]]] = {
    Memo: lambda memo: list(memo.cache_info()),
    random.Random: lambda generator: [str(generator.getstate())],
    io.StringIO: lambda stream: [] if stream.closed else [stream.getvalue()],
    io.BytesIO: lambda stream: [] if stream.closed else [stream.getvalue()],
}
_BY_CONTENT = frozenset(_CONTENT)


def _state_of_file(name: str) -> State:
    """Return what tells a file, or a folder, from what it was: its content, if it is small."""
    path = Path(name)
    try:
        facts = os.stat(path)  # noqa: PTH116 - as below
        if path.is_dir():
            return {WHOLE: sorted(os.listdir(path))}  # noqa: PTH208 - names only
        content = path.read_bytes() if facts.st_size <= BYTES_MAX else b""
    except (OSError, ValueError):  # there is no such file, or none can have this name
        return {WHOLE: []}
    return {WHOLE: [content, facts.st_size]}
