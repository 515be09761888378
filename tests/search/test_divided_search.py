"""A search that is divided among processes executes what one process does, and nothing twice.

Nor does one that is killed and goes on with what it has kept.
"""

import pickle
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import pytest

from pytest_supercache.core.errors import NotDeterministicError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.plain import read_plain, write_plain
from pytest_supercache.core.schedule import Scheduler
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.events import TraceKey
from pytest_supercache.search.frontier import Claim, Explored, Frontier, Leaf
from pytest_supercache.search.knowledge import Knowledge
from pytest_supercache.search.search import Interrupted
from pytest_supercache.search.walk import ReductionAlarm
from tests.random_programs import (
    KINDS,
    Move,
    Programs,
    Run,
    explore,
    random_programs,
    reading,
    writing,
)
from tests.selection import either

SEED = 20_261_201
Outcomes = list[tuple[TraceKey, str]]


def limited(programs: Programs, early: int, runs: int) -> Callable[[Scheduler], Execution]:
    """Return an attempt that is interrupted after some runs."""
    left = runs

    def attempt(scheduler: Scheduler) -> Execution:
        nonlocal left
        if not left:
            raise Interrupted
        left -= 1
        return Run(programs, early).play(scheduler).execution()

    return attempt


def interrupted(programs: Programs, early: int, runs: int) -> tuple[Outcomes, Frontier | None]:
    """Explore with some runs; return what was seen, and what is left."""
    seen: Outcomes = []
    search = Exhaustive(partial(note, seen))
    try:
        search.explore(limited(programs, early, runs))
    except Interrupted:
        return seen, search.frontier()
    return seen, None


def divided(programs: Programs, early: int, random: Random, *, processes: int = 3) -> Outcomes:
    """Explore with short parts, which several processes return in any order.

    Now and then this process is killed: another one begins in the same way, takes in what the first
    one has kept, and goes on in an order of its own.
    """
    runs = random.randint(0, 6)
    seen, frontier = interrupted(programs, early, runs)
    known = [Knowledge() for _ in range(processes)]
    out: list[Claim] = []
    kept: list[tuple[str, str, Outcomes]] = []
    while frontier is not None:
        while len(out) < processes and (claim := frontier.take()) is not None:
            out.append(claim)
        if not out:
            assert not frontier.owed
            break
        claim = out.pop(random.randrange(len(out)))
        if random.random() < 0.1:  # nobody has begun it
            frontier.put_back(claim)
            continue
        found: Outcomes = []
        search = Exhaustive(partial(note, found), knowledge=random.choice(known))
        subtree = pickle.loads(pickle.dumps(claim.subtree))
        part = search.explore_subtree(subtree, limited(programs, early, random.randint(1, 5)))
        explored = write_plain(part)
        frontier.put(claim, read_plain(Explored, explored))
        seen += found
        kept.append((write_plain(claim.subtree.leaf), explored, found))
        if random.random() < 0.05:
            out.clear()
            seen, frontier = gone_on(programs, early, runs, kept)
    return seen


def note(seen: Outcomes, key: TraceKey, _events: object, run: Execution) -> None:
    seen.append((key, run.results["outcome"]))


def gone_on(
    programs: Programs, early: int, runs: int, kept: list[tuple[str, str, Outcomes]]
) -> tuple[Outcomes, Frontier]:
    """Return what was seen and what is left when a killed process has kept these parts."""
    seen, frontier = interrupted(programs, early, runs)
    assert frontier is not None
    for leaf, explored, found in kept:
        claim = frontier.claim(read_plain(Leaf, leaf))
        assert claim is not None, "it was there when the part was taken in"
        frontier.put(claim, read_plain(Explored, explored))
        seen += found
    return seen, frontier


def differences(kind: str, count: int, early: int) -> Iterator[tuple[Programs, int, int]]:
    """Yield programs of which interleavings are missed, or executed twice, and how many."""
    random = Random(f"{SEED} {kind}")
    for _ in range(count):
        programs = random_programs(random, KINDS[kind].split())
        alone, _ = explore(programs, early)
        if len(alone) > either(60, 1_000):
            continue
        together = divided(programs, early, random)
        missed, again = set(alone) - set(together), len(together) - len(set(together))
        if missed or again or len(together) != len(alone):
            yield programs, len(missed), again


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_processes_execute_every_interleaving_of_random_programs_once(
    kind: str, early: int
) -> None:
    assert list(differences(kind, either(12, 1_000) // (1 + early), early)) == []


def test_a_branch_of_several_steps_is_not_handed_out_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison can fail: what is inserted below it later would be taken for covered."""
    true = Frontier._grow

    def cut_short(self: Frontier, node: Any, sequel: list[tuple[str, int]]) -> None:
        true(self, node, sequel[:1])

    monkeypatch.setattr(Frontier, "_grow", cut_short)
    assert next(differences("plain", 100, 0), None)


READS_BEFORE_OR_AFTER: Programs = {
    "a": [Move("read x", reading("x"))],
    "b": [Move("write z", writing("z")), Move("write x", writing("x"))],
    "c": [Move("read x", reading("x"))],
}


def test_all_leaves_are_handed_out_at_once() -> None:
    """Below b's first step a's read sleeps until b writes x, so the leaf begins with that."""
    _, frontier = interrupted(READS_BEFORE_OR_AFTER, 0, 1)
    assert frontier is not None
    claims = list(iter(frontier.take, None))
    assert {claim.subtree.script for claim in claims} == {("b", "b"), ("a", "b", "c")}


def test_an_interruption_before_the_first_run_is_not_taken_for_the_end() -> None:
    _, frontier = interrupted(READS_BEFORE_OR_AFTER, 0, 1)
    assert frontier is not None
    claim = frontier.take()
    assert claim is not None
    with pytest.raises(Interrupted):
        Exhaustive().explore_subtree(claim.subtree, limited(READS_BEFORE_OR_AFTER, 0, 0))


def test_other_steps_in_the_other_process_are_noticed() -> None:
    _, frontier = interrupted(READS_BEFORE_OR_AFTER, 0, 1)
    assert frontier is not None
    claims = list(iter(frontier.take, None))
    claim = next(claim for claim in claims if claim.subtree.labels)
    other = replace(claim.subtree, labels=(("a", "read y"), *claim.subtree.labels[1:]))
    with pytest.raises(NotDeterministicError, match="in another process"):
        Exhaustive().explore_subtree(other, limited(READS_BEFORE_OR_AFTER, 0, 5))


@pytest.mark.parametrize("touched", ["z", "q"])
def test_another_footprint_on_the_way_to_a_leaf_is_noticed(touched: str) -> None:
    """Nobody has executed these steps in this order before, so no labels are known of them."""
    _, frontier = interrupted(READS_BEFORE_OR_AFTER, 0, 1)
    assert frontier is not None
    claims = {claim.subtree.script: claim for claim in iter(frontier.take, None)}
    other = [Move("write z", writing(touched)), *READS_BEFORE_OR_AFTER["b"][1:]]
    attempt = limited({**READS_BEFORE_OR_AFTER, "b": other}, 0, 5)
    told = pytest.raises(NotDeterministicError, match="in another process")
    with nullcontext() if touched == "z" else told:
        Exhaustive().explore_subtree(claims["b", "b"].subtree, attempt)


def test_another_footprint_in_the_other_process_is_noticed() -> None:
    _, frontier = interrupted(READS_BEFORE_OR_AFTER, 0, 1)
    assert frontier is not None
    claim = frontier.take()
    assert claim is not None
    actor = claim.subtree.script[-1]
    programs = {
        name: [Move("other", writing("q"))] * len(moves) if name == actor else moves
        for name, moves in READS_BEFORE_OR_AFTER.items()
    }
    with pytest.raises((ReductionAlarm, NotDeterministicError)):
        Exhaustive().explore_subtree(claim.subtree, limited(programs, 0, 5))
