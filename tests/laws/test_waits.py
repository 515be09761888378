"""Wait objects are values: what is refused changes nothing, what is given back is free again."""

from dataclasses import replace

import hypothesis
from hypothesis import strategies as st

from pytest_supercache.core.waiting import Waits, is_enabled
from pytest_supercache.core.waits import (
    BarrierState,
    CounterState,
    FlagState,
    LockState,
    PoolState,
    QueueState,
    Wait,
)


def given(*strategies):
    """The same examples in every run, however slow the machine is."""
    repeatable = hypothesis.settings(derandomize=True, deadline=None)
    return lambda law: repeatable(hypothesis.given(*strategies)(law))


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


@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 4))
def test_a_bounded_counter_refuses_what_would_be_too_much_and_an_unbounded_one_never(
    most, taken, given_back
):
    free = max(most - taken, 0)
    bounded = CounterState(free, most).after("a", f"release {given_back}")
    assert bounded.free == (free + given_back if free + given_back <= most else free)
    assert CounterState(free).after("a", f"release {given_back}").free == free + given_back


# -- conditions --------------------------------------------------------------------------------

WAITERS = st.permutations(["alice", "bob", "carol"])


def slept(actors, reentrant=False, condition="c"):
    """A lock on whose condition these actors wait, in this order."""
    lock = LockState(reentrant=reentrant)
    for actor in actors:
        lock = lock.after(actor, "acquire").after(actor, f"wait {condition}")
    return lock


@given(WAITERS, st.integers(0, 4))
def test_notify_wakes_those_who_have_waited_longest(actors, count):
    lock = slept(actors)
    assert lock.holder is None
    assert not any(lock.allows(actor, "resume c") for actor in actors)
    woken = lock.after("dora", "acquire").after("dora", f"notify {count} c")
    assert not any(woken.allows(actor, "resume c") for actor in actors), "the lock is not free"
    free = woken.after("dora", "release")
    assert [a for a in actors if free.allows(a, "resume c")] == list(actors)[:count]


@given(WAITERS)
def test_a_condition_wakes_only_its_own_and_all_of_them(actors):
    one, two, three = actors
    lock = slept([one, two]).after(three, "acquire").after(three, "wait other")
    woken = lock.after("dora", "acquire").after("dora", "notify * c").after("dora", "release")
    assert [woken.is_woken(actor) for actor in actors] == [True, True, False]


@given(st.integers(1, 3))
def test_who_resumes_holds_the_lock_as_often_as_before_and_alone(depth):
    lock = LockState(reentrant=True).after("alice", f"acquire {depth}")
    asleep = lock.after("alice", "wait c")
    assert asleep.allows("bob", "acquire")
    woken = asleep.after("bob", "acquire").after("bob", "notify 1 c").after("bob", "release")
    back = woken.after("alice", "resume c")
    assert back == lock
    assert not back.allows("bob", "acquire")


@given(WAITERS, ACTORS)
def test_who_leaves_is_not_notified_any_more(actors, leaver):
    lock = slept(actors).after(leaver, "leave c").after("dora", "acquire")
    woken = lock.after("dora", "notify 1 c").after("dora", "release")
    rest = [actor for actor in actors if actor != leaver]
    assert [actor for actor in actors if woken.is_woken(actor)] == rest[:1]


# -- queues, barriers, pools -------------------------------------------------------------------


@given(st.integers(0, 2), st.lists(st.sampled_from(["put", "get", "done", "try put", "try get"])))
def test_a_queue_counts_as_a_list_with_room_does(room, verbs):
    queue, things, unfinished = QueueState(room=room), [], 0
    for verb in verbs:
        fits = not room or len(things) < room
        assert queue.allows("a", "put") == fits
        assert queue.allows("a", "get") == bool(things)
        assert queue.allows("a", "join") == (unfinished == 0)
        queue = queue.after("a", verb)
        if verb.endswith("put") and fits:
            things.append("thing")
            unfinished += 1
        elif verb.endswith("get") and things:
            things.pop()
        elif verb == "done":
            unfinished = max(unfinished - 1, 0)
        assert (queue.size, queue.unfinished) == (len(things), unfinished)


@given(st.integers(0, 2), st.integers(0, 3))
def test_a_closed_queue_lets_everybody_go_on_and_takes_nothing(room, size):
    queue = QueueState(size, room, size).after("a", "close")
    assert queue.allows("a", "put")
    assert queue.allows("a", "get")
    assert queue.after("a", "put") == queue
    assert queue.after("a", "get").size == max(size - 1, 0)
    assert QueueState(size, room, size).after("a", "close at once").size == 0


@given(st.integers(1, 3), st.lists(st.integers(0, 4), max_size=30))
def test_nobody_is_in_two_rounds_of_a_barrier_at_once(parties, turns):
    barrier, arrived, left = BarrierState(parties), [0] * 5, [0] * 5
    for who in turns:
        verb = "arrive" if arrived[who] == left[who] else "pass"
        if not barrier.allows(str(who), verb):
            continue
        last = verb == "arrive" and barrier.inside + 1 == parties
        barrier = barrier.after(str(who), verb)
        arrived[who] += verb == "arrive"
        left[who] += verb == "pass" or last
        opened = sum(arrived) // parties  # rounds that have begun to let go
        assert sum(left) <= opened * parties
        assert sum(arrived) - sum(left) == barrier.inside <= parties
    assert barrier.phase in {"filling", "draining"}


@given(st.sampled_from(["break", "reset", "give up"]), st.integers(1, 2))
def test_who_waits_at_a_barrier_that_breaks_or_is_reset_may_leave(verb, inside):
    barrier = BarrierState(3)
    for number in range(inside):
        barrier = barrier.after(str(number), "arrive")
    assert not barrier.allows("0", "pass")
    ended = barrier.after("0", verb)
    left = inside - (verb == "give up")
    for _ in range(left):
        assert ended.allows("1", "pass")
        ended = ended.after("1", "pass")
    assert ended.inside == 0
    assert ended.phase == ("filling" if verb == "reset" else "broken")


def test_a_barrier_with_an_action_lets_nobody_leave_or_come_while_it_acts():
    acting = BarrierState(2, acts=True).after("a", "arrive").after("b", "arrive")
    assert not acting.allows("a", "pass")
    assert not acting.allows("c", "arrive")
    assert acting.after("b", "open").allows("a", "pass")
    assert acting.after("b", "fail").phase == "broken"


@given(st.integers(1, 3), st.lists(st.sampled_from(["begin", "end", "cancel"]), max_size=20))
def test_a_pool_begins_jobs_in_their_order_and_never_more_than_it_has_workers(workers, verbs):
    pool, jobs = PoolState(workers), ["1", "2", "3", "4"]
    for job in jobs:
        pool = pool.after("alice", f"submit {job}")
    for verb in verbs:
        may_begin = [job for job in pool.queued if pool.allows(job, "begin")]
        assert may_begin == list(pool.queued[:1] if len(pool.running) < workers else ())
        if verb == "begin" and may_begin:
            pool = pool.after(may_begin[0], "begin")
        elif verb == "end" and pool.running:
            pool = pool.after(min(pool.running), "end")
        elif verb == "cancel" and pool.queued:
            cancelled = pool.queued[-1]
            pool = pool.after("alice", f"cancel {cancelled}")
            assert pool.allows(cancelled, "begin"), "it may come and see that it was cancelled"
        assert len(pool.running) <= workers
        assert list(pool.queued) == sorted(pool.queued)
    closed = pool.after("alice", "close")
    assert closed.after("alice", "submit 5") == closed


# -- guards ------------------------------------------------------------------------------------


@given(st.sets(st.sampled_from("abc")), st.booleans(), st.booleans(), st.integers(1, 3))
def test_a_guard_is_its_flags_and_its_object_or_its_timer(flags, is_free, has_fired, enough):
    waits = Waits({"lock": LockState(), **{flag: FlagState() for flag in "abc"}})
    for flag in flags:
        waits.perform("bob", Wait(sets=(flag,)))
    if not is_free:
        waits.perform("bob", Wait("lock", "acquire"))
    if has_fired:
        waits.fire(["timer"])
    wait = Wait("lock", "acquire", guarded=True, flags=("a",), any_of=("b", "c"), enough=enough)

    def allowed(wait, **how):
        return is_enabled("alice", wait, waits.is_set, waits.states.get, **how)

    expected = "a" in flags and len(flags & {"b", "c"}) >= enough and is_free
    assert allowed(wait) == expected
    assert allowed(wait, fired=False) == expected
    assert allowed(wait, fired=True), "its deadline has come"
    assert allowed(replace(wait, after="a"), fired=True) == ("a" in flags), "but not before that"
    for news in (False, True):
        assert allowed(wait, news=news) == news, "a condition waits for news alone"
        assert allowed(wait, news=news, fired=True)
    timed = Wait("lock", "acquire", guarded=True, flags=("a",), timer="timer")
    assert allowed(timed) == (has_fired or ("a" in flags and is_free))
    before, after = waits.perform("alice", timed)
    assert (before == after) == (not is_free), "what is free is had, though the timer has fired"
    sleeping = Wait(guarded=True, timer="timer")
    assert allowed(sleeping) == has_fired


def test_a_step_without_a_guard_waits_for_its_deadline_alone():
    states = {}
    enabled = {
        fired: is_enabled("alice", None, bool, states.get, fired=fired)
        for fired in (None, False, True)
    }
    assert enabled == {None: True, False: False, True: True}
