"""Which variables are bound once before any nested function can see them."""

import pytest
from bytecode import Bytecode

from pytest_supercache.runtime.memory.binding import is_constant


def bound_first():
    x = 1
    return lambda: x


def an_argument(x):
    return lambda: lambda: x


def bound_in_one_branch(ready):
    if ready:
        x = 1
    return lambda: x


def bound_after_the_function_is_made():
    def made():
        return x

    x = 1
    return made


def bound_twice():
    x = 1

    def made():
        return x

    x = 2
    return made


def bound_in_a_loop(many):
    made = []
    for x in many:
        made.append(lambda: x)  # noqa: B023, PERF401 - rebinding in a loop is what is tested
    return made


def bound_in_a_while_loop(ready):
    made = []
    while not ready():
        x = len(made)
        made.append(lambda: x)  # noqa: B023 - rebinding in a loop is what is tested
    return made


def bound_by_a_nested_function(x):
    def change():
        nonlocal x
        x = 2

    return change


def bound_two_levels_below(x):
    def outer():
        def change():
            nonlocal x
            x = 2

        return change

    return outer


def deleted(x):
    def made():
        return x  # noqa: F821 - deleting the captured variable is what is tested

    del x
    return made


def an_exception():
    try:
        raise KeyError
    except KeyError as x:  # noqa: F841 - the function below reads it
        return lambda: x  # noqa: F821 - it is bound above


@pytest.mark.parametrize("function", [bound_first, an_argument, bound_in_one_branch])
def test_a_variable_is_constant_that_is_bound_before_others_see_it(function):
    assert is_constant("x", Bytecode.from_code(function.__code__))


@pytest.mark.parametrize(
    "function",
    [
        bound_after_the_function_is_made, bound_twice, bound_in_a_loop, bound_in_a_while_loop,
        bound_by_a_nested_function, bound_two_levels_below, deleted, an_exception,
    ],
)  # fmt: skip
def test_a_variable_is_no_constant_that_may_be_bound_while_others_see_it(function):
    assert not is_constant("x", Bytecode.from_code(function.__code__))
