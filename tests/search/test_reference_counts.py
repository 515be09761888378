"""Exact numbers of interleavings of well-known programs, on the real stack."""

from math import comb, factorial

import pytest

from pytest_supercache import check
from tests.search.well_known import (
    depend,
    filesystem,
    hairbrush,
    independent,
    indexer,
    lastzero,
    manywrite,
    mutex,
    opposite_locks,
    popl_example,
    readers,
    redundant_co,
    sleeping_races,
    two_writers_readers,
    writers,
    writers_and_reader,
)
from tests.selection import few


def counted(body, **options):
    """Search exhaustively; nothing may be wasted, and every interleaving must be its own."""
    options = {"search": "exhaustive", "stop_at_first": False, "executions": 100_000} | options
    options["memory"] = "declared"  # the programs name what they share
    result = check(body, **options)
    assert result.exhausted
    assert result.blocked == 0
    return result.executions


@pytest.mark.parametrize("n", few([1, 2, 3, 4, 5], 4))
def test_writers_of_one_variable(n):
    assert counted(writers(n, 1)) == factorial(n)


@pytest.mark.parametrize(
    ("n", "k", "expected"),
    few([(2, 2, 6), (2, 3, 20), (3, 2, 90), (2, 4, 70), (3, 3, 1_680)], 3),
)
def test_threads_that_write_several_times(n, k, expected):
    assert counted(writers(n, k)) == expected


@pytest.mark.parametrize("n", few([1, 2, 3, 4, 8], 4))
def test_readers_beside_one_writer(n):
    assert counted(readers(n)) == 2**n


@pytest.mark.parametrize("n", few([1, 2, 3, 4], 3))
def test_writers_and_a_reader(n):
    assert counted(writers_and_reader(n)) == factorial(n + 1)


@pytest.mark.parametrize(("w", "r", "m"), few([(3, 3, 1), (2, 2, 2), (3, 3, 2)], 2))
def test_hairbrush(w, r, m):
    assert counted(hairbrush(w, r, m)) == comb(w + r, r) ** m


@pytest.mark.parametrize("n", few([1, 2, 3, 4, 5, 6], 3))
def test_lastzero(n):
    assert counted(lastzero(n)) == (2 if n == 1 else (n + 3) * 2 ** (n - 2))


@pytest.mark.parametrize(("n", "expected"), [(11, 1), (12, 8)])
def test_indexer(n, expected):
    assert counted(indexer(n)) == expected


@pytest.mark.long  # as test_indexer, with locks
@pytest.mark.parametrize(("n", "expected"), [(13, 1), (14, 2), (16, 8)])
def test_filesystem(n, expected):
    assert counted(filesystem(n)) == expected


@pytest.mark.parametrize("n", few([2, 3, 4], 2))
def test_a_real_lock(n):
    assert counted(mutex(n)) == factorial(n)


def test_two_locks_in_opposite_order():
    result = check(opposite_locks(), search="exhaustive", stop_at_first=False)
    assert (result.executions, result.violating, result.blocked) == (3, 1, 0)


def test_independent_keys_and_independent_copies():
    assert counted(independent(4)) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    few(
        [
            (popl_example(), 5),
            (manywrite(), 16),
            (depend(1), 12),
            (two_writers_readers(), 9),
            (sleeping_races(), 10),
            (redundant_co(1), 12),
            (depend(4), 30),
            (redundant_co(2), 90),
        ],
        6,
    ),
)
def test_programs_of_the_literature(body, expected):
    assert counted(body) == expected
