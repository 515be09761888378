"""The calls of one key as tables for the search: what each needs, what each leaves behind."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_supercache.oracle.linear.call import NEVER, Call
from pytest_supercache.oracle.linear.states import OTHER, Exact, Prefixes, State

_SUBSTRING_WORK_MAX = 20_000_000
"""Characters that may be looked through to learn which appended texts were ever seen."""


class _Anything:
    """The only one of its kind."""


ANYTHING: Final = _Anything()
ILLEGAL: Final = _Anything()


@dataclass(frozen=True, slots=True)
class Table:
    """One call: ``needs`` a state or must not meet ``forbids``; leaves ``result`` or appends.

    A pure call leaves everything as it is.
    """

    call: Call
    pure: bool
    needs: State = ANYTHING
    forbids: State = ANYTHING
    result: State = OTHER
    appends: str | None = None
    wanted_until: int = NEVER  # the last position at which anybody asks for what it leaves behind
    action: object = None  # calls with equal actions are interchangeable

    @property
    def replaces(self) -> bool:
        """Whether it takes effect whatever the key held, and nothing of that remains."""
        return not self.pure and self.needs is ANYTHING and self.appends is None


@dataclass(slots=True)
class _Positions:
    """Calls with the same role for the same value, by the position at which they are called."""

    called: list[int] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    first_return_from: list[int] = field(default_factory=list)  # the least return from here on

    def after(self, position: int) -> int:
        return bisect_right(self.called, position)


class Problem:
    """All calls of one key that can matter, in the order they were called."""

    def __init__(self, calls: Sequence[Call], initials: Iterable[Any]) -> None:
        relevant = [call for call in calls if _matters(call)]
        relevant.sort(key=lambda call: call.called_at)
        self._texts = any(call.kind == "append" for call in relevant)
        asked = _asked(relevant)
        self.states = Prefixes(asked) if self._texts else Exact(asked)
        self.initials = {self.states.state_of(value) for value in initials}
        wanted = self._appended_until(relevant, asked)
        self.tables = [self._table(call, wanted) for call in relevant]
        self.last_asked = max(
            (
                t.call.returned_at
                for t in self.tables
                if t.pure or (t.needs is not ANYTHING and t.call.returned)
            ),
            default=0,
        )
        self.last_forbidden = max(
            (t.call.returned_at for t in self.tables if t.forbids is not ANYTHING), default=0
        )
        self._ways: dict[State, list[State]] = {}
        self._askers: dict[State, _Positions] = defaultdict(_Positions)
        self._sources: dict[State, _Positions] = defaultdict(_Positions)
        self._fill_positions()

    def events(self) -> Iterator[tuple[int, bool, int]]:
        """Yield (position, whether it is a return, number of the call) in order of time."""
        found = [(t.call.called_at, False, at) for at, t in enumerate(self.tables)]
        found += [(t.call.returned_at, True, at) for at, t in enumerate(self.tables)]
        found.sort()
        for event in found:
            if event[0] == NEVER:
                return
            yield event

    def after(self, number: int, state: State) -> State:
        """Return the state after a call in ``state``; ILLEGAL when its answer rules that out."""
        table = self.tables[number]
        if table.needs is not ANYTHING and table.needs != state:
            return ILLEGAL
        if table.appends is None:
            return table.result
        return self.states.extended(state, table.appends)

    def allows(self, number: int, state: State) -> bool:
        """Say whether a pure call may go in ``state``."""
        table = self.tables[number]
        if table.needs is not ANYTHING:
            return bool(table.needs == state)
        return bool(table.forbids != state)

    def first_return_of_askers(self, wanted: State, position: int) -> int:
        """Return the first return of the calls after ``position`` that need ``wanted``."""
        askers = self._askers.get(wanted)
        if askers is None:
            return NEVER
        at = askers.after(position)
        return askers.first_return_from[at] if at < len(askers.called) else NEVER

    def next_source(self, wanted: State, position: int) -> int:
        """Return where, after ``position``, a call begins from whose result ``wanted`` can come."""
        found = NEVER
        for state in self._ways_to(wanted):
            sources = self._sources.get(state)
            if sources is not None:
                at = sources.after(position)
                if at < len(sources.called):
                    found = min(found, sources.called[at])
        return found

    def is_source(self, number: int, wanted: State) -> bool:
        """Say whether ``wanted`` can come from what this call leaves behind."""
        table = self.tables[number]
        if table.pure or table.appends is not None:
            return False
        return self.states.leads_to(table.result, wanted)

    def _ways_to(self, wanted: State) -> Sequence[State]:
        if not self._texts:
            return (wanted,)
        if wanted not in self._ways:
            leads_to = self.states.leads_to
            self._ways[wanted] = [state for state in self._sources if leads_to(state, wanted)]
        return self._ways[wanted]

    def _table(self, call: Call, appended_until: Mapping[str, int]) -> Table:
        states = self.states
        if call.kind in {"read", "get"}:
            return Table(call, pure=True, needs=states.state_of(call.answer))
        if call.kind == "append":
            until = appended_until.get(call.value, NEVER)
            action = ("append", call.value)
            return Table(call, False, appends=call.value, wanted_until=until, action=action)
        if call.kind != "cas":
            left = states.state_of(call.value)
            until = states.asked_until(left)
            # What nobody asks for may be different for each call, but is the same to everybody.
            return Table(call, False, result=left, wanted_until=until, action=("write", left))
        expected, new = (states.state_of(value) for value in call.value)
        if call.is_pure:
            return Table(call, pure=True, forbids=expected)
        if call.value[0] == call.value[1] and call.returned:
            return Table(call, pure=True, needs=expected)
        return Table(call, False, needs=expected, result=new, action=("cas", expected, new))

    def _appended_until(self, calls: Sequence[Call], asked: Mapping[Any, int]) -> dict[str, int]:
        """Return for each appended text the last return of a call that saw it, as far as cheap."""
        texts = {call.value for call in calls if call.kind == "append"}
        if not texts or sum(map(len, asked)) * len(texts) > _SUBSTRING_WORK_MAX:
            return {}
        return {
            text: max((until for answer, until in asked.items() if text in answer), default=0)
            for text in texts
        }

    def _fill_positions(self) -> None:
        for number, table in enumerate(self.tables):
            if table.needs is not ANYTHING and table.call.returned:
                _add(self._askers[table.needs], number, table.call)
            if not table.pure and table.appends is None and table.result is not OTHER:
                _add(self._sources[table.result], number, table.call)
        for askers in self._askers.values():
            least = NEVER
            for member in reversed(askers.members):
                least = min(least, self.tables[member].call.returned_at)
                askers.first_return_from.append(least)
            askers.first_return_from.reverse()


def _matters(call: Call) -> bool:
    """Say whether a call restrains the order or may explain an answer."""
    if call.returned:
        return True
    return not call.is_pure and not (call.kind == "cas" and call.value[0] == call.value[1])


def _add(positions: _Positions, number: int, call: Call) -> None:
    positions.called.append(call.called_at)
    positions.members.append(number)


def _asked(calls: Sequence[Call]) -> dict[Any, int]:
    """Return for each value the last return of a call whose answer depends on it."""
    asked: dict[Any, int] = {}
    for call in calls:
        if call.kind in {"read", "get"}:
            value = call.answer
        elif call.kind == "cas":
            value = call.value[0]
        else:
            continue
        asked[value] = max(asked.get(value, 0), call.returned_at)
    return asked
