"""A long search is divided among processes, and its result is that of a single process."""

import multiprocessing
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial

import pytest

from pytest_supercache import SupercacheError, Verdict, check
from pytest_supercache.checking import coverage, divided, reduction_check
from pytest_supercache.checking.runner import Runner
from pytest_supercache.core.errors import NotDeterministicError
from pytest_supercache.core.verdict import End
from pytest_supercache.search.search import SearchEnded
from tests.litmus.test_workers import told
from tests.selection import few

PARENT = os.getpid()


def shop(world, *, wrong_end=("0", 99), elsewhere=None, answers=(None, None)):
    """Three users of two keys, in 52 interleavings.

    Args:
        world: their layers.
        wrong_end: what the cache and the origin must not hold for ``p``.
        elsewhere: what the code also does in processes that help.
        answers: what each user returns, here and there.
    """
    cache = world.existing_cache.client(decode_responses=True)
    world.origin.restore({"p": 0, "q": 0})
    helps = os.getpid() != PARENT

    def get(key):
        found = cache.get(key)
        if found is None:
            found = str(world.origin.get(key))
            cache.set(key, found)
        if helps and elsewhere is not None:
            elsewhere(cache)
        return found

    def put(key, value):
        world.origin.set(key, value)
        cache.delete(key)
        return answers[helps]

    def alice():
        get("p")
        return put("q", 1)

    world.actor("alice", alice)
    world.actor("bob", put, "p", 2)
    world.actor("carol", put, "p", 3)
    world.run()
    assert (world.existing_cache.peek("p"), world.origin.peek("p")) != wrong_end


LATE = ("0", 2)
"""A stale end that the search reaches when it has long been divided."""

SHARED: list[int] = []


@cache
def alone(**options):
    return check(partial(shop, **options), search="exhaustive")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Divide every search at once, into short parts; collect how many subtrees these have."""
    monkeypatch.setattr(divided, "DIVIDED_AFTER", 0.0)
    monkeypatch.setattr(divided, "PART_SECONDS", 0.1)
    sizes: list[int] = []
    make = divided.WorkUnit.__init__

    def counted(self, **given):
        sizes.append(len(given["subtrees"]))
        make(self, **given)

    monkeypatch.setattr(divided.WorkUnit, "__init__", counted)
    yield sizes
    assert sizes, "the search was divided"


@pytest.fixture
def restarts(monkeypatch: pytest.MonkeyPatch) -> list[Runner]:
    """Collect the searches that were begun again without help."""
    found: list[Runner] = []
    again = Runner.start_again

    def noted(self):
        found.append(self)
        again(self)

    monkeypatch.setattr(Runner, "start_again", noted)
    return found


def together(
    body=shop, executions=20_000, memory="auto", pool_of=ProcessPoolExecutor, faults=None, **options
):
    context = multiprocessing.get_context("fork")
    with pool_of(2, mp_context=context) as pool:
        return check(
            partial(body, **options), search="exhaustive", executor=pool,
            executions=executions, memory=memory, faults=faults,
        )  # fmt: skip


@pytest.mark.python
def test_what_holds_in_all_parts_holds_with_the_same_counts(parts, restarts):
    result = together()
    assert result.verdict is Verdict.HOLDS
    assert told(result) == told(alone())
    assert (result.interleavings, result.scope) == (alone().interleavings, alone().scope)
    assert len(parts) > 3
    assert not restarts


@pytest.mark.python
def test_a_conflict_in_a_part_is_told_as_by_one_process(parts, restarts):
    result = together(wrong_end=LATE)
    assert result.verdict is Verdict.VIOLATED
    assert told(result) == told(alone(wrong_end=LATE))
    assert len(restarts) == 1


def dies(_cache):
    os._exit(7)


def takes_another_step(cache):
    cache.exists("other")


def asks_for_a_lock(cache):
    if not cache.set("lock", 1, nx=True, ex=30):
        cache.set("lock", 1, nx=True, ex=30)
    cache.delete("lock")


def shares_memory(_cache):
    SHARED.append(len(SHARED))


def fails(_cache):
    raise ValueError("only elsewhere")


@pytest.mark.parametrize(
    "elsewhere", few([dies, takes_another_step, shares_memory, asks_for_a_lock], 2)
)
def test_a_process_in_which_the_code_is_unlike_itself_decides_nothing(parts, restarts, elsewhere):
    result = together(elsewhere=elsewhere)
    assert told(result) == told(alone())
    assert len(restarts) == 1


def test_a_process_in_which_users_see_something_else_decides_nothing(parts, restarts, monkeypatch):
    """Such as the content of another database: the steps are the same, and everything holds."""
    monkeypatch.setattr(reduction_check, "RANDOM_RUNS", 0)  # these would compare the answers
    result = together(answers=("old", "new"))
    assert result.verdict is Verdict.HOLDS
    assert len(restarts) == 1


def test_answers_that_only_look_different_elsewhere_are_no_hidden_state(parts, restarts):
    """As sets of strings do in a process that was not forked."""
    result = together(answers=("{'p', 'q'}", "{'q', 'p'}"))
    assert told(result) == told(alone())
    assert len(restarts) == 1


class UnreadableError(SupercacheError):
    """An error that can be sent, and not read."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def unreadable(world):
    if os.getpid() != PARENT:
        raise UnreadableError("only", "elsewhere")
    shop(world)


class Lasting(ProcessPoolExecutor):
    """Processes that others can use afterwards."""

    def __exit__(self, *given):
        assert self.submit(os.getpid).result() != PARENT
        return super().__exit__(*given)


def test_an_error_that_cannot_be_read_here_breaks_no_pool(parts, restarts):
    assert told(together(unreadable, pool_of=Lasting)) == told(alone())
    assert len(restarts) == 1


def hidden(world):
    """Users whose steps have nothing in common; the answers tell in which order they came."""
    order: list[str] = []

    def user(name):
        for at in range(3):
            world.step(f"touch {name}", reads=name, writes=name)
            if at == 2 and os.getpid() != PARENT:
                order.append(name)
            world.step("look at x", reads="x", writes="x" if name == "a" else ())
        return "".join(order)

    for name in "abc":
        world.actor(name, user, name)
    world.run()


def test_a_violation_that_occurs_only_in_a_part_leaves_it_undecided(parts):
    result = together(elsewhere=fails)
    assert result.verdict is Verdict.UNKNOWN
    assert "another process found does not repeat here" in result.reasons[0]


@pytest.mark.python
def test_hidden_state_in_a_part_is_no_proof(parts, restarts):
    together(hidden, memory="declared")
    assert len(restarts) == 1


def test_a_budget_that_ends_in_a_part_ends_the_search(parts, restarts, monkeypatch):
    monkeypatch.setattr(divided, "PART_SECONDS", 9.0)
    elsewhere, why = [], coverage.why_unfinished

    def unfinished(*given, **more):
        elsewhere.append(more["elsewhere"])
        return why(*given, **more)

    monkeypatch.setattr(coverage, "why_unfinished", unfinished)
    result = together(executions=30)
    assert result.verdict is Verdict.UNKNOWN
    assert "the budget of 30 executions ran out" in result.reasons[0]
    assert sum(elsewhere) > 0
    assert not restarts


def test_a_budget_that_is_just_enough_is_enough(parts, restarts):
    result = together(executions=alone().executions)
    assert told(result) == told(alone())
    assert not restarts


class Failing(ProcessPoolExecutor):
    """Processes of which one ends unnoticed until a further part is submitted."""

    left = 3

    def submit(self, function, /, *given, **named):
        self.left -= 1
        if self.left < 0:
            raise BrokenProcessPool("a process ended")
        return super().submit(function, *given, **named)


def test_processes_that_take_no_further_part_are_done_without(parts, restarts):
    assert told(together(pool_of=Failing)) == told(alone())
    assert len(restarts) == 1


def test_a_process_that_has_changed_while_it_helped_decides_nothing(parts, restarts, monkeypatch):
    def has_changed(_runner):
        raise NotDeterministicError("the same schedule led to other steps")

    monkeypatch.setattr(divided, "repeat_first", has_changed)
    assert told(together()) == told(alone())
    assert len(restarts) == 1


def test_the_end_of_a_budget_arrives_in_another_process():
    ended = pickle.loads(pickle.dumps(SearchEnded(End.OUT_OF_BUDGET)))
    assert ended.end is End.OUT_OF_BUDGET
