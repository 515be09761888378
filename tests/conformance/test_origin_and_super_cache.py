"""The origin, the reference super cache and the messages: what each promises."""

from contextlib import suppress
from itertools import count

import pytest

from pytest_supercache.core.footprint import dependent
from pytest_supercache.core.operation import Commit, Load, UncommittedWrite
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.layers.messages import Bus
from pytest_supercache.layers.origin import Origin
from pytest_supercache.layers.stack import Stack
from pytest_supercache.layers.super_cache import SuperCache


class Recorder:
    """A switch that lets everything through and remembers what was announced."""

    def __init__(self):
        self.steps = []

    def step(self, label, footprint, *, kind, wait=None):
        self.steps.append((label, footprint))

    def last_step(self):
        return None

    def answered(self, label):
        pass


@pytest.fixture
def switch():
    return Recorder()


@pytest.fixture
def origin(switch):
    origin = Origin(switch)
    steps = count(1)
    origin.reset({"x": {"price": 0}}, lambda: (next(steps), "alice"))
    return origin


def test_every_change_is_a_commit_with_the_next_version_of_its_key(origin):
    origin.set("x", 1)
    origin.set("y", 5)
    origin.delete("x")
    assert origin.commits == [
        Commit("x", 1, 1, 1, "alice"),
        Commit("y", 5, 1, 2, "alice"),
        Commit("x", None, 2, 3, "alice"),
    ]
    assert (origin.version("x"), origin.version("y"), origin.version("z")) == (2, 1, 0)
    assert origin.content() == {"y": 5}


def test_every_read_is_a_load_and_a_look_is_none(origin):
    origin.get("x")
    origin.get("z")
    origin.peek("x")
    origin.version("x")
    assert origin.loads == [Load("x", {"price": 0}, 1, "alice"), Load("z", None, 2, "alice")]


def test_what_a_transaction_changes_is_uncommitted_until_it_commits(origin):
    with origin.transaction() as transaction:
        transaction.set("x", 1)
        assert origin.uncommitted == [UncommittedWrite("x", 1, 1)]
        assert transaction.get("x") == 1
        assert origin.loads == []  # its own change did not leave the origin
    (write,) = origin.uncommitted
    assert write.committed
    assert write.ended_at is not None
    assert [commit.value for commit in origin.commits] == [1]


def test_what_a_transaction_changed_before_an_error_was_rolled_back(origin):
    with suppress(ZeroDivisionError), origin.transaction() as transaction:
        transaction.delete("x")
        raise ZeroDivisionError
    (write,) = origin.uncommitted
    assert (write.value, write.committed) == (None, False)
    assert write.ended_at is not None
    assert origin.commits == []


def test_of_several_changes_to_one_key_only_the_last_is_committed(origin):
    with origin.transaction() as transaction:
        transaction.set("x", 1)
        transaction.set("x", 2)
    assert [(write.value, write.committed) for write in origin.uncommitted] == [
        (1, False), (2, True),
    ]  # fmt: skip


def test_a_reset_origin_remembers_no_loads_and_no_uncommitted_writes(origin):
    origin.get("x")
    with origin.transaction() as transaction:
        transaction.set("x", 1)
    origin.reset({}, lambda: (0, None))
    assert (origin.loads, origin.uncommitted, origin.commits) == ([], [], [])


def test_every_call_is_one_step_and_a_look_is_none(origin, switch):
    origin.get("x")
    origin.set("x", 1)
    origin.delete("x")
    origin.version("x")
    assert len(switch.steps) == 4
    origin.peek("x")
    origin.content()
    assert len(switch.steps) == 4


def test_values_are_copied_on_the_way_in_and_out(origin):
    value = {"price": 1}
    origin.set("x", value)
    value["price"] = 2
    origin.get("x")["price"] = 3
    origin.peek("x")["price"] = 4
    assert origin.get("x") == {"price": 1}
    assert origin.commits[0].value == {"price": 1}


def test_a_transaction_commits_everything_in_one_step_and_reads_its_own_changes(origin, switch):
    with origin.transaction() as transaction:
        transaction.set("x", 1)
        transaction.set("y", 2)
        transaction.delete("x")
        assert transaction.get("x") is None
        assert transaction.get("y") == 2
        assert origin.peek("x") == {"price": 0}
        assert switch.steps == []
    assert len(switch.steps) == 1
    assert origin.content() == {"y": 2}
    assert {commit.key for commit in origin.commits} == {"x", "y"}
    assert {"origin:x", "origin:y"} == switch.steps[0][1].writes


def test_a_transaction_that_fails_leaves_nothing(origin):
    def fail():
        with origin.transaction() as transaction:
            transaction.set("x", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert origin.peek("x") == {"price": 0}
    assert origin.commits == []


def test_reads_depend_on_writes_of_the_same_key_only(origin, switch):
    origin.get("x")
    origin.set("x", 1)
    origin.set("y", 1)
    origin.get("x")
    read, write, other, again = (footprint for _, footprint in switch.steps)
    assert dependent(read, write)
    assert not dependent(read, other)
    assert not dependent(write, other)
    assert not dependent(read, again)


@pytest.fixture
def nodes(switch):
    bus = Bus(switch)
    caches = {node: SuperCache(node, switch, bus) for node in "ab"}
    for cache in caches.values():
        cache.reset({})
    return caches


def delivered(cache):
    cache.mailbox.perform()


def test_an_invalidation_is_one_step_and_reaches_each_node_in_a_step_of_its_own(nodes, switch):
    a, b = nodes.values()
    a.put("x", 1)
    b.put("x", 1)
    switch.steps.clear()
    a.invalidate("x")
    assert len(switch.steps) == 1
    assert (a.peek("x"), b.peek("x")) == (1, 1)
    delivered(b)
    assert (a.peek("x"), b.peek("x")) == (1, None)
    delivered(a)
    assert a.peek("x") is None
    assert a.mailbox.pending() is b.mailbox.pending() is None


def test_messages_of_a_node_arrive_in_the_order_they_were_published(nodes):
    a, b = nodes.values()
    a.invalidate("x", "y")
    b.invalidate("z")
    for cache in (b, a):
        labels = []
        while (pending := cache.mailbox.pending()) is not None:
            labels.append(pending[0].rpartition(" ")[2])
            delivered(cache)
        assert labels == ["x", "y", "z"]


def test_a_delivery_depends_on_its_key_and_node_and_on_nothing_else(nodes, switch):
    a, b = nodes.values()
    a.invalidate("x")
    (_, publish), (_, to_a), (_, to_b) = (
        switch.steps[0], a.mailbox.pending(), b.mailbox.pending(),
    )  # fmt: skip
    switch.steps.clear()
    a.get("x")
    a.get("y")
    b.get("x")
    a_x, a_y, b_x = (footprint for _, footprint in switch.steps)
    assert dependent(publish, to_a)
    assert dependent(to_a, a_x)
    assert not dependent(to_a, a_y)
    assert not dependent(to_a, b_x)
    assert not dependent(to_a, to_b)


def test_a_fill_is_stored_only_under_its_lease(nodes):
    cache = nodes["a"]
    value, lease = cache.get_or_lease("x")
    assert value is None
    assert not cache.put_leased("x", 9, lease + 1)
    assert cache.put_leased("x", 1, lease)
    assert not cache.put_leased("x", 2, lease)  # it is used up
    assert cache.get_or_lease("x") == (1, None)


def test_an_invalidation_that_has_arrived_voids_a_lease_and_one_on_its_way_does_not(nodes):
    cache = nodes["a"]
    _, lease = cache.get_or_lease("x")
    cache.invalidate("x")
    assert cache._leases
    delivered(cache)
    assert not cache.put_leased("x", 1, lease)
    _, lease = cache.get_or_lease("x")
    cache.invalidate("y")
    delivered(cache)
    assert cache.put_leased("x", 1, lease)


def test_a_newer_lease_voids_an_older_one(nodes):
    cache = nodes["a"]
    _, older = cache.get_or_lease("x")
    _, newer = cache.get_or_lease("x")
    assert not cache.put_leased("x", 1, older)
    assert cache.put_leased("x", 2, newer)


def test_a_lease_of_before_a_restart_is_never_one_of_after(nodes):
    cache = nodes["a"]
    _, before = cache.get_or_lease("x")
    cache.restart()
    assert not cache.put_leased("x", 1, before)
    _, after = cache.get_or_lease("x")
    assert after != before
    assert not cache.put_leased("x", 1, before)


def test_a_restart_loses_content_and_messages_of_its_node_only(nodes):
    a, b = nodes.values()
    a.put("x", 1)
    b.put("x", 1)
    a.invalidate("x")
    a.restart()
    assert a.content() == {}
    assert a.mailbox.pending() is None
    assert b.mailbox.pending() is not None
    assert b.peek("x") == 1


def test_an_eviction_removes_content_and_leaves_leases(nodes):
    cache = nodes["a"]
    cache.put("x", 1)
    _, lease = cache.get_or_lease("y")
    cache.drop("x")
    assert cache.content() == {}
    assert cache.put_leased("y", 2, lease)


def test_values_in_the_super_cache_are_copies(nodes):
    cache, value = nodes["a"], [1]
    cache.put("x", value)
    value.append(2)
    cache.get("x").append(3)
    cache.peek("x").append(4)
    assert cache.get("x") == [1]


GIVEN = {"origin": {"x": 1}, "existing_cache": {"x": "1"}, "super_cache": {"x": 1}}


def test_a_stack_that_was_used_and_reset_is_as_good_as_new(switch):
    fresh, used = Stack(FakeRedisServer(), switch), Stack(FakeRedisServer(), switch)
    for stack in (fresh, used):
        stack.node("a")
        stack.reset(GIVEN, lambda: (0, None))
    node = used.node("a")
    node.origin.set("x", 2)
    node.existing_cache.client().flushall()
    node.existing_cache.leases.ask("x", ("alice", 0))
    node.super_cache.put("y", 2)
    node.super_cache.get_or_lease("z")
    node.super_cache.invalidate("x")
    used.clock.advance(60)
    (used.tmp_path / "left").write_text("behind")
    folder = used.tmp_path
    used.reset(GIVEN, lambda: (0, None))
    assert used.content() == fresh.content()
    assert used.origin.commits == []
    assert not used.origin.watched
    assert used.origin.version("x") == 0
    assert used.clock.now() == 0
    assert not used.existing_cache.leases.are_asked
    assert used.node("a").super_cache.mailbox.pending() is None
    assert used.node("a").super_cache.get_or_lease("z") == (None, 1)
    assert not folder.exists()
    assert list(used.tmp_path.iterdir()) == []
    used.close()
    fresh.close()


def test_what_the_nodes_share_can_be_put_back(switch):
    stack = Stack(FakeRedisServer(), switch)
    stack.reset(GIVEN, lambda: (0, None))
    before, saved = stack.content(), stack.shared_content()
    stack.origin.set("x", 2)
    stack.existing_cache.client().set("x", "2")
    assert stack.content() != before
    stack.restore_shared(saved)
    assert stack.content() == before


def test_a_node_made_late_begins_with_what_is_given(switch):
    stack = Stack(FakeRedisServer(), switch)
    stack.reset(GIVEN, lambda: (0, None))
    assert stack.node("late").super_cache.peek("x") == 1


def test_an_entry_with_an_end_is_stored_by_the_clock(nodes, switch):
    cache = nodes["a"]
    cache.put("k", 1, 5)
    cache.put("k", 2)
    first, second = (footprint for _, footprint in switch.steps)
    assert first.reads - second.reads == {"clock:now"}
    assert first.writes == second.writes


def test_storing_anew_forgets_when_the_old_entry_would_have_ended(nodes):
    cache = nodes["a"]
    cache.put("k", 1, 1)
    cache.put("other", 3, 5)
    assert cache.deadline() == pytest.approx(1)
    cache.put("k", 2)
    assert cache.deadline() == pytest.approx(5)
    cache.drop("other")
    assert cache.deadline() is None
