"""A conflict without a class says which classes it comes nearest to, and what they lack."""

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, check


def told(body, *guarantees):
    found = check(body, guarantees=guarantees).counterexample
    lines = [line for line in found.explanation.splitlines() if line.startswith("nearest: ")]
    return found.conflict_class, lines


def shop_of(world, write):
    """A look-aside cache; ``write`` is what its writer does."""
    far, origin = world.existing_cache.client(decode_responses=True), world.origin
    origin.set("k", 1)

    class Shop:
        def get(self, key):
            value = far.get(key)
            if value is None:
                value = origin.get(key)
                far.set(key, value)
            return int(value)

        def set(self, key, value):
            write(far, origin, key, value)

    return Shop()


def racing(write):
    def body(world):
        shop = shop_of(world, write)
        world.actor("ann", world.user("ann", shop).read, "k")
        world.actor("bob", world.user("bob", shop).write, "k", 2)
        world.run()
        world.settle()

    return body


def commits(_far, origin, key, value):
    origin.set(key, value)


def commits_and_deletes(far, origin, key, value):
    origin.set(key, value)
    far.delete(key)


def test_a_writer_who_removes_nothing_is_nearest_to_a_stale_set_without_the_removal():
    slug, lines = told(racing(commits), COHERENT_WHEN_SETTLED)
    assert slug == "unclassified"
    assert lines == [
        "nearest: stale-set, but nothing removes the entry after the change; "
        "refresh-overwrite, but the writer does not store the new value"
    ]


def test_a_conflict_with_a_class_names_no_other():
    slug, lines = told(racing(commits_and_deletes), COHERENT_WHEN_SETTLED)
    assert (slug, lines) == ("stale-set", [])


def counting(label):
    def body(world):
        count = [0]

        def add():
            before = count[0]
            world.step(label, reads=(), writes=[label])
            count[0] = before + 1

        world.actor("ann", add)
        world.actor("bob", add)
        world.run()
        assert count == [2]

    return body


@pytest.mark.parametrize("label", ["work", "shared:work"])
def test_where_no_step_is_about_a_layer_no_class_is_near(label):
    slug, lines = told(counting(label))
    assert slug == "unclassified"
    assert lines == [
        "nearest: no class, because no step reads or changes an entry or its source; watch() "
        "declares calls"
    ]


def test_the_steps_that_are_there_count_from_the_first_and_in_their_order():
    """A fill after a removal whose writer commits nothing lacks the commit, not the removal."""

    def removes(far, _origin, key, _value):
        far.delete(key)

    def body(world):
        shop = shop_of(world, removes)
        world.existing_cache.client().set("k", 1)
        world.actor("ann", world.user("ann", shop).read, "k")
        world.actor("bob", world.user("bob", shop).write, "k", 2)
        world.run()
        assert world.existing_cache.peek("k") is None

    slug, (line,) = told(body)
    assert slug == "unclassified"
    assert "invalidate-before-write, but who has removed the entry does not change" in line
