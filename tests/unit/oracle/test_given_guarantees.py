"""Guarantees that Python tests are given: what is none is refused where it is said."""

from typing import Any

import pytest

from pytest_supercache import MAX_LOADS, READ_YOUR_WRITES, SupercacheError, check, explore

WRONG = ["read_your_writes", ["read_your_writes"], None, READ_YOUR_WRITES, [None], 1]


@pytest.mark.parametrize("guarantees", WRONG, ids=[str(place) for place in range(len(WRONG))])
def test_what_is_no_list_of_guarantees_is_refused_with_what_was_expected(guarantees: Any) -> None:
    expected = r"^guarantees=.*: expected a list of guarantees of pytest_supercache, as \[READ_YOUR"
    with pytest.raises(SupercacheError, match=expected):
        explore(guarantees=guarantees)
    with pytest.raises(SupercacheError, match=expected):
        check(lambda _world: None, guarantees=guarantees)


@pytest.mark.parametrize("several", [list, tuple, set, iter])
def test_guarantees_may_come_in_any_iterable(several: Any) -> None:
    assert explore(guarantees=several([READ_YOUR_WRITES, MAX_LOADS(1)])) is not None
