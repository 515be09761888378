"""``sequentially_consistent``: one order of all operations explains all answers.

Definition: there is an order of all operations that keeps every session's order and in which each
read shows the last write before it (Lamport, "How to Make a Multiprocessor Computer That Correctly
Executes Multiprocess Programs", 1979). With the origin's commit order known this is a question of
cycles: session order, reads-from, version order and from-read edges have none (exact then; without
the version order the question is NP-complete). A write that failed or never returned may take
effect anywhere. An operation is one node, whatever it reads and writes. It needs the origin's
commit order. Cost: O(operations + commits), times the ways to understand equal values.
Trace-invariant: none of the edges is about real time.
"""

from collections.abc import Iterator
from itertools import islice, pairwise, product

from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, decided_by
from pytest_supercache.oracle.who import who

WAYS_MAX = 4096
"""The largest number of ways to understand equal values; with more it is not judged."""

Node = tuple[str, int]
"""``("operation", position)``, or ``("commit", position)`` for a commit that belongs to none."""
Edges = dict[Node, set[Node]]


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    observed.require_origin()
    sights: list[tuple[Sight, list[int]]] = []
    for sight in observed.sights:
        versions = observed.versions(sight)
        if isinstance(versions, NotJudgedError):
            yield versions
            return
        if versions:
            sights.append((sight, versions))
    makers = _makers(observed)
    ways = product(
        product(*(makers[number] for number in sorted(makers))),
        product(*(versions for _, versions in sights)),
    )
    tried = list(islice(ways, WAYS_MAX + 1))
    if len(tried) > WAYS_MAX:
        yield NotJudgedError(f"there are more than {WAYS_MAX} ways to understand equal values")
        return
    shown = [sight for sight, _ in sights]
    cycles = [_cycle(_edges(observed, made, shown, seen)) for made, seen in tried]
    if cycles[0] is not None and all(cycles):
        yield _violation(observed, cycles[0])
    elif any(cycles):
        yield NotJudgedError(
            "some values stand for several versions, and only some ways to understand them have "
            "an order; write values that differ"
        )


def _makers(observed: Observed) -> dict[int, list[Node]]:
    """Return, for each commit, the nodes that may have made it."""
    found: dict[int, list[Node]] = {}
    for write in observed.writes:
        if write.acknowledged:
            for number in observed.commits_of(write):
                found.setdefault(number, []).append(("operation", write.at))
    for number, commit in enumerate(observed.history.commits):
        at = commit.operation
        if at is not None:
            operation = observed.history.operations[at]
            is_done = operation.returned and operation.error is None
            found[number] = [("operation", at) if is_done else ("commit", number)]
        found.setdefault(number, [("commit", number)])
    return found


def _edges(
    observed: Observed, makers: tuple[Node, ...], sights: list[Sight], seen: tuple[int, ...]
) -> Edges:
    """Return the edges of the order, for given makers of the commits and versions of the sights.

    ``makers`` are in commit order.
    """
    edges: Edges = {}
    for user in dict.fromkeys(operation.user for operation in observed.history):
        session = [
            ("operation", at)
            for at, operation in enumerate(observed.history)
            if operation.user == user and operation.returned and operation.error is None
        ]
        _connect(edges, pairwise(session))
    versions: dict[str, list[Node]] = {}
    for commit, maker in zip(observed.history.commits, makers, strict=True):
        versions.setdefault(commit.key, []).append(maker)
    for chain in versions.values():
        _connect(edges, pairwise(chain))
    for sight, version in zip(sights, seen, strict=True):
        read, chain = ("operation", sight.at), versions.get(sight.key, [])
        if version > 0:
            _connect(edges, [(chain[version - 1], read)])
        if version < len(chain):
            _connect(edges, [(read, chain[version])])
    return edges


def _connect(edges: Edges, pairs: Iterator[tuple[Node, Node]] | list[tuple[Node, Node]]) -> None:
    for first, then in pairs:
        if first != then:  # an operation that reads before it writes is one node
            edges.setdefault(first, set()).add(then)


def _cycle(edges: Edges) -> list[Node] | None:
    """Return a cycle, the first in the order of nodes; None: there is none."""
    done: set[Node] = set()
    for start in sorted(edges):
        path: dict[Node, Iterator[Node]] = {}
        node: Node | None = None if start in done else start
        while node is not None:
            path.setdefault(node, iter(sorted(edges.get(node, ()))))
            then = next((other for other in path[node] if other not in done), None)
            if then is None:
                done.add(node)
                del path[node]
                node = next(reversed(path), None)
            elif then in path:
                nodes = list(path)
                return nodes[nodes.index(then) :]
            else:
                node = then
    return None


def _violation(observed: Observed, cycle: list[Node]) -> Violation:
    operations = [observed.history.operations[at] for kind, at in cycle if kind == "operation"]
    keys = dict.fromkeys(op.key for op in operations if op.key is not None)
    reader = next((op for op in operations if op.kind == "read"), operations[0])
    told = [_told(observed, node) for node in cycle]
    return Violation(
        guarantee="sequentially_consistent",
        summary=f"no order of all operations explains {', '.join(told)}: each would have to come "
        "before the next, and the last before the first",
        key=next(iter(keys), None),
        user=reader.user,
        node=reader.node,
        evidence={"cycle": [op.step for op in operations]},
        at=reader.returned_at,
    )


def _told(observed: Observed, node: Node) -> str:
    kind, at = node
    if kind == "commit":
        commit = observed.history.commits[at]
        return f"the commit of {commit.key} = {value_text(commit.value)}"
    operation = observed.history.operations[at]
    if operation.key is None:
        return f"{who(operation)}'s {operation.kind}"
    value = operation.answer if operation.kind == "read" else operation.value
    told = operation.key if operation.kind == "delete" else f"{operation.key} = {value_text(value)}"
    return f"{who(operation)}'s {operation.kind} of {told}"


SEQUENTIALLY_CONSISTENT = Guarantee(
    "sequentially_consistent",
    decided_by(_findings),
    find_lack=preconditions.answers,
    asks_nodes=False,
    ignores_time=True,
)
