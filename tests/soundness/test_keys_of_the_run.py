"""Containers whose keys are others in every run, and objects that are met by nobody before."""

import threading
import weakref
from collections import ChainMap
from dataclasses import dataclass

import pytest

from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


@dataclass(eq=False)
class Session:
    user: str


def _counts(world, key):
    counts = {key: 0}

    def use():
        counts[key] += 1

    _both(world, use, use)
    assert counts[key] == 2


@broken("both read the count of the identity before either writes it")
def counts_by_identity(world):
    _counts(world, id(Session("ann")))


@broken("both read the count of the object before either writes it")
def counts_by_object(world):
    _counts(world, Session("ann"))


@broken("both read the count of the text before either writes it")
def counts_by_a_text_with_an_address(world):
    _counts(world, object.__repr__(Session("ann")))


@broken("both read the count of the pair before either writes it")
def counts_by_a_pair_with_an_identity(world):
    _counts(world, ("ann", id(Session("ann"))))


@right("the count of the identity is read and written under a lock")
def counts_by_identity_under_a_lock(world):
    session, lock = Session("ann"), threading.Lock()
    counts = {id(session): 0}

    def use():
        with lock:
            counts[id(session)] += 1

    _both(world, use, use)
    assert counts[id(session)] == 2


@right("each thread has its user under its own number")
def users_by_the_number_of_the_thread(world):
    users = {}

    def serve(user):
        users[threading.get_ident()] = user
        return users.pop(threading.get_ident())

    assert _both(world, lambda: serve("a"), lambda: serve("b")) == {"first": "a", "second": "b"}


@broken("both write under one number, and one asks when the other has written")
def users_by_a_number_in_common(world):
    users, number = {}, id(world)

    def serve(user):
        users[number] = user
        return users[number]

    assert _both(world, lambda: serve("a"), lambda: serve("b")) == {"first": "a", "second": "b"}


@broken("both find no session, and the first is answered one that is replaced")
def sessions_made_in_the_race(world):
    sessions = {}

    def session():
        if "ann" not in sessions:
            sessions["ann"] = Session("ann")
        return sessions["ann"]

    def use(name):
        mine = session()
        mine.user = name
        return session() is mine

    answers = _both(world, lambda: use("a"), lambda: use("b"))
    assert all(answers.values())


@broken("both rename the session that was made in the race, and one reads the other's name")
def a_session_that_was_made_in_the_race(world):
    sessions = {}

    def use(name):
        mine = sessions.setdefault("ann", Session("ann"))
        mine.user = name
        return mine.user == name

    answers = _both(world, lambda: use("a"), lambda: use("b"))
    assert all(answers.values())


@right("each makes a session of its own")
def sessions_of_each(world):
    sessions = {}

    def use(name):
        mine = sessions.setdefault(name, Session("ann"))
        mine.user = name
        return mine.user == name

    answers = _both(world, lambda: use("a"), lambda: use("b"))
    assert all(answers.values())


class Node:
    def __init__(self, value, following=None):
        self.value, self.following = value, following


class Stack:
    def __init__(self):
        self.top = None

    def push(self, value):
        self.top = Node(value, self.top)

    def __iter__(self):
        node = self.top
        while node is not None:
            yield node.value
            node = node.following


@broken("both push onto the same top, and one of them is lost")
def a_linked_stack(world):
    stack = Stack()
    _both(world, lambda: stack.push(1), lambda: stack.push(2))
    assert sorted(stack) == [1, 2]


@right("both push under one lock")
def a_linked_stack_under_a_lock(world):
    stack, lock = Stack(), threading.Lock()

    def push(value):
        with lock:
            stack.push(value)

    _both(world, lambda: push(1), lambda: push(2))
    assert sorted(stack) == [1, 2]


class Everyone:
    def __init__(self):
        self.members = weakref.WeakSet()

    def rename(self, name):
        for member in list(self.members):
            member.user = name

    def names(self):
        return {member.user for member in list(self.members)}


@broken("the names are asked for when one is renamed and the other is not yet")
def members_of_a_weak_set(world):
    kept = [Session("ann"), Session("ann")]
    everyone = Everyone()
    everyone.members.update(kept)
    answers = _both(world, lambda: everyone.rename("bob"), everyone.names)
    assert len(answers["second"]) == 1


@right("there is one member only")
def one_member_of_a_weak_set(world):
    kept = [Session("ann")]
    everyone = Everyone()
    everyone.members.update(kept)
    answers = _both(world, lambda: everyone.rename("bob"), everyone.names)
    assert len(answers["second"]) == 1


@broken("the chain writes to its first map, which the other reads by itself in between")
def a_chain_written_above_a_shared_map(world):
    own = {"one": 1, "two": 1}
    chain = ChainMap(own, {})

    def change():
        chain["one"] = 2
        chain["two"] = 2

    assert _both(world, change, lambda: len({*own.values()}))["second"] == 1


@right("the chain writes to a child of its own")
def a_chain_with_a_child(world):
    own = {"one": 1, "two": 1}
    chain = ChainMap(own)

    def change():
        child = chain.new_child()
        child["one"] = 2
        child["two"] = 2

    assert _both(world, change, lambda: len({*own.values()}))["second"] == 1


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
