"""Objects are told apart by themselves, whatever they say of themselves."""

from pytest_supercache.core.identity import hash_of_name, identity
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

    def __bool__(self):
        return True

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


class Named:
    """An object that is known by its name, and equal to itself only."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return hash_of_name(self.name)


def test_a_set_of_named_objects_has_the_same_order_whatever_their_addresses():
    between, orders = [], set()
    for _ in range(50):
        between.append(Named("elsewhere"))  # takes an address
        orders.add(tuple(one.name for one in {Named(f"alice/{n}") for n in range(1, 5)}))
    assert orders == {("alice/4", "alice/3", "alice/2", "alice/1")}


def test_names_without_a_number_and_of_others_have_hashes_of_their_own():
    names = ["", "a", "b", "a/1", "b/1", "a/1/1", "\udc80", "7", "a/" + "9" * 30]
    assert len({hash_of_name(name) for name in names}) == len(names)
