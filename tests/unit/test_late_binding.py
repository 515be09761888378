"""Functions made in a loop are refused if they would all do what the last one was meant to do."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pytest_supercache as sc
from pytest_supercache.declare.registry import REGISTRY

SAID = "reads 'kind' when it is called, and so does"


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = REGISTRY.copy()
    yield
    REGISTRY.become(before)


def systems(name: str) -> Callable[[Any], Any]:
    return sc.system(f"late-{name}")


def verbs(name: str) -> Callable[[Any], Any]:
    return sc.verb(f"late_{name}")


def in_a_loop(register: Callable[[str], Callable[[Any], Any]]) -> None:
    for kind in (list, dict):

        @register(kind.__name__)
        def made(system, user="alice"):
            return [kind() for _ in (system, user)]  # noqa: B023 - the mistake that is refused


def explored_in_a_loop() -> None:
    for kind in (list, dict):

        @sc.explore
        def test_it(world):
            world.actor("alice", kind)  # noqa: B023 - likewise


@pytest.mark.parametrize("register", [systems, verbs])
def test_what_reads_the_variable_of_its_loop_is_refused(
    register: Callable[[str], Callable[[Any], Any]],
) -> None:
    with pytest.raises(sc.SupercacheError, match=SAID):
        in_a_loop(register)


def test_so_is_an_explored_test_that_does() -> None:
    with pytest.raises(sc.SupercacheError, match=SAID):
        explored_in_a_loop()


def test_what_has_a_variable_of_its_own_is_fine() -> None:
    def make(kind: type) -> None:
        @sc.system(f"late-{kind.__name__}")
        def made(layers):
            return kind()

        @sc.explore
        def test_it(world):
            world.actor("alice", kind)

    for kind in (list, dict):
        make(kind)

        @sc.system(f"late-default-{kind.__name__}")
        def by_default(layers, kind=kind):
            return kind()

        @sc.system(f"late-alias-{kind.__name__}")
        def alias(layers):
            return make
