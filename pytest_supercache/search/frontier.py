"""Divides an exhaustive search among processes, without executing an interleaving twice.

A search that is interrupted leaves its frontier: the wakeup trees of the nodes on its path. A leaf
of such a tree is a subtree that another process can explore, given the nodes above it. A race with
a step above the subtree is reversed at a node that the frontier keeps.

Any leaf can be handed out at any time. What sleeps in it are the branches before it, and they are
there from the start; what is inserted later goes to other leaves, or is covered by this one. So its
subtree is the one that a search by one process explores in the end. That is not so of a branch with
more than one step: races that are found below its elder siblings may still add to it, and what
begins with these siblings is not looked for below it (Abdulla et al., "Source sets", JACM 2017:
their proof goes by the order in which nodes are left).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.search.events import Dependence, StepEvent, TraceKey
from pytest_supercache.search.wakeup import INDEPENDENT, Branch, Sequel, initial, is_asleep
from pytest_supercache.search.walk import Node, Root

NamedStep = tuple[str, Footprint]
"""A step as every process knows it: its actor and its footprint."""

Labels = tuple[tuple[str, str], ...]
"""The actors and labels of events that every run begins with."""

Part = Root | None
"""The root of the search after an early tick; None: the clock cannot move there."""


@dataclass(frozen=True, slots=True)
class SentBranch:
    """A branch of a wakeup tree as it is sent."""

    step: NamedStep
    then: tuple["SentBranch", ...] = ()


@dataclass(frozen=True, slots=True)
class SentNode:
    """A node as it is sent: its sleep set, and its branches; the first one may have been begun."""

    sleep: tuple[NamedStep, ...]
    branches: tuple[SentBranch, ...]


@dataclass(frozen=True, slots=True)
class Subtree:
    """A part of the tree of interleavings: what begins with the first branch of the last node.

    ``path`` has all nodes from the root to that one; without any it is all that follows the root.
    """

    root: Root
    path: tuple[SentNode, ...] = ()
    choices: tuple[str, ...] = ()
    """The choices before the first branch of the last node."""
    labels: Labels = ()

    @property
    def script(self) -> tuple[str, ...]:
        """The choices of its first run, as far as they are given."""
        if not self.path:
            return self.root.choices
        return (*self.choices, self.path[-1].branches[0].step[0])

    @property
    def leaf(self) -> "Leaf":
        """Its name, which it has in every run of the same search."""
        if not self.path:
            return Leaf(self.root)
        return Leaf(self.root, self.choices, self.path[-1].branches[0].step)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a subtree begins: the choices before its first step, and that step."""

    root: Root
    choices: tuple[str, ...] = ()
    step: NamedStep | None = None
    """None: all that follows the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What an interrupted search leaves: the nodes of its path, and the choices along them."""

    path: tuple[SentNode, ...] = ()
    choices: tuple[str, ...] = ()
    """The choices before the first branch of the last node."""
    places: tuple[int, ...] = ()
    """The number of choices before each node."""
    labels: Labels = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """The outcome of the exploration of a subtree, as far as others have to know it."""

    reversals: tuple[tuple[int, tuple[NamedStep, ...]], ...]
    """Steps to take in place of another one, and the position of their node on the path."""
    left: Remainder
    """What is left of it; no nodes: it was explored whole."""
    parts: tuple[tuple[TraceKey, Part], ...]
    """What may come before an early tick, and the root of the search after it."""


@dataclass(slots=True, eq=False)
class _Branch:
    """A branch at a node that the frontier keeps: a leaf, or it leads to another such node."""

    actor: str
    footprint: int
    node: "_KeptNode"
    below: "_KeptNode | None" = None  # None: a leaf, and so whatever begins with it is explored


@dataclass(slots=True, eq=False)
class _KeptNode:
    """A node that a frontier keeps: branches may come to it while others explore below it."""

    root: Root
    choices: tuple[str, ...]
    labels: Labels
    via: _Branch | None  # that leads here
    asleep: dict[str, int]
    branches: list[_Branch] = field(default_factory=list)

    def asleep_below(self, branch: _Branch) -> dict[str, int]:
        """Return what sleeps when a branch is begun: also the branches before it."""
        before = self.branches[: self.branches.index(branch)]
        return self.asleep | {one.actor: one.footprint for one in before}

    def after(self, branch: _Branch) -> list[_Branch]:
        """Return the branches after one."""
        return self.branches[self.branches.index(branch) + 1 :]


@dataclass(frozen=True, slots=True)
class Claim:
    """A subtree that was handed out, and where its reversals belong."""

    subtree: Subtree
    path: tuple[_Branch, ...] = ()


class Frontier:
    """What is left of a search: subtrees to be explored, and what they find outside of themselves.

    Args:
        dependence: numbers the footprints of the search.
        parts: what may come before early ticks, as far as it is known.
        roots: after these ticks nothing was explored so far.
        root: the root of the path on which the search was interrupted.
        left: the path.
    """

    def __init__(
        self,
        dependence: Dependence,
        parts: dict[TraceKey, Part],
        roots: Iterable[Root],
        root: Root,
        left: Remainder,
    ) -> None:
        self._dependence = dependence
        self._parts = parts
        self._roots = deque(roots)
        self._leaves: dict[_Branch, None] = {}
        self._keep(root, left, None)

    @property
    def owed(self) -> int:
        """The least number of runs that are left, beside those of subtrees that were handed out."""
        return len(self._roots) + len(self._leaves)

    def take(self) -> Claim | None:
        """Hand out a subtree, a large one if there is a choice; None: there is none now."""
        if not self._leaves:
            return Claim(Subtree(self._roots.popleft())) if self._roots else None
        return self._claim(min(self._leaves, key=lambda one: len(one.node.choices)))

    def claim(self, leaf: Leaf) -> Claim | None:
        """Hand out a subtree by its name; None: there is no such one now."""
        if leaf.step is None:
            if leaf.root not in self._roots:
                return None
            self._roots.remove(leaf.root)
            return Claim(Subtree(leaf.root))
        for branch in self._leaves:
            node, step = branch.node, self._named(branch)
            if (node.root, node.choices, step) == (leaf.root, leaf.choices, leaf.step):
                return self._claim(branch)
        return None

    def _claim(self, leaf: _Branch) -> Claim:
        del self._leaves[leaf]
        path = [leaf]
        while (via := path[-1].node.via) is not None:
            path.append(via)
        path.reverse()
        sent = tuple(self._sent(branch) for branch in path)
        node = leaf.node
        return Claim(Subtree(node.root, sent, node.choices, node.labels), tuple(path))

    def put_back(self, claim: Claim) -> None:
        """Take back a subtree that nobody has begun to explore."""
        if not claim.path:
            self._roots.append(claim.subtree.root)
            return
        self._leaves[claim.path[-1]] = None

    def put(self, claim: Claim, explored: Explored) -> None:
        """Take in what the exploration of a subtree has left and found."""
        for at, steps in explored.reversals:
            sequel = [(actor, self._dependence.number(footprint)) for actor, footprint in steps]
            self._reverse(claim.path[at], sequel)
        self._keep(claim.subtree.root, explored.left, claim.path[-1] if claim.path else None)
        for part, root in explored.parts:
            if part not in self._parts:
                self._parts[part] = root
                if root is not None:
                    self._roots.append(root)

    def _sent(self, branch: _Branch) -> SentNode:
        """Return the node of a branch as it is sent, with that branch and those after it."""
        asleep = branch.node.asleep_below(branch).items()
        return SentNode(
            tuple((actor, self._dependence.footprint(number)) for actor, number in asleep),
            (SentBranch(self._named(branch)), *map(self._sent_branch, branch.node.after(branch))),
        )

    def _sent_branch(self, branch: _Branch) -> SentBranch:
        below = () if branch.below is None else branch.below.branches
        return SentBranch(self._named(branch), tuple(map(self._sent_branch, below)))

    def _named(self, branch: _Branch) -> NamedStep:
        return branch.actor, self._dependence.footprint(branch.footprint)

    def _reverse(self, branch: _Branch, sequel: Sequel) -> None:
        """Insert a sequel that is to be taken in place of a branch, unless it is covered."""
        node = branch.node
        if is_asleep(node.asleep_below(branch), sequel, self._dependence):
            return
        branches = node.after(branch)
        while True:
            for one in branches:
                at = initial(one.actor, one.footprint, sequel, self._dependence)
                if at is None:
                    continue
                if one.below is None:
                    return
                if at != INDEPENDENT:
                    del sequel[at]
                node, branches = one.below, one.below.branches
                break
            else:
                self._grow(node, sequel)
                return

    def _grow(self, node: _KeptNode, sequel: Sequel) -> None:
        """Add a sequel at a node, as a branch whose last step is a leaf."""
        *first, last = sequel
        for step in first:
            node = self._below(self._branch(node, step))
        self._leaves[self._branch(node, last)] = None

    def _branch(self, node: _KeptNode, step: tuple[str, int]) -> _Branch:
        branch = _Branch(*step, node)
        node.branches.append(branch)
        return branch

    def _below(self, branch: _Branch) -> _KeptNode:
        """Keep the node below a branch."""
        node, depends = branch.node, self._dependence.row(branch.footprint)
        asleep = {
            actor: footprint
            for actor, footprint in node.asleep_below(branch).items()
            if actor != branch.actor and not depends[footprint]
        }
        choices = (*node.choices, branch.actor)
        branch.below = _KeptNode(node.root, choices, node.labels, branch, asleep)
        return branch.below

    def _keep(self, root: Root, left: Remainder, via: _Branch | None) -> None:
        """Keep what a search has left below a branch."""
        for at, (sent, place) in enumerate(zip(left.path, left.places, strict=True)):
            asleep = {actor: self._dependence.number(one) for actor, one in sent.sleep}
            labels = left.labels[: len(left.labels) - (len(left.path) - 1 - at)]
            node = _KeptNode(root, left.choices[:place], labels, via, asleep)
            for one in sent.branches:
                self._plant(node, one)
            via = node.branches[0]
            if at < len(left.path) - 1:
                self._leaves.pop(via, None)  # it leads to the next one

    def _plant(self, node: _KeptNode, sent: SentBranch) -> None:
        branch = self._branch(node, (sent.step[0], self._dependence.number(sent.step[1])))
        if not sent.then:
            self._leaves[branch] = None
            return
        below = self._below(branch)
        for one in sent.then:
            self._plant(below, one)


def sent_node(node: Node, dependence: Dependence, *, has_begun: bool) -> SentNode:
    """Return a node of a search as it is sent; ``has_begun`` of its first branch."""

    def sent_branches(branches: Iterable[Branch]) -> Iterator[SentBranch]:
        for one in branches:
            step = one.actor, dependence.footprint(one.footprint)
            yield SentBranch(step, tuple(sent_branches(one.then)))

    first, *others = node.branches
    taken = (
        [SentBranch((first.actor, dependence.footprint(first.footprint)))]
        if has_begun
        else sent_branches([first])
    )
    sleep = tuple((actor, dependence.footprint(number)) for actor, number in node.sleep.items())
    return SentNode(sleep, (*taken, *sent_branches(others)))


def node_of(sent: SentNode, dependence: Dependence) -> Node:
    """Return a node that was sent, with footprints numbered as this process does."""

    def branches(sent_branches: Iterable[SentBranch]) -> list[Branch]:
        return [
            Branch(one.step[0], dependence.number(one.step[1]), branches(one.then))
            for one in sent_branches
        ]

    sleep = {actor: dependence.number(footprint) for actor, footprint in sent.sleep}
    return Node(sleep, branches(sent.branches))


def labels_of(events: Sequence[StepEvent]) -> Labels:
    """Return what every run that begins with these events has in common, in any process."""
    return tuple((event.actor, event.step.label) for event in events)
