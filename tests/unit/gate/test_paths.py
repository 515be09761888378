"""Which paths lie below which: by whole names, from the root."""

import pytest

from pytest_supercache.gate.paths import partial_testpaths, uncovered


@pytest.mark.parametrize(
    ("path", "above"),
    [("a", "a"), ("a/b", "a"), ("a/b.yaml::one", "a"), ("a/b.yaml::one", "a/b.yaml"), ("a", ".")],
)
def test_a_path_covers_itself_and_what_is_below_it(path: str, above: str) -> None:
    assert uncovered([above], [path]) == []
    assert uncovered([path], [above]) == ([] if path == above else [above])


@pytest.mark.parametrize(
    ("path", "other"), [("ab", "a"), ("a", "b"), ("../a", "."), ("..", "."), ("a::one", "a::o")]
)
def test_a_path_covers_nothing_beside_it(path: str, other: str) -> None:
    assert uncovered([other], [path]) == [path]


def test_a_part_is_named_with_what_it_is_a_part_of() -> None:
    run = {"paths": ["a/b", "c", "e"], "testpaths": ["a", "c", "d"]}
    assert list(partial_testpaths(run)) == ["a/b is only a part of a (testpaths)"]
    assert list(partial_testpaths({"paths": ["a"]})) == []
