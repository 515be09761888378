"""Which attributes of objects that are left alone are memory: one user sets them, another uses."""

from pytest_supercache.runtime.memory.attributes import AttributesSet


def test_what_everybody_only_uses_is_no_memory():
    attributes = AttributesSet()
    assert not any(attributes.note("get", user, writes=False) for user in ("one", "two", "one"))
    assert "get" not in attributes


def test_what_one_user_sets_and_uses_alone_is_no_memory():
    attributes = AttributesSet()
    assert not any(attributes.note("hits", "one", writes=writes) for writes in (True, False))


def test_what_one_sets_and_another_uses_is_memory_whoever_comes_first():
    for order in ((False, True), (True, False)):
        attributes = AttributesSet()
        first, second = order
        assert not attributes.note("hits", "one", writes=first)
        assert attributes.note("hits", "two", writes=second)
        assert "hits" in attributes
