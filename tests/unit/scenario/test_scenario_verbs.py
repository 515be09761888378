"""What a function must look like to be a verb, and what is said of one that does not."""

from functools import partial, wraps

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.scenario.signatures import check_told, check_verb


class Person:
    """What somebody may call a user."""


def only_the_system(shop): ...


def without_user(shop, key: str, count: int = 1): ...


def any_options(shop, user, *options): ...


def lazy(shop, user, key):
    yield key


async def lazy_on_a_loop(shop, user, key):
    yield key


class Lazy:
    def __call__(self, shop, user, key):
        yield key


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("read", lambda shop, user: None, "the name means something already"),
        ("two words", lambda shop, user: None, "the name is no word"),
        ("look", only_the_system, "must take the system and the user first"),
        ("look", without_user, "Put the user before it: def without_user(shop, user, key: str)"),
        ("look", any_options, "the option 'options' has no name of its own"),
        ("look", lazy, "the function has a `yield`"),
        ("look", lazy_on_a_loop, "the function has a `yield`"),
        ("look", partial(lazy, key="k"), "the function has a `yield`"),
        ("look", Lazy(), "the function has a `yield`"),
    ],
)
def test_a_function_that_is_no_verb_is_refused(name, function, message):
    with pytest.raises(SupercacheError) as refused:
        check_verb(name, function)
    assert message in str(refused.value)


@wraps(lazy)
def iterated(*given, **options):
    return list(lazy(*given, **options))


def test_a_function_that_iterates_what_it_wraps_is_a_verb():
    check_verb("look", iterated)


def with_a_person(shop, who: Person, key: str): ...


def without_types(shop, who, key): ...


def with_unknown_types(shop, who: "Unknown", key: "Unknown"): ...  # noqa: F821 - on purpose


@pytest.mark.parametrize("function", [with_a_person, without_types, with_unknown_types])
def test_a_function_that_calls_its_user_otherwise_is_a_verb(function):
    check_verb("look", function)


def put(shop, user, key, value=1): ...


@pytest.mark.parametrize(
    ("option", "told", "message"),
    [
        (
            "writes",
            lambda answer, key, value: {key: value},
            "writes= takes (answer, key, value), but is called with (key=..., value=...)",
        ),
        ("writes", lambda key: {key: 1}, "got an unexpected keyword argument 'value'"),
        (
            "observes",
            lambda key, value: {key: value},
            "is called with (answer, key=..., value=...)",
        ),
    ],
)
def test_a_callable_that_cannot_be_told_of_a_verb_is_refused(option, told, message):
    with pytest.raises(SupercacheError) as refused:
        check_told("put", option, told, put)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("writes", lambda key, value: {key: value}),
        ("writes", lambda **given: {given["key"]: given["value"]}),
        ("observes", lambda answer, **given: {given["key"]: answer}),
        ("observes", lambda answer, value, *, key: {key: answer}),
    ],
)
def test_a_callable_that_can_be_told_of_a_verb_is_taken(option, told):
    check_told("put", option, told, put)
