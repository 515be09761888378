"""Evaluates guards on recorded operations, for the runtime and for searches alike.

The runtime keeps :class:`Waits` while it executes. A search asks :func:`is_enabled` about any
moment of an execution, given what was recorded until then.
"""

from collections.abc import Callable, Iterable, Mapping

from pytest_supercache.core.waits import FlagState, Wait, WaitState

SET = FlagState(is_set=True)


def is_enabled(
    actor: str,
    wait: Wait | None,
    is_set: Callable[[str], bool],
    state_of: Callable[[str], WaitState | None],
    *,
    fired: bool | None = None,
    news: bool | None = None,
) -> bool:
    """Say whether an actor may take its next step: the one rule, for the runtime and searches.

    Args:
        actor: the actor that is to take the step.
        wait: the guard of its step; None: no flag and no object holds it back.
        is_set: says which flags are set, including timers that have fired.
        state_of: returns the state of an object; None: no step has used it.
        fired: whether the step's deadline has come; None: it has none.
        news: whether something that a condition reads was written since it was found false; None:
            the step does not check a condition again.
    """
    if fired:
        return wait is None or not wait.after or is_set(wait.after)
    if news is not None:
        return news
    if wait is None:
        return fired is None
    return allows(actor, wait, is_set, state_of)


def allows(
    actor: str,
    wait: Wait,
    is_set: Callable[[str], bool],
    state_of: Callable[[str], WaitState | None],
) -> bool:
    """Say whether flags and objects let ``actor`` take a step with this guard."""
    if wait.after and not is_set(wait.after):
        return False
    if wait.timer and is_set(wait.timer):
        return True
    if not all(map(is_set, wait.flags)):
        return False
    if wait.any_of and sum(map(is_set, wait.any_of)) < wait.enough:
        return False
    if not wait.guarded:
        return True
    state = state_of(wait.object) if wait.object else None
    return bool(wait.object) and (state is None or state.allows(wait.holder(actor), wait.verb))


class Waits:
    """The state of every wait object at one moment.

    Args:
        initial: the state of each object before any step.
    """

    def __init__(self, initial: Mapping[str, WaitState] | None = None) -> None:
        self.initial: dict[str, WaitState] = dict(initial or {})
        self.states: dict[str, WaitState] = dict(self.initial)
        self._marked: dict[str, WaitState] = {}

    def declare(self, name: str, initial: WaitState) -> WaitState:
        """Return the state of an object, which begins as ``initial``."""
        self.initial.setdefault(name, initial)
        return self.states.setdefault(name, initial)

    def is_set(self, flag: str) -> bool:
        """Say whether a flag is set; an unknown flag is not."""
        return self.states.get(flag) == SET

    def mark(self) -> None:
        """Remember all states now: the race begins."""
        self._marked = dict(self.states)

    def before_race(self) -> dict[str, WaitState]:
        """Return the states when the race began; of later objects, their initial ones."""
        return self.initial | self._marked

    def perform(self, actor: str, wait: Wait) -> tuple[WaitState | None, WaitState | None]:
        """Do what a step does to its object; return the object before and after.

        A timed wait tries to acquire before it looks at its deadline, so an expired timer matters
        only if the object is not available.
        """
        verb = wait.verb
        if wait.timer and self.is_set(wait.timer) and not self._is_free(actor, wait):
            verb = wait.otherwise
        before = after = None
        if wait.object and verb:
            before = self.states[wait.object]
            after = self.states[wait.object] = before.after(wait.holder(actor), verb)
        for flag in wait.flags_set(before, after):
            self.states[flag] = SET
        return before, after

    def _is_free(self, actor: str, wait: Wait) -> bool:
        state = self.states[wait.object] if wait.object else None
        return state is not None and state.allows(wait.holder(actor), wait.verb)

    def fire(self, timers: Iterable[str]) -> None:
        """Let timers fire: the clock has reached their deadlines."""
        for timer in timers:
            self.states[timer] = SET
