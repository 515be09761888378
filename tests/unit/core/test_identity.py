"""Objects are told apart by themselves, whatever they say of themselves."""

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel import audit


class Alike:
    """All of them are equal."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        raise AssertionError("nobody asks")


class OfAlike(type):
    __hash__ = None

    def __eq__(cls, other):
        raise AssertionError("nobody asks")


class Kind(metaclass=OfAlike):
    pass


def test_equal_objects_have_different_identities_and_one_object_always_the_same():
    alike = [Alike() for _ in range(1_000)]
    assert len({identity(one) for one in alike}) == 1_000
    assert [identity(one) for one in alike] == [identity(one) for one in alike]


def test_what_cannot_be_hashed_has_one():
    unhashable = [[], {}, Kind, Kind(), object]
    assert len({identity(one) for one in unhashable}) == len(unhashable)


class Heard(dict):
    """The listeners of our audit hook, which note what events they are asked for."""

    def __init__(self):
        self.events = []

    def get(self, event):
        self.events.append(event)


def test_no_audit_hook_hears_of_it(monkeypatch):
    audit.listen(["supercache.test"], print)  # there is a hook now
    heard = Heard()
    monkeypatch.setattr(audit, "_listeners", heard)
    heard.events.clear()
    identity(heard)
    assert heard.events == []
    id(heard)
    assert heard.events == ["builtins.id"]
