"""What a crash or a wait without end is known by: where it came from, and nothing of the scenario.

A waiver for one of them must not let another one pass, and must stay in force for the same one.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_supercache import check
from tests.selection import few

Fingerprints = Iterator[str]


class ServiceError(Exception):
    """What a facade makes of every error."""


def fail(error: BaseException) -> None:
    """Raise for everybody: a helper that many call."""
    raise error


class Facade:
    """Raises one error for all that can go wrong inside, and keeps the original as it is told."""

    def __init__(self, how: str, error: BaseException) -> None:
        self.how, self.error = how, error

    def get(self, key: str) -> None:
        getattr(self, self.how)(key)

    def caused(self, key: str) -> None:
        try:
            self.find(key)
        except (LookupError, ArithmeticError) as error:
            raise ServiceError(key) from error

    def caused_twice(self, key: str) -> None:
        try:
            self.caused(key)
        except ServiceError as error:
            raise ServiceError(key) from error

    def in_context(self, key: str) -> None:
        try:
            self.find(key)
        except (LookupError, ArithmeticError):
            raise ServiceError(key)  # noqa: B904 - the context alone is what is tested

    def hidden(self, key: str) -> None:
        try:
            self.find(key)
        except (LookupError, ArithmeticError):
            raise ServiceError(key) from None

    def made(self, key: str) -> None:
        raise ServiceError(key) from self.error

    def grouped(self, key: str) -> None:
        try:
            self.find(key)
        except (LookupError, ArithmeticError) as error:
            raise ExceptionGroup(key, [OSError(), error])  # noqa: B904 - as in a task group

    def grouped_deep(self, key: str) -> None:
        try:
            self.grouped(key)
        except ExceptionGroup as group:
            raise ExceptionGroup(key, [group, OSError()])  # noqa: B904 - as in a task group

    def find(self, key: str) -> None:
        raise self.error


def read(system: Any, *, user: str = "alice", key: str = "k") -> Callable[[Any], None]:
    """Return a body in which a user reads from a system."""

    def body(world: Any) -> None:
        world.actor(user, world.user(user, system()).read, key)
        world.actor("somebody", world.origin.get, key)
        world.run()

    return body


def found(body: Callable[[Any], Any]) -> Any:
    """Return what is known of the conflict of a body."""
    result = check(body)
    assert result.counterexample is not None
    return result.counterexample


def fingerprint(body: Callable[[Any], Any]) -> str:
    """Return the fingerprint of the conflict of a body."""
    return str(found(body).fingerprint)


WAYS = ["caused", "caused_twice", "in_context", "hidden", "made", "grouped", "grouped_deep"]


@pytest.mark.parametrize("how", few(dict.fromkeys(["caused", "hidden", "grouped", *WAYS]), 3))
def test_another_error_behind_a_facade_is_another_conflict(how: str) -> None:
    first, again, other = (
        fingerprint(read(lambda error=error: Facade(how, error)))
        for error in (KeyError("k"), KeyError("j"), ZeroDivisionError())
    )
    assert first == again != other


def test_each_facade_tells_of_the_same_error_in_its_own_way() -> None:
    found = {fingerprint(read(lambda how=how: Facade(how, KeyError()))) for how in WAYS}
    assert len(found) == len(WAYS)


class Shop:
    """Two callers of one helper that raises."""

    def get(self, key: str) -> None:
        if key.startswith("stock"):
            self.stock(key)
        self.price(key)

    def price(self, key: str) -> None:
        fail(KeyError(key))

    def stock(self, key: str) -> None:
        fail(KeyError(key))


def test_an_error_that_a_shared_helper_raises_is_known_by_its_callers() -> None:
    price, same, stock = (fingerprint(read(Shop, key=key)) for key in ("a", "b", "stock"))
    assert price == same != stock


class Library:
    """Calls code of a library that raises, from two functions."""

    def get(self, key: str) -> Any:
        return self.number(key) if key == "number" else self.price(key)

    def number(self, key: str) -> int:
        return int(key)

    def price(self, key: str) -> int:
        return int(key)


def test_an_error_that_a_library_raises_is_known_by_who_has_called_it() -> None:
    price, same, number = (fingerprint(read(Library, key=key)) for key in ("a", "b", "number"))
    assert price == same != number


class Tree:
    """Goes down as many levels as the key has letters, in two functions by turns."""

    def get(self, key: str) -> None:
        self.left(len(key))

    def left(self, depth: int) -> None:
        if depth < 2:
            raise KeyError
        self.right(depth - 1)

    def right(self, depth: int) -> None:
        [self.left(depth - 1) for _ in range(1)]


class Retrying:
    """Tries again inside the handler, as often as the key has letters."""

    def get(self, key: str) -> None:
        self.retry(len(key))

    def retry(self, times: int) -> None:
        try:
            raise KeyError
        except KeyError:
            if times:
                self.retry(times - 1)
            raise OSError  # noqa: B904 - the context alone is what is tested


class Together:
    """Collects the errors of as many as the key has letters, each of them with its own."""

    def get(self, key: str) -> None:
        kinds = {"a": KeyError, "b": IndexError}
        raise ExceptionGroup(key, [kinds[letter]() for letter in key])


@pytest.mark.parametrize(
    ("system", "keys"),
    [(Tree, ["a", "abc", "abcde"]), (Retrying, ["a", "abc"]), (Together, ["ab", "ba", "baabb"])],
)
def test_how_deep_how_often_and_in_which_order_is_no_matter(system: Any, keys: list[str]) -> None:
    assert len({fingerprint(read(system, key=key, user=f"u-{key}")) for key in keys}) == 1


def test_where_a_recursion_ends_matters() -> None:
    """The twin of the above: what raised is the other function of the two."""
    assert fingerprint(read(Tree, key="a")) != fingerprint(read(TreeToTheRight, key="ab"))


class TreeToTheRight(Tree):
    """Ends in the other function."""

    def left(self, depth: int) -> None:
        self.right(depth - 1)

    def right(self, depth: int) -> None:
        raise KeyError


TreeToTheRight.left.__qualname__, TreeToTheRight.right.__qualname__ = "Tree.left", "Tree.right"


class Looping:
    """Raises an error that has caused itself, by another one."""

    def get(self, key: str) -> None:
        first, second = KeyError(), ValueError()
        first.__cause__, second.__cause__ = second, first
        second.__context__, first.__context__ = second, first
        raise first


def test_errors_that_have_caused_each_other_come_to_an_end() -> None:
    assert fingerprint(read(Looping)) == fingerprint(read(Looping, key="j"))


class Lying:
    """Raises an error whose class says something else at every question."""

    def get(self, key: str) -> None:
        class Another(Exception):
            @property
            def __cause__(self) -> BaseException:
                return Another()

            __context__ = __cause__

        raise Another


def test_an_error_with_properties_of_its_own_is_asked_for_what_it_is() -> None:
    assert fingerprint(read(Lying)) == fingerprint(read(Lying, key="j"))


def by_a_function(world: Any) -> None:
    shop = Shop()

    def alice() -> None:
        shop.price("k")

    world.actor("alice", alice)
    world.actor("bob", world.origin.get, "k")
    world.run()


def by_a_lambda(world: Any) -> None:
    shop = Shop()
    world.actor("carol", lambda: shop.price("k"))
    world.run()


def by_itself(world: Any) -> None:
    world.actor("dave", Shop().price, "j", node="b")
    world.run()


async def by_a_coroutine(world: Any) -> None:
    async def alice() -> None:
        Shop().price("k")

    world.actor("alice", alice)
    await world.run()


def of_another_caller(world: Any) -> None:
    world.actor("dave", lambda: Shop().stock("j"))
    world.run()


def test_what_belongs_to_the_scenario_does_not_count() -> None:
    ways = [by_a_function, by_a_lambda, by_itself, by_a_coroutine]
    (same,) = {fingerprint(body) for body in ways}
    assert fingerprint(of_another_caller) != same


def raising(chosen: int) -> Callable[[Any], None]:
    """Return a body with two steps that raise, of which one is taken."""

    def body(world: Any) -> None:
        def alice() -> None:
            raise KeyError

        def bob() -> None:
            raise KeyError

        world.actor("user", (alice, bob)[chosen])
        world.run()

    return body


def test_a_step_that_raises_itself_is_known_by_its_name() -> None:
    alice, same, bob = (fingerprint(raising(chosen)) for chosen in (0, 0, 1))
    assert alice == same != bob


def wait(bell: Any) -> None:
    """Wait for everybody: a helper that many call."""
    bell.wait()


class Hall:
    """Nobody rings the bell."""

    def __init__(self) -> None:
        self.bell, self.door = threading.Event(), asyncio.Event()

    def get(self, key: str) -> None:
        self.enter() if key == "enter" else self.leave()

    def enter(self) -> None:
        wait(self.bell)

    def leave(self) -> None:
        wait(self.bell)

    async def come(self) -> None:
        await self.sit()

    async def go(self) -> None:
        await self.sit()

    async def sit(self) -> None:
        await self.door.wait()


def test_who_waits_in_a_shared_helper_is_known_by_its_callers() -> None:
    leave, same, enter = (fingerprint(read(Hall, key=key)) for key in ("a", "b", "enter"))
    assert leave == same != enter


def coming(name: str, user: str) -> Callable[[Any], Any]:
    """Return a body whose user goes through one of the doors."""

    async def body(world: Any) -> None:
        world.actor(user, getattr(Hall(), name))
        world.actor("cleaner", world.origin.get, "k")
        await world.run()

    return body


def test_tasks_that_wait_in_a_shared_coroutine_are_known_by_their_callers() -> None:
    come, same, go = (
        fingerprint(coming(name, user))
        for name, user in (("come", "a"), ("come", "b"), ("go", "a"))
    )
    assert come == same != go


class Locked:
    """Two locks in two orders."""

    def __init__(self) -> None:
        self.one, self.two = threading.Lock(), threading.Lock()

    def get(self, key: str) -> None:
        with self.one, self.two:
            pass

    def delete(self, key: str) -> None:
        with self.two, self.one:
            pass


def test_a_deadlock_is_the_same_whoever_comes_first_in_the_scenario() -> None:
    def body_of(*acts: str) -> Callable[[Any], None]:
        def body(world: Any) -> None:
            locked = Locked()
            for number, act in enumerate(acts):
                name = f"user-{number}"
                world.actor(name, getattr(world.user(name, locked), act), "k")
            world.run()

        return body

    one, other = found(body_of("read", "delete")), found(body_of("delete", "read"))
    assert one.conflict_class == other.conflict_class == "deadlock"
    assert one.fingerprint == other.fingerprint


def test_a_coroutine_that_was_never_awaited_is_known_by_its_name() -> None:
    """It is told as a crash, and has no error."""

    def forgetting(name: str) -> Callable[[Any], Any]:
        async def body(world: Any) -> None:
            async def alice() -> None:
                getattr(Hall(), name)()

            world.actor("alice", alice)
            await world.run()

        return body

    come, same, go = (fingerprint(forgetting(name)) for name in ("come", "come", "go"))
    assert come == same != go


class Service:
    """Has done something before it crashes; the crash is the same."""

    def get(self, key: str) -> None:
        fail(KeyError(key))

    def set(self, key: str, value: Any) -> None:
        """Do nothing."""


def test_what_the_user_did_before_the_crash_does_not_count() -> None:
    def body(world: Any) -> None:
        user = world.user("alice", Service())

        def alice() -> None:
            user.write("k", 1)
            user.read("k")

        world.actor("alice", alice)
        world.actor("somebody", world.origin.get, "k")
        world.run()

    assert fingerprint(body) == fingerprint(read(Service))


KNOWN = {
    "caused": ("0a21a497c755", "8b0e9e313d3b", "eb0ae678d16a"),
    "price": ("8c8265160f8d", "501be67ad28f", "eb0ae678d16a"),
    "stock": ("256c8713eaf3", "501be67ad28f", "eb0ae678d16a"),
    "wait": ("b8027c25a077", "abc0c93229bc", "6dd535ce26cb"),
    "task": ("d32c216954b1", "c217e4ce5e40", "12d15c24f486"),
}
"""The fingerprint, the one of the version that knew one function, and the one before that."""


@pytest.mark.parametrize("name", KNOWN)
def test_fingerprints_in_files_of_users_are_known_in_every_process_and_python(name: str) -> None:
    bodies = {
        "caused": read(lambda: Facade("caused", KeyError())),
        "price": read(Shop),
        "stock": read(Shop, key="stock"),
        "wait": read(Hall),
        "task": coming("come", "alice"),
    }
    conflict = found(bodies[name])
    assert (conflict.fingerprint, *conflict.former_fingerprints) == KNOWN[name]
