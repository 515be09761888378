"""What a verb says of a key that nothing else has is no evidence: it must be another key."""

from dataclasses import replace

import pytest

from pytest_supercache.core.operation import Commit, History, Operation
from pytest_supercache.oracle import preconditions


def told(
    wrote: str,
    shown: str,
    committed: str = "price:4",
    owners: dict[str, tuple[str, ...]] | None = None,
) -> History:
    put = Operation(user="ann", node="a", kind="put", returned_at=1, writes=((wrote, 2),))
    look = Operation(
        user="ann", node="a", kind="look", called_at=1, returned_at=2, sightings=((shown, 1),)
    )
    commits = (Commit(key=committed, value=2, version=1, at=1, by="ann", operation=0),)
    given = {committed: 1}
    return History(
        operations=(put, look),
        commits=commits,
        given=given,
        origin_watched=True,
        owners=owners or {},
    )


ODD = [
    ("prce:4", "price:4", "put says by `writes` that it writes prce:4"),
    ("4", "price:4", "and it has changed price:4"),
    ("price:4", "prce:4", "an operation shows prce:4, which nothing else has: it may be price:4"),
]


@pytest.mark.parametrize(("wrote", "shown", "said"), ODD)
def test_a_key_that_nothing_else_has_is_told(wrote: str, shown: str, said: str) -> None:
    assert said in preconditions.misnamed(told(wrote, shown))


@pytest.mark.parametrize(
    ("wrote", "shown", "committed"),
    [
        ("price:4", "price:4", "price:4"),
        ("item 4", "item 4", "price:4"),  # a name of its own, wherever it is told
        ("price:4", "price:5", "price:4"),  # another one on purpose
        ("user:4", "total", "user:4/mail"),  # a part of it
        ("page:home:en", "page:home:es", "page:home:en"),  # another language
    ],
)
def test_keys_that_meet_or_differ_on_purpose_are_fine(
    wrote: str, shown: str, committed: str
) -> None:
    assert preconditions.misnamed(told(wrote, shown, committed)) == ""


def test_a_key_like_one_that_is_read_as_well_is_another_one() -> None:
    """Nobody has the profile of mariana, beside that of marianna, and she is told so."""
    history = told("profile:marianna", "profile:mariana", committed="profile:marianna")
    assert "it may be profile:marianna" in preconditions.misnamed(history)
    put, look = history
    beside = replace(look, user="marianna", sightings=(("profile:marianna", 2),))
    assert preconditions.misnamed(replace(history, operations=(put, look, beside))) == ""


@pytest.mark.parametrize(("owned", "is_odd"), [("prce:4", True), ("price:4", False)])
def test_so_is_a_key_that_a_user_owns(owned: str, is_odd: bool) -> None:
    history = told("price:4", "price:4", owners={owned: ("ann",)})
    assert ("a user owns prce:4" in preconditions.misnamed(history)) == is_odd


@pytest.mark.parametrize(("shown", "is_lacking"), [("4", True), ("price:4", False)])
def test_nobody_reads_an_own_write_if_there_is_no_key_that_is_shown(
    shown: str, is_lacking: bool
) -> None:
    lack = preconditions.writes_and_answers(told("price:4", shown))
    assert lack.startswith("nobody has or writes what is shown (4)" if is_lacking else "")
    assert bool(lack) == is_lacking
