"""Two factories that come from one place are one only if they hold the same."""

from collections.abc import Callable
from typing import Any

import pytest

from pytest_supercache.declare.same import are_one


class Maker:
    __slots__ = ("kind",)

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def __call__(self) -> Any:
        return self.kind


def class_with(kind: Any) -> type:
    class Made:
        def get(self) -> Any:
            return kind

    return Made


def class_of(kind: Any) -> type:
    class Made:
        made_of = kind

        def get(self) -> Any:
            return self.made_of

    return Made


def compiled_with(kind: Any) -> Callable[..., Any]:
    names = {"kind": kind}
    exec("def made(): return kind()", names)
    return names["made"]


MAKERS = [Maker, class_with, class_of, compiled_with]


@pytest.mark.parametrize("make", MAKERS)
def test_what_holds_something_else_is_another_one(make: Callable[[Any], Any]) -> None:
    assert not are_one(make(list), make(dict))


@pytest.mark.parametrize("make", MAKERS)
def test_what_holds_the_same_is_one(make: Callable[[Any], Any]) -> None:
    assert are_one(make(list), make(list))


def test_a_second_import_of_a_module_is_the_same() -> None:
    text = "class Shop:\n    count = {count}\n    def get(self): return kind\nkind = {count}\n"
    first, second = ({"__name__": "shop", "__file__": "shop.py"} for _ in range(2))
    for names, count in ((first, 1), (second, 2)):
        exec(compile(text.format(count=count), "shop.py", "exec"), names)
    assert are_one(first["Shop"], second["Shop"])
    assert are_one(first["Shop"].get, second["Shop"].get)


class Array(int):
    """As those of numpy: what is compared with one is compared element by element."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = int.__hash__


@pytest.mark.parametrize(("other", "is_one"), [(1, True), (2, False)])
def test_what_cannot_be_compared_is_told_apart_by_its_text(other: int, is_one: bool) -> None:
    assert are_one(compiled_with(Array(1)), compiled_with(Array(other))) == is_one
