"""What a transaction, or a script, does to an entry: it removes or stores it, as the steps show."""

import pytest
from redis import WatchError

from pytest_supercache import Verdict, check

KEY = "k"
REMOVE = "redis.call('incr', KEYS[2]) return redis.call('del', KEYS[1])"
STORE = "redis.call('incr', KEYS[2]) return redis.call('set', KEYS[1], ARGV[1])"


def found_in(body):
    result = check(body)
    assert result.verdict is Verdict.VIOLATED, (result.verdict, result.reasons)
    return result.counterexample


def _by_command(far, value):
    if value is None:
        far.delete(KEY)
    else:
        far.set(KEY, value)


def _in_a_transaction(far, value):
    with far.pipeline() as pipe:
        _by_command(pipe, value)
        pipe.incr("generation").execute()


def _in_a_transaction_at_last(far, value):
    with far.pipeline() as pipe:
        pipe.incr("generation")
        _by_command(pipe, value)
        pipe.expire("generation", 600)
        pipe.execute()


def _by_script(far, value):
    far.eval(REMOVE if value is None else STORE, 2, KEY, "generation", value or "")


def _by_registered_script(far, value):
    script = far.register_script(REMOVE if value is None else STORE)
    script(keys=[KEY, "generation"], args=[value or ""])


WAYS = [
    _by_command,
    _in_a_transaction,
    _in_a_transaction_at_last,
    _by_script,
    _by_registered_script,
]


def filling(change, value, fill=_by_command):
    """A fill is late; the writer's change of the entry comes in one of several ways."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        world.origin.set(KEY, 100)

        def read():
            if far.get(KEY) is None:
                fill(far, world.origin.get(KEY))

        def write():
            world.origin.set(KEY, 120)
            change(far, value)

        world.actor("alice", read)
        world.actor("bob", write)
        world.run()
        assert far.get(KEY) in {"120", None}

    return body


@pytest.mark.parametrize("change", WAYS, ids=lambda way: way.__name__)
def test_a_fill_after_an_entry_was_removed_is_a_stale_set_however_it_was_removed(change):
    assert found_in(filling(change, None)).conflict_class == "stale-set"


@pytest.mark.parametrize("change", WAYS, ids=lambda way: way.__name__)
def test_a_fill_over_a_newer_value_overwrites_it_however_it_was_stored(change):
    assert found_in(filling(change, 120)).conflict_class == "refresh-overwrite"


def _filled_by_registered_script(far, value):
    far.register_script("return redis.call('set', KEYS[1], ARGV[1])")(keys=[KEY], args=[value])


def test_a_script_that_the_server_does_not_know_yet_stores_nothing():
    found = found_in(filling(_by_registered_script, None, fill=_filled_by_registered_script))
    assert found.conflict_class == "stale-set"
    assert "alice stores a value" not in found.explanation
    assert "bob runs a script on the existing cache" in found.explanation
    assert "alice stores 100 in the existing cache, where it stays" in found.explanation


def moving(move):
    """Two move what a guest has in the cart to the cart of a user; the first one takes it all."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        far.set("guest", 1)
        for name in ("alice", "bob"):
            world.actor(name, move, far)
        world.run()
        assert far.get("user") == "1"

    return body


def _add_what_was_read(far):
    with far.pipeline() as pipe:
        count = int(far.get("guest") or 0)
        pipe.watch("guest")
        pipe.multi()
        pipe.incrby("user", count).delete("guest")
        try:
            pipe.execute()
        except WatchError:
            return


def _set_what_was_read(far):
    count = int(far.get("user") or 0)
    with far.pipeline() as pipe:
        pipe.set("user", count + 1).expire("user", 600).execute()


def test_two_that_take_an_entry_away_do_not_store_what_they_made_of_it():
    found = found_in(moving(_add_what_was_read))
    assert found.conflict_class == "unclassified"
    assert "stores" not in found.explanation.partition("nearest")[0]


def test_two_that_store_in_a_transaction_what_they_have_read_before_lose_one():
    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        for name in ("alice", "bob"):
            world.actor(name, _set_what_was_read, far)
        world.run()
        assert far.get("user") == "2"

    assert found_in(body).conflict_class == "cached-rmw"


def beside(note):
    """A fill is late, and both users leave something under a name that is sorted before the key."""

    def body(world):
        far = world.existing_cache.client(decode_responses=True)
        world.origin.set(KEY, 100)

        def read():
            value = world.origin.get(KEY)
            far.set(KEY, value)
            note(far, value)

        def write():
            world.origin.set(KEY, 120)
            far.delete(KEY)
            note(far, 120)

        world.actor("alice", read)
        world.actor("bob", write)
        world.run()
        assert far.get(KEY) in {"120", None}

    return body


def test_a_count_beside_a_fill_is_no_fill():
    found = found_in(beside(lambda far, _: far.incr("all")))
    assert found.conflict_class == "stale-set"
    assert "bob removes k from the existing cache" in found.explanation


def test_a_second_copy_beside_a_fill_is_a_fill():
    found = found_in(beside(lambda far, value: far.set("all", value)))
    assert found.conflict_class == "refresh-overwrite"
