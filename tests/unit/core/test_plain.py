"""Values are written as JSON and read back as they were; anything else is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from pytest_supercache.core.inputs import InputError
from pytest_supercache.core.plain import read_plain, write_plain


@dataclass(frozen=True)
class Leaf:
    name: str
    at: int | None = None


@dataclass(frozen=True)
class Tree:
    leaf: Leaf
    below: tuple["Tree", ...] = ()
    seen: frozenset[str] = frozenset()
    counts: Mapping[bytes, int] = field(default_factory=dict)
    pair: tuple[str, bool] = ("", False)
    kept: set[tuple[str, int]] = field(default_factory=set)
    names: dict[str, None] = field(default_factory=dict)


TREE = Tree(
    Leaf("é", 3),
    (Tree(Leaf("x")), Tree(Leaf("y", 0), (Tree(Leaf("")),))),
    frozenset({"b", "a"}),
    {b"\x00\xff": 1 << 95, b"": 0},
    ("z", True),
    {("b", 1), ("a", 2)},
    {"x": None},
)


def test_a_value_is_read_as_it_was_written() -> None:
    text = write_plain(TREE)
    assert read_plain(Tree, text) == TREE
    assert "\n" not in text
    assert text.isascii()


def test_equal_values_are_written_alike() -> None:
    there = Tree(Leaf("x"), seen=frozenset(["b", "a"]), counts={b"b": 1, b"a": 2})
    here = Tree(Leaf("x"), seen=frozenset(["a", "b"]), counts={b"a": 2, b"b": 1})
    assert write_plain(here) == write_plain(there)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("{}", "expected list, found dict"),
        ("[]", "expected 7 values, found 0"),
        ('[["x"],[],[],[],["",false],[],[]]', "expected 2 values, found 1"),
        ('[["x","1"],[],[],[],["",false],[],[]]', "expected int, found str"),
        ('[["x",true],[],[],[],["",false],[],[]]', "expected int, found bool"),
        ('[["x",1],[],[],[["zz",1]],["",false],[],[]]', "expected hexadecimal digits"),
        ('[["x",1],[],[],[["00"]],["",false],[],[]]', "expected 2 values, found 1"),
    ],
)
def test_what_is_no_such_value_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_plain(Tree, text)
