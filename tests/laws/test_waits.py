"""Wait objects are values: what is refused changes nothing, what is given back is free again."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.core.waits import CounterState, FlagState, LockState

ACTORS = st.sampled_from(["alice", "bob", "carol"])


def locks(reentrant):
    """Every lock that some actors could have reached by acquiring and releasing properly."""
    moves = st.lists(st.tuples(ACTORS, st.sampled_from(["acquire", "release"])), max_size=8)
    return moves.map(lambda taken: _after(LockState(reentrant=reentrant), taken))


def _after(lock, taken):
    for actor, verb in taken:
        if (verb == "acquire" and lock.allows(actor, verb)) or lock.holder == actor:
            lock = lock.after(actor, verb)
    return lock


ANY_LOCK = locks(reentrant=False) | locks(reentrant=True)


@given(ANY_LOCK, ACTORS)
def test_a_try_takes_the_lock_exactly_when_an_acquire_would_not_wait(lock, actor):
    taken = lock.after(actor, "try")
    assert (taken != lock) == lock.allows(actor, "acquire")
    assert not lock.allows(actor, "acquire") or taken.holder == actor


@given(ANY_LOCK, ACTORS)
def test_giving_back_undoes_taking(lock, actor):
    if lock.allows(actor, "acquire"):
        assert lock.after(actor, "acquire").after(actor, "release") == lock


@given(ANY_LOCK)
def test_a_lock_has_a_holder_exactly_while_it_is_held(lock):
    assert (lock.holder is None) == (lock.depth == 0)
    assert lock.reentrant or lock.depth <= 1


@given(ANY_LOCK, ACTORS, ACTORS)
def test_two_actors_never_hold_a_lock_at_once(lock, one, other):
    held = lock.after(one, "try")
    if held.holder == one and other != one:
        assert not held.allows(other, "acquire")
        assert held.after(other, "try") == held


@given(ANY_LOCK, ACTORS)
def test_only_a_reentrant_lock_admits_its_holder_again(lock, actor):
    held = lock.after(actor, "try")
    if held.holder == actor:
        assert held.allows(actor, "acquire") == lock.reentrant


@given(ANY_LOCK, ACTORS)
def test_only_acquire_ever_waits(lock, actor):
    assert lock.allows(actor, "try")
    assert lock.allows(actor, "release")
    assert lock.after(actor, "look at") == lock


@given(st.booleans(), ACTORS)
def test_a_flag_lets_waiters_through_exactly_while_it_is_set(is_set, actor):
    flag = FlagState(is_set=is_set)
    assert flag.allows(actor, "await") == is_set
    assert flag.after(actor, "set").allows(actor, "await")
    assert not flag.after(actor, "clear").allows(actor, "await")
    assert flag.after(actor, "await") == flag
    assert flag.allows(actor, "set")
    assert flag.allows(actor, "clear")


@given(st.integers(0, 3), st.lists(st.sampled_from(["try", "release"])), ACTORS)
def test_a_counter_admits_exactly_as_many_as_are_free(start, verbs, actor):
    counter, free = CounterState(start), start
    for verb in verbs:
        assert counter.allows(actor, "acquire") == (free > 0)
        assert counter.allows(actor, verb)
        counter = counter.after(actor, verb)
        free = max(free - 1, 0) if verb == "try" else free + 1
        assert counter.free == free
