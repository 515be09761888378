"""Which paths lie below which: by whole names, from the root."""

import pytest

from pytest_supercache.gate.paths import beyond, parts_left


@pytest.mark.parametrize(
    ("path", "above"),
    [("a", "a"), ("a/b", "a"), ("a/b.yaml::one", "a"), ("a/b.yaml::one", "a/b.yaml"), ("a", ".")],
)
def test_a_path_covers_itself_and_what_is_below_it(path: str, above: str) -> None:
    assert beyond([above], [path]) == []
    assert beyond([path], [above]) == ([] if path == above else [above])


@pytest.mark.parametrize(
    ("path", "other"), [("ab", "a"), ("a", "b"), ("../a", "."), ("..", "."), ("a::one", "a::o")]
)
def test_a_path_covers_nothing_beside_it(path: str, other: str) -> None:
    assert beyond([other], [path]) == [path]


def test_a_part_is_named_with_what_it_is_a_part_of() -> None:
    run = {"paths": ["a/b", "c", "e"], "testpaths": ["a", "c", "d"]}
    assert list(parts_left(run)) == ["a/b is only a part of a (testpaths)"]
    assert list(parts_left({"paths": ["a"]})) == []
