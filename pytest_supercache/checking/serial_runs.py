"""Runs users serially: warms the process up, and tests whether the code is deterministic.

The first run of a check differs from the others, because libraries fill tables once per process.
Serial runs are discarded until two in a row take the same steps. A violation that already occurs
in a serial run needs no concurrency.
"""

import random
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pytest_supercache.checking.environment import SerialEnd
from pytest_supercache.checking.runner import Failure, Runner, StepsHaveChanged
from pytest_supercache.core.errors import KeptError, NotDeterministicError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE
from pytest_supercache.core.verdict import Label
from pytest_supercache.oracle.judge import judge
from pytest_supercache.runtime.kernel.readings import ORDER
from pytest_supercache.search.random_walk import FreeChoice
from pytest_supercache.search.serial import Serial, serial_orders

REPEATS = 3
"""The number of runs of the first schedule that must agree if the code is deterministic."""

FAULTS_AFTER_MAX = 8
"""The largest number of operations of a serial order after which a fault may come."""

WALKS = 20
"""The number of random schedules drawn to see whether a failing flow can hold at all."""

WARM_UPS_MAX = 5
"""The largest number of runs that are discarded because the next one took other steps."""


class Turns(NamedTuple):
    """The outcome of the serial runs."""

    label: Label
    """The kind of bug that serial runs show."""
    found: Failure | None
    """A run that fails without any concurrency."""
    met: Failure | None
    """A run that fails because flows met in it nevertheless; a search can tell more about that."""


def take_turns(runner: Runner) -> Turns:
    """Run the users serially, in every order; return the label, and a failing run.

    The first run is repeated: the same schedule must always lead to the same steps. A user that
    waits lets others go on, and threads and jobs are no users: what fails where such flows meet is
    a conflict if other schedules hold.

    Raises:
        NotDeterministicError: it leads to others.
    """
    failing = total = 0
    found: Failure | None = None
    nobody_meets = False
    for turns in _turns(runner):
        execution = _executed(runner, turns)
        if execution.missed:
            continue
        violations = runner.judge(execution).violations
        total += 1
        failing += bool(violations)
        if violations and (found is None or not nobody_meets):
            is_alone = not _flows_meet(execution)
            if found is None or is_alone:
                found, nobody_meets = Failure(execution, violations, serial=True), is_alone
    if found is None or not (nobody_meets or _fails_anyhow(runner)):
        return Turns(Label.CONFLICT, None, found)
    if failing < total:
        return Turns(Label.ORDER_BUG, found, None)
    return Turns(Label.FAULT_BUG if runner.vector else Label.PLAIN_BUG, found, None)


def _executed(runner: Runner, turns: Serial) -> Execution:
    """Run the users serially; a fixed number of early ticks is a limit here as well."""
    return runner.execute(turns, unlimited_ticks=runner.settings.ticks == "auto")


def _flows_meet(execution: Execution) -> bool:
    """Say whether another flow took a step of the race inside a user's operation, or was started.

    Another flow is also a user that begins before another user has ended. Messages, the clock and
    faults are not flows.
    """
    if _users_overlap(execution):
        return True
    last: dict[str, int] = {}
    makers = (*execution.users, "system", "body")
    race = [step for step in execution.race if step.actor.partition("/")[0] in makers]
    for at, step in enumerate(race):
        before = last.get(step.actor)
        is_same = before is not None and race[before].operation == step.operation
        if "/" in step.actor or (is_same and before != at - 1):
            return True
        last[step.actor] = at
    return False


def _users_overlap(execution: Execution) -> bool:
    """Say whether a user took its first step while another one had begun and not ended."""
    users, begun = execution.users, dict[str, int]()
    for at, step in enumerate(execution.steps):
        if step.phase == RACE and step.actor in users:
            begun.setdefault(step.actor, at)
    return any(
        before < at < execution.ended.get(user, len(execution.steps))
        for user, before in begun.items()
        for at in begun.values()
    )


def _fails_anyhow(runner: Runner) -> bool:
    """Say whether all of a few random schedules fail."""
    source = random.Random(runner.settings.seed)
    for _ in range(WALKS):
        execution = runner.execute(FreeChoice(source))
        if execution.complete and not execution.missed and not runner.judge(execution).violations:
            return False
    return True


def _turns(runner: Runner) -> Iterator[Serial]:
    """Yield every serial order of the users.

    A fault that may come any time comes before the first operation, or after any later one up to a
    limit.
    """
    first = _first_turns(runner)
    has_move = any(fault.is_move for fault in runner.vector)
    racing = sum(operation.phase == RACE for operation in first.history)
    most = min(max(len(first.users), racing), FAULTS_AFTER_MAX) if has_move else 0
    for order in serial_orders(first.users, runner.settings.seed):
        for after in range(most + 1):
            yield Serial(order, after)


def repeat_first(runner: Runner) -> None:
    """Run the first schedule once more, last: if the code has changed, nothing is proved.

    Raises:
        NotDeterministicError: it took other steps, or ended otherwise.
    """
    assert runner.first is not None, "a search has executed something"
    _compare(runner, runner.first, _executed(runner, Serial(())))


def _first_turns(runner: Runner) -> Execution:
    first = warm_up(runner)
    for _ in range(REPEATS - 1):
        _compare(runner, first, _executed(runner, Serial(())))
    return first


def warm_up(runner: Runner) -> Execution:
    """Repeat serial runs until two in a row take the same steps; return the first of these.

    What is filled once in a process, such as a registry that no module of the code under test leads
    to, makes the first run unlike all others. It does not count, but for what it breaks.

    Raises:
        NotDeterministicError: each run differs from the one before, or one breaks something else.
    """
    (first, end), difference = _first(runner), None
    has_imported = runner.environment.notice_new_modules()  # their locks were not ours yet
    for _ in range(WARM_UPS_MAX + 1):
        again = _executed(runner, Serial(()))
        end_again = _end(runner, again)
        _compare_broken(end.broken, end_again.broken)
        difference = _difference(first, again)
        if difference is None and not has_imported:
            _compare_with_first(runner, first, end, end_again)
            runner.environment.sharing.is_warmed_up = True
            return first
        runner.replace_first(first, again, is_told=not has_imported)
        first, end, has_imported = again, end_again, False
    raise NotDeterministicError(difference or "modules were imported in every run")


def _first(runner: Runner) -> tuple[Execution, SerialEnd]:
    """Make the first serial run; compare its violations with those of the very first run.

    A search starts over when it has learnt something from a run. What that run has used up, such as
    state that no execution gives back, is not there for the next one.
    """
    try:
        first = _executed(runner, Serial(()))
    except StepsHaveChanged as change:
        found = change.execution
        if found is not None and found.complete and not found.hazards:
            _note_first(runner, found, _end(runner, found))
        raise
    end = _end(runner, first)
    _note_first(runner, first, end)
    return first, end


def _note_first(runner: Runner, execution: Execution, end: SerialEnd) -> None:
    if runner.vector or _flows_meet(execution):  # how they do depends on what was known by then
        return
    environment = runner.environment
    known = environment.first_end
    if known is None or known.orders_readings != end.orders_readings:
        environment.first_end = known = end
    first = known.broken
    if end.broken < first and first <= _broken_as_at_first(runner):
        return  # what is known by now makes the difference, such as when an object ends
    _compare_broken(first, end.broken)


def _broken_as_at_first(runner: Runner) -> frozenset[str]:
    """Return what a serial run breaks that knows as little of shared memory as the first one."""
    environment = runner.environment
    with environment.as_at_first():
        again = environment.execute(
            runner.body,
            Serial(()),
            unlimited_ticks=runner.settings.ticks == "auto",
            shared_memory=runner.shared,
            outside=runner.outside,
        )
    return _end(runner, again).broken


def _compare_with_first(
    runner: Runner, execution: Execution, end: SerialEnd, end_again: SerialEnd
) -> None:
    """Compare the commands and answers of two runs in a row with those of the very first run."""
    first = runner.environment.first_end
    if runner.vector or first is None or _flows_meet(execution):
        return
    if first.commands != end.commands:
        runner.tell_of_first(len(first.commands), len(end.commands), "command")
    # If they answer differently, too, every run answers something else.
    if first.answers != end.answers and end.answers == end_again.answers:
        differing = dict(set(end.answers) ^ set(first.answers))
        raise KeptError(
            f"users who took turns were answered something else in the first run than later "
            f"({', '.join(sorted(differing))}): {_KEPT}"
        )


_KEPT = (
    "something was kept that no execution gives back, such as an object in a module. Let the body "
    "make it, or name the module in isolate=[...]"
)


def _end(runner: Runner, execution: Execution) -> SerialEnd:
    violations = judge(execution, runner.guarantees).violations
    answered = [
        *execution.results.items(),
        *((f"{operation.user}: {operation.kind}", operation.answer)
          for operation in execution.history if operation.phase == RACE),
    ]  # fmt: skip
    return SerialEnd(
        frozenset(violation.guarantee for violation in violations),
        tuple(
            (who, _plain(answer, has_read_clock=execution.has_read_clock))
            for who, answer in answered
        ),
        tuple((step.actor, step.label) for step in execution.race if step.kind in _OF_LAYERS),
        any(ORDER.writes <= step.footprint.writes for step in execution.race),
    )


_OF_LAYERS = frozenset({"command", "origin", "super_cache", "watched"})


def _plain(answer: Any, *, has_read_clock: bool) -> object:
    """Return an answer as far as it is the same in every run.

    Of what may be an address this is its type. Of what may be a time it is the type, or the text
    without its microseconds: by how many of these readings differ depends on which of the flow's
    steps are known, and a search learns of more of them.
    """
    kind = type(answer)
    is_address = "0x" in answer if kind is str else kind is int and answer >= _ADDRESSES
    is_time = has_read_clock and kind is float
    if is_address or is_time or kind not in _PLAIN:
        return kind
    return _MICROSECONDS.sub("", answer) if has_read_clock and kind is str else answer


_MICROSECONDS = re.compile(r"\d{6,}")


_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})
_ADDRESSES = 1 << 32
"""Integers from here on may be addresses."""


def _compare(runner: Runner, first: Execution, again: Execution) -> None:
    difference = _difference(first, again)
    if difference is not None:
        raise NotDeterministicError(difference)
    _compare_ends(runner, first, again)


def _difference(first: Execution, again: Execution) -> str | None:
    """Say how two runs of the same schedule differ in their steps; None: they do not."""
    if first.schedule != again.schedule:
        return "users took turns in the same order, but others could go on"
    for one, other in zip(first.steps, again.steps, strict=False):
        if one.signature != other.signature:
            return (
                f"{one.actor} took the step {one.label!r} in one run and {other.label!r} "
                f"({other.actor}) in another, under the same schedule"
            )
    if len(first.steps) != len(again.steps):
        return (
            f"the same schedule took {len(first.steps)} steps in one run and {len(again.steps)} "
            "in another"
        )
    return None


def _compare_ends(runner: Runner, first: Execution, again: Execution) -> None:
    _compare_broken(_end(runner, first).broken, _end(runner, again).broken)


def _compare_broken(first: frozenset[str], again: frozenset[str]) -> None:
    if first != again:
        once = ", ".join(sorted(first ^ again))
        raise KeptError(f"the same schedule broke {once} in one run and not in another: {_KEPT}")
