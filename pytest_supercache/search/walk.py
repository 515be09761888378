"""Walks the exhaustive search through one run: a known path is repeated, then extended.

The walk is the scheduler of that run. It makes the nodes of the path as it goes, and raises an
alarm at anything that is impossible if the steps touch no more than they declare.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import CLOCK, Choices
from pytest_supercache.core.trace import Step, last_chosen
from pytest_supercache.search.knowledge import Knowledge
from pytest_supercache.search.wakeup import Branch


class ReductionAlarm(Exception):  # noqa: N818 - a change of plan, not an error
    """Something happened that is impossible if the steps touch no more than they declare."""


Place = tuple[int, frozenset[str]]
"""A number of events that have happened, and the actors that have begun and only wait."""


@dataclass(slots=True)
class Node:
    """A point of choice on the present path; its first branch is the one that was taken."""

    sleep: dict[str, int]
    branches: list[Branch]


@dataclass(frozen=True, slots=True)
class Root:
    """Where a search begins: its choices, the number of events, and the actors that only wait."""

    choices: tuple[str, ...] = ()
    events: int = 0
    begun: frozenset[str] = frozenset()


class SystematicWalk:
    """Repeats a script of choices, then extends the path."""

    def __init__(
        self, script: tuple[str, ...], nodes: list[Node], root: Root, knowledge: Knowledge
    ) -> None:
        self.script = script
        self._nodes = nodes
        self._knowledge = knowledge
        self._begun = set(script)
        self._is_open = bool(nodes)  # the last node's step has not been seen yet
        self._root = root
        self._last_of_root = len(root.choices) - 1
        self._offered: dict[int, tuple[str, ...]] = {}  # who could go on, where it was asked
        self.is_blocked = False  # all that could go on need not be tried
        self.is_impossible = False  # the clock cannot move where the script says so

    def choose(self, choices: Choices) -> str | None:
        """Return the next actor; rarely called within the script, see :class:`Scheduler`."""
        taken = choices.taken
        self._offered[taken] = choices.enabled
        if taken >= len(self.script):
            if self._is_open:
                self._close(_step_of(taken - 1, choices.steps))
            return self._go_on(choices)
        wanted = self.script[taken]
        if taken == self._last_of_root and not self._may_tick_early(choices):
            self.is_impossible = True
            return None
        if wanted not in choices.enabled:
            raise ReductionAlarm(
                f"after the same {taken} choices {wanted} cannot go on where the steps say that "
                "it can"
            )
        return wanted

    def finish(self, execution: Execution) -> None:
        """Note the last step of a run that has ended."""
        last = len(execution.schedule.choices) - 1
        if last < len(self.script) - 1:
            raise ReductionAlarm(
                f"everybody had ended after {last + 1} choices where somebody could go on before"
            )
        if self._is_open:
            self._close(_step_of(last, execution.steps))

    def early(self, execution: Execution) -> dict[Place, bool]:
        """Return, for each place of the run, whether the clock could move early there."""
        found: dict[Place, bool] = {}
        places = _places(execution.schedule.choices, execution.steps)
        for at, place in enumerate(places):
            found[place] = found.get(place, False) or _is_early(self._offered.get(at, ()))
        return found

    def _may_tick_early(self, choices: Choices) -> bool:
        """Say whether the clock, which ends every root but the first, may move early here."""
        *_, here = _places(self.script[: choices.taken], choices.steps)
        if here != (self._root.events, self._root.begun):
            raise ReductionAlarm("what somebody does first depends on what nobody declared")
        return _is_early(choices.enabled)

    def _close(self, step: Step | None) -> None:
        """Learn the step of the last node; drop the node if its choice led to no step."""
        self._is_open = False
        node = self._nodes[-1]
        branch = node.branches[0]
        if step is None:
            if branch.footprint >= 0:
                raise ReductionAlarm(f"{branch.actor} began and waits where it could go on before")
            node.branches.pop(0)
            self._nodes.pop()
            return
        number = self._knowledge.dependence.number(step.footprint)
        if branch.footprint not in (-1, number):
            raise ReductionAlarm(
                f"{step.actor}'s step {step.label!r} declares another footprint after steps that "
                "do not touch it"
            )
        branch.footprint = number

    def _go_on(self, choices: Choices) -> str | None:
        node = self._next_node()
        self._nodes.append(node)
        self._is_open = True
        if node.branches:
            actor = node.branches[0].actor
            if actor not in choices.enabled:
                raise ReductionAlarm(
                    f"{actor} cannot go on after {choices.taken} choices where the steps say that "
                    "it can"
                )
        else:
            chosen = self._choice(node, choices)
            if chosen is None:
                self.is_blocked = True
                self._is_open = False
                self._nodes.pop()
                return None
            actor = chosen
            node.branches.append(Branch(actor, -1))
        self._begun.add(actor)
        return actor

    def _next_node(self) -> Node:
        if not self._nodes:
            return Node({}, [])
        last = self._nodes[-1]
        taken = last.branches[0]
        if taken.actor == CLOCK:
            return Node({}, taken.then)
        depends = self._knowledge.dependence.row(taken.footprint)
        sleep = {
            actor: footprint
            for actor, footprint in last.sleep.items()
            if actor != taken.actor and not depends[footprint]
        }
        return Node(sleep, taken.then)

    def _choice(self, node: Node, choices: Choices) -> str | None:
        """Choose an actor freely, without a preemption if possible."""
        last = choices.last
        if last in choices.enabled and last not in node.sleep:  # it has begun
            return last
        able = [name for name in choices.enabled if name != CLOCK]
        if not able:
            return CLOCK
        waiting = [name for name in able if self._must_wait(name, choices)]
        if len(waiting) < len(able):
            able = [name for name in able if name not in waiting]
        return next((name for name in able if name not in node.sleep), None)

    def _must_wait(self, actor: str, choices: Choices) -> bool:
        return actor not in self._begun and self._knowledge.must_wait(actor, choices.steps)


def _step_of(choice: int, steps: Sequence[Step]) -> Step | None:
    """Return the step that choice number ``choice``, the last one, led to; None: none."""
    step = last_chosen(steps)
    return step if step is not None and step.choice == choice else None


def _is_early(enabled: tuple[str, ...]) -> bool:
    """Say whether the clock may move although an actor is enabled."""
    return CLOCK in enabled and len(enabled) > 1


def _places(choices: Sequence[str], steps: Sequence[Step]) -> Iterator[Place]:
    """Yield the place of a run before each of its choices and after the last one."""
    fruitful = {step.choice for step in steps}
    events = 0
    waiting: set[str] = set()
    yield events, frozenset()
    for at, actor in enumerate(choices):
        if at in fruitful:
            events += 1
            waiting.discard(actor)
        else:
            waiting.add(actor)
        yield events, frozenset(waiting)
