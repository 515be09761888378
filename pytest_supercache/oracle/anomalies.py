"""Names the anomalies of isolation between the operations of two users of a database.

The names are those of Berenson et al., "A Critique of ANSI SQL Isolation Levels" (SIGMOD 1995), the
orders of dependence those of Adya, Liskov and O'Neil, "Generalized Isolation Level Definitions"
(ICDE 2000). There a transaction is what must not be disturbed, here it is a user's operation: code
that reads and writes in two transactions loses updates at every isolation level. Which rows a
statement uses is known from its text; where it is not, nothing is named.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.trace import Step
from pytest_supercache.oracle.cause import Causes, Evidence, forces
from pytest_supercache.oracle.roles import (
    ORIGIN,
    Act,
    Role,
    end_of_change,
    ends_transaction,
    is_in_sqlite_transaction,
)
from pytest_supercache.oracle.rows import Rows, RowUse, rows_of
from pytest_supercache.oracle.stale import Classified
from pytest_supercache.oracle.story import step_numbers

_UNCOMMITTED = "READ UNCOMMITTED"
_SNAPSHOTS = frozenset({"REPEATABLE READ", "SERIALIZABLE"})
"""The isolation levels at which all reads of a transaction see one state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowAccess:
    """A statement that uses rows."""

    at: int
    """Its position in the race."""
    step: Step
    rows: Rows
    end: int
    """The position of the step by which what it has written is committed, or rolled back."""
    is_kept: bool = True
    snapshot: tuple[str, int | None] | None = None
    """The transaction of which all reads see one state; None: the statement sees what is there."""

    def is_seen_before(self, at: int) -> bool:
        """Say whether others see what it has written before a position."""
        return self.is_kept and self.end < at

    @property
    def act(self) -> Act:
        """The statement as a step with a role."""
        written = Role.COMMIT if self.end == self.at else Role.CHANGE
        role = written if self.rows.is_write else Role.LOAD
        return Act(self.at, self.step, role, ORIGIN, self.rows.table)


_Orders = tuple[tuple[_RowAccess, _RowAccess], ...]
"""Which accesses of one operation came before which of the other."""


@dataclass(slots=True)
class _Work:
    """The statements of one operation, in their order."""

    reads: list[_RowAccess] = field(default_factory=list)
    writes: list[_RowAccess] = field(default_factory=list)

    def reads_of(self, rows: Rows) -> list[_RowAccess]:
        """Return the statements that may have read what a write changes."""
        return [one for one in self.reads if one.rows.concern(rows)]

    def last_read(self, rows: Rows, before: int) -> _RowAccess | None:
        """Return the last of them before a position."""
        return _last(self.reads_of(rows), before)

    def written(self, *uses: RowUse) -> Iterator[_RowAccess]:
        """Yield the statements that write in one of these ways and are not rolled back."""
        return (one for one in self.writes if one.rows.use in uses and one.is_kept)


def _last(reads: Sequence[_RowAccess], before: int) -> _RowAccess | None:
    return next((one for one in reversed(reads) if one.at < before), None)


def anomalies(execution: Execution) -> Iterator[Classified]:
    """Yield the anomalies between two operations that are known, the most telling ones first."""
    works = _works(execution)
    for slug, orders in _found(works):
        yield _named(slug, orders)
    if any(level == _UNCOMMITTED for _, level in execution.isolation):
        yield from _dirty_reads(works)


def _found(works: list[_Work]) -> Iterator[tuple[str, _Orders]]:
    for slug, find in _KINDS.items():
        for one, other in permutations(works, 2):
            for orders in find(one, other):
                yield slug, orders


def _named(slug: str, orders: _Orders) -> Classified:
    return Classified.of(slug, ORIGIN, *(use.act for order in orders for use in order))


def borne_out(
    execution: Execution, classified: Classified, evidence: Evidence, causes: Causes
) -> Classified | None:
    """Return the anomaly that the failure is about, where a class is one; None: it is of none.

    Operations that do what their conflict needs do other things besides, such as to note when a
    user was last seen. An anomaly of these, which other interleavings have, too, and pass, is no
    name for it. That is known where every interleaving was executed.
    """
    if classified.slug not in _KINDS:
        return classified
    names = defaultdict(list)  # a coroutine may have taken several steps at one choice
    for name, number in step_numbers(execution.race).items():
        names[number - 1].append(name)
    forced = {step for cause in causes.sets for pair in cause.pairs for step in pair}
    for slug, orders in _found(_works(execution)):
        chosen = [(one.step.choice, two.step.choice) for one, two in orders]
        pairs = [
            (first, second)
            for one, two in chosen
            if one is not None and two is not None
            for first in names[one]
            for second in names[two]
        ]
        if all(forced.intersection(pair) for pair in pairs) or forces(evidence, pairs):
            return _named(slug, orders)
    return None


def _works(execution: Execution) -> list[_Work]:
    """Return what each operation did with rows."""
    works: dict[tuple[str, int | None], _Work] = {}
    race = execution.race
    for at, step in enumerate(race):
        for rows in () if step.futile or step.statement is None else rows_of(step.statement):
            if rows.is_write and step.row_count == 0:
                continue
            work = works.setdefault((step.actor.partition("/")[0], step.operation), _Work())
            end, is_kept = end_of_change(race, at) if rows.is_write else (at, True)
            snapshot = _snapshot_of(execution, race, at)
            use = _RowAccess(
                at=at, step=step, rows=rows, end=end, is_kept=is_kept, snapshot=snapshot
            )
            (work.writes if rows.is_write else work.reads).append(use)
    return list(works.values())


def _snapshot_of(
    execution: Execution, race: Sequence[Step], at: int
) -> tuple[str, int | None] | None:
    """Return the transaction whose reads see one state, in which a statement is; None: in none."""
    step = race[at]
    end = next((later for later in range(at, len(race)) if _ends(race[later], step.actor)), None)
    if step.statement is not None and step.statement.dialect == "sqlite":
        is_inside = is_in_sqlite_transaction(step)
    else:
        is_inside = end is not None and any(level in _SNAPSHOTS for _, level in execution.isolation)
    return (step.actor, end) if is_inside else None


def _ends(step: Step, actor: str) -> bool:
    return step.actor == actor and ends_transaction(step)


def _lost_updates(early: _Work, late: _Work) -> Iterator[_Orders]:
    """P4: rows are read, others change them, and what was made of the old ones is written."""
    for write in late.written(RowUse.UPDATE, RowUse.UPSERT):
        read = late.last_read(write.rows, write.at)
        if read is None or not read.rows.are_those_of(write.rows):
            continue
        given = write.rows.columns - write.rows.computed
        for other in early.written(RowUse.UPDATE, RowUse.UPSERT):
            is_between = not other.is_seen_before(read.at) and other.is_seen_before(write.at)
            lost = given & other.rows.columns & (read.rows.columns or given)
            is_same = other.rows.are_those_of(write.rows)
            if lost and is_same and is_between and not write.rows.is_conditional_on(other.rows):
                yield ((read, other), (other, write))


def _write_skews(one: _Work, other: _Work) -> Iterator[_Orders]:
    """A5B: both read what the other one then changes, and neither writes the other's rows."""
    changes = (RowUse.UPDATE, RowUse.DELETE)
    read_by_one = [(theirs, one.reads_of(theirs.rows)) for theirs in other.written(*changes)]
    for mine in one.written(*changes):
        read_by_other = other.reads_of(mine.rows)
        for theirs, reads in read_by_one:
            mine_read, they_read = _last(reads, mine.at), _last(read_by_other, theirs.at)
            if mine_read is None or they_read is None or mine.rows.may_meet(theirs.rows):
                continue
            is_old = not theirs.is_seen_before(mine_read.at)
            if is_old and not mine.is_seen_before(they_read.at):
                yield ((mine_read, theirs), (they_read, mine))


def _phantoms(reader: _Work, writer: _Work) -> Iterator[_Orders]:
    """P3: rows are looked for, others add one, and the reader looks again or adds one itself."""
    looks = list(zip(reader.reads, _what_follows(reader), strict=True))
    for added in writer.written(RowUse.INSERT):
        for read, following in looks:
            if not read.rows.may_meet(added.rows) or added.is_seen_before(read.at):
                continue
            for later in following:
                if added.is_seen_before(later.end):
                    yield ((read, added), (added, later))


def _what_follows(reader: _Work) -> list[list[_RowAccess]]:
    """Return for each look the same one later, and the INSERTs of which it is the last look."""
    added = [(one, reader.last_read(one.rows, one.at)) for one in reader.written(RowUse.INSERT)]
    return [
        [
            *(
                again
                for again in reader.reads
                if again.at > read.at and again.rows == read.rows
                and not _see_one_state(read, again)
            ),
            *(one for one, look in added if look is read),
        ]
        for read in reader.reads
    ]  # fmt: skip


def _see_one_state(first: _RowAccess, again: _RowAccess) -> bool:
    """Say whether two reads are of one snapshot."""
    return first.snapshot is not None and first.snapshot == again.snapshot


def _non_repeatable_reads(reader: _Work, writer: _Work) -> Iterator[_Orders]:
    """P2, fuzzy read: others change rows between two reads of them."""
    for first in reader.reads:
        for change in writer.written(RowUse.UPDATE, RowUse.DELETE):
            if not change.rows.concern(first.rows) or change.is_seen_before(first.at):
                continue
            for again in reader.reads:
                is_seen = again.at > first.at and change.is_seen_before(again.at)
                is_seen &= not _see_one_state(first, again)
                is_same = again.rows.may_be_those_of(first.rows)
                if is_seen and is_same and _shows(change, first, again):
                    yield ((first, change), (change, again))


def _shows(change: _RowAccess, first: _RowAccess, again: _RowAccess) -> bool:
    """Say whether both reads ask for a column that the change sets; empty stands for all."""
    asked = [use.rows.columns for use in (first, change, again) if use.rows.columns]
    return not asked or bool(frozenset.intersection(*asked))


_KINDS = {
    "lost-update": _lost_updates,
    "write-skew": _write_skews,
    "phantom": _phantoms,
    "non-repeatable-read": _non_repeatable_reads,
}


def _dirty_reads(works: list[_Work]) -> Iterator[Classified]:
    """P1: rows are read that are rolled back later, at an isolation level that shows them."""
    for writer, reader in permutations(works, 2):
        for write in writer.writes:
            for read in reader.reads:
                is_dirty = not write.is_kept and write.at < read.at < write.end
                if is_dirty and read.rows.may_meet(write.rows):
                    yield Classified.of("uncommitted-visible", ORIGIN, write.act, read.act)
