"""The calls of one key as the search needs them: the state each requires, and what it leaves.

Most of it answers questions about the future. A value that is overwritten before any call can ask
for it need not be remembered; an answer that nothing to come can explain need not be waited for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_supercache.oracle.linear.call import NEVER, READS, Call
from pytest_supercache.oracle.linear.positions import NO_POSITIONS, Positions
from pytest_supercache.oracle.linear.states import OTHER, Exact, Prefixes, State
from pytest_supercache.oracle.linear.texts import Texts


class _Nothing:
    """A marker that equals only itself."""


ANYTHING: Final = _Nothing()
ILLEGAL: Final = _Nothing()


@dataclass(slots=True)
class CallConstraint:
    """What one call ``needs`` or ``forbids``, and what it leaves: ``result``, or a longer text.

    A pure call leaves everything as it is.
    """

    call: Call
    certain: bool  # its outcome is known: only then must it have a place in the order
    pure: bool = False
    needs: State = ANYTHING
    forbids: State = ANYTHING
    result: State = OTHER
    appends: str | None = None
    action: object = None  # calls with equal actions are interchangeable
    seen_until: int = NEVER  # the last position at which anybody may see what it leaves behind

    @property
    def replaces(self) -> bool:
        """Whether it takes effect in any state of the key, and nothing of that state remains."""
        return not self.pure and self.needs is ANYTHING and self.appends is None

    def fits(self, state: State) -> bool:
        """Say whether a pure call may take effect in ``state``."""
        if self.needs is not ANYTHING:
            return bool(self.needs == state)
        return bool(self.forbids != state)


class KeyProblem:
    """All calls of one key that can matter, in the order in which they begin."""

    def __init__(self, calls: Sequence[Call], initials: Iterable[Any]) -> None:
        initials = tuple(initials)
        relevant = sorted(filter(_matters, calls), key=lambda call: call.called_at)
        asked = {_asked(call) for call in relevant if call.kind in READS or call.kind == "cas"}
        grows = any(call.kind == "append" for call in relevant)
        self._texts = Texts(relevant, initials) if grows else None
        self.states = Prefixes(asked) if grows else Exact(asked)
        self.initials = list(dict.fromkeys(map(self.states.state_of, initials)))
        self.constraints = [self._constraint(call) for call in relevant]
        self.last_asked = max(
            (one.call.returned_at for one in self.constraints if _asks(one)), default=-1
        )
        self.last_forbidden = max(
            (one.call.returned_at for one in self.constraints if one.forbids is not ANYTHING),
            default=-1,
        )
        self._changes = Positions(
            one.call
            for one in self.constraints
            if one.certain and not one.pure and one.appends is None
        )
        self._seers: Mapping[State, Positions] = _by_state(
            (state, one.call) for one in self.constraints for state in (one.needs, one.forbids)
        )
        self._askers = _by_state((one.needs, one.call) for one in self.constraints if _asks(one))
        self._sources = _by_state(
            (one.result, one.call)
            for one in self.constraints
            if not one.pure and one.appends is None
        )
        self._ways: dict[State, list[Positions]] = {}
        for constraint in self.constraints:
            constraint.seen_until = self._seen_until(constraint)

    def events(self) -> Iterator[tuple[int, bool, int]]:
        """Yield (position, whether it is a return, number of the call) in order of time."""
        found = [(one.call.called_at, False, at) for at, one in enumerate(self.constraints)]
        found += [
            (one.call.returned_at, True, at)
            for at, one in enumerate(self.constraints)
            if one.certain
        ]
        return iter(sorted(found))

    def after(self, number: int, state: State) -> State:
        """Return the state after a call in ``state``; ILLEGAL if its answer rules that out."""
        constraint = self.constraints[number]
        if constraint.needs is not ANYTHING and constraint.needs != state:
            return ILLEGAL
        if constraint.appends is None:
            return constraint.result
        return self.states.extended(state, constraint.appends)

    def next_replaced(self, position: int) -> int:
        """Return the earliest return of a change that begins after ``position``."""
        return self._changes.first_return(position)

    def is_seen(self, state: State, after: int, end: int) -> bool:
        """Say whether a call from before ``end`` that returns after ``after`` tells ``state``."""
        for answer in self.states.answers(state):
            if self._seers[answer].last_return(end) > after:
                return True
        return False

    def first_return_of_askers(self, answer: State, position: int) -> int:
        """Return the first return of the calls after ``position`` that require ``answer``."""
        return self._askers.get(answer, NO_POSITIONS).first_return(position)

    def next_source(self, answer: State, position: int) -> int:
        """Return the start of the next call after ``position`` that can lead to ``answer``."""
        if answer not in self._ways:
            leads_to = self.states.leads_to
            self._ways[answer] = [
                sources for state, sources in self._sources.items() if leads_to(state, answer)
            ]
        return min((way.next_call(position) for way in self._ways[answer]), default=NEVER)

    def is_source(self, number: int, answer: State) -> bool:
        """Say whether ``answer`` can result from the state that this call leaves."""
        constraint = self.constraints[number]
        if constraint.pure or constraint.appends is not None:
            return False
        return self.states.leads_to(constraint.result, answer)

    def sole_gets(self, number: int) -> Positions:
        """Return the gets whose text this call alone can have appended."""
        text = self.constraints[number].appends
        if text is None or self._texts is None or not self._texts.come_once(text):
            return NO_POSITIONS
        return self._texts.gets(text)

    def _seen_until(self, constraint: CallConstraint) -> int:
        if constraint.pure:
            return NEVER
        end = self.next_replaced(constraint.call.returned_at)
        if constraint.appends is None:
            answers = self.states.answers(constraint.result)
            return max((self._seers[answer].last_return(end) for answer in answers), default=-1)
        if self._texts is None or not self._texts.are_known:
            return NEVER
        return self._texts.gets(constraint.appends).last_return(end)

    def _constraint(self, call: Call) -> CallConstraint:
        state_of, certain = self.states.state_of, call.returned
        if call.kind in READS:
            return CallConstraint(call, certain, pure=True, needs=state_of(call.answer))
        if call.kind == "append":
            return CallConstraint(call, certain, appends=call.value, action=("append", call.value))
        if call.kind != "cas":
            result = state_of(call.value)
            return CallConstraint(call, certain, result=result, action=("write", result))
        expected, new = map(state_of, call.value)
        if call.is_pure:
            return CallConstraint(call, certain, pure=True, forbids=expected)
        if call.value[0] == call.value[1]:
            return CallConstraint(call, certain, pure=True, needs=expected)
        action = ("cas", expected, new)
        return CallConstraint(call, certain, needs=expected, result=new, action=action)


def _matters(call: Call) -> bool:
    """Say whether a call restricts the order, or may explain an answer."""
    if call.returned:
        return True
    return not call.is_pure and not (call.kind == "cas" and call.value[0] == call.value[1])


def _asked(call: Call) -> Any:
    return call.value[0] if call.kind == "cas" else call.answer


def _asks(constraint: CallConstraint) -> bool:
    """Say whether an order must let this call find the state that it needs."""
    return constraint.certain and (constraint.pure or constraint.needs is not ANYTHING)


def _by_state(found: Iterable[tuple[State, Call]]) -> dict[State, Positions]:
    calls: dict[State, list[Call]] = defaultdict(list)
    for state, call in found:
        if state is not ANYTHING and state is not OTHER:
            calls[state].append(call)
    return {state: Positions(own) for state, own in calls.items()}
