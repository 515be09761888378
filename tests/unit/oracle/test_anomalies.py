"""Anomalies of databases are found in a time that grows with the pairs of statements."""

from pytest_supercache.oracle.anomalies import _KINDS, _RowAccess, _Work
from pytest_supercache.oracle.rows import Rows, RowUse


def batch(first, begin, number):
    """Return the work of a job that reads and writes one row after another."""
    accesses = [
        _RowAccess(
            at=begin + at,
            step=None,
            end=begin + at,
            rows=Rows(
                table="product",
                use=RowUse.UPDATE if at % 2 else RowUse.READ,
                fixed=frozenset({("id", str(first + at // 2))}),
                columns=frozenset({"stock"}),
            ),
        )
        for at in range(2 * number)
    ]
    return _Work(reads=accesses[::2], writes=accesses[1::2])


def test_rows_of_long_jobs_are_compared_pair_by_pair(monkeypatch):
    """Three nested loops took minutes for a few hundred rows, once a conflict was found."""
    compared = []
    concern = Rows.concern
    monkeypatch.setattr(Rows, "concern", lambda one, two: compared.append(1) or concern(one, two))
    number = 30
    jobs = batch(0, 0, number), batch(1_000, 2 * number, number)
    assert [list(find(*jobs)) for find in _KINDS.values()] == [[]] * 4
    assert len(compared) <= 8 * number**2
