"""What counts as memory only once one user changes it and another one uses it."""

from pytest_supercache.runtime.memory.used_by_two import UsedByTwo


def test_what_everybody_only_uses_is_no_memory():
    names = UsedByTwo()
    assert not any(names.note("get", user, changes=False) for user in ("one", "two", "one"))


def test_what_one_user_changes_and_uses_alone_is_no_memory():
    names = UsedByTwo()
    assert not any(names.note("hits", "one", changes=changes) for changes in (True, False))


def test_what_one_changes_and_another_uses_is_memory_whoever_comes_first():
    for first, second in ((False, True), (True, False)):
        names = UsedByTwo()
        assert not names.note("hits", "one", changes=first)
        assert names.note("hits", "two", changes=second)
