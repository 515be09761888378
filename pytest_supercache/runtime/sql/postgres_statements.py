"""Reads off the text of PostgreSQL statements what they touch, and whether they can be repeated.

The tables of a statement are not known, so it touches all of them.
"""

import re
from dataclasses import dataclass

from pytest_supercache.runtime.sql.statements import (
    EVERYTHING,
    READ_WORDS,
    READS,
    Tables,
    called_in,
    first_word,
    label_of,
)

_OWN_AFFAIR = frozenset(
    {"", "BEGIN", "START", "SET", "SHOW", "RESET", "SAVEPOINT", "RELEASE", "EXPLAIN"}
)
_ENDS = frozenset({"COMMIT", "END", "ROLLBACK", "ABORT"})
_COMMITS = frozenset({"COMMIT", "END"})
_MOVES_SAVEPOINTS = _ENDS | {"SAVEPOINT", "RELEASE", "PREPARE"}
_CURSORS = frozenset({"FETCH", "MOVE"})
_MAY_COMMIT = frozenset({"CALL", "DO"})
_QUOTED = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"[^"]*"|\$([A-Za-z_]\w*|)\$.*?\$\1\$"""
    r"""|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
_EXPLAINS_BY_DOING = re.compile(r"\bEXPLAIN\b[^;]*\bANALY[SZ]E\b", re.IGNORECASE)
_WRITES_TOO = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|INTO|FOR|CALL)\b", re.IGNORECASE)
_HARMLESS = frozenset(
    {
        "count", "sum", "min", "max", "avg", "coalesce", "lower", "upper", "length", "abs", "round",
        "cast", "exists", "in", "any", "all", "some", "values", "nullif", "greatest", "least", "as",
        "and", "or", "not", "where", "on", "select", "from", "over", "version", "current_schema",
        "varchar", "numeric",
    }
)  # fmt: skip
_AT_CONNECT = re.compile(
    r"\s*select\s+((pg_catalog\.version\(\)|current_schema\(\)|1)\s*;?\s*$|"
    r".*\btyparray\b.*\bfrom pg_type\b)",
    re.IGNORECASE | re.DOTALL,
)
"""Statements of SQLAlchemy and its drivers at connect: no steps, as it holds its own lock then."""
_NOWAIT = re.compile(r"\bNOWAIT\b", re.IGNORECASE)
_LEVEL = re.compile(
    r"\b(?:ISOLATION\s+LEVEL|(?:default_)?transaction_isolation\s*(?:=|TO\b))\s*'?"
    r"(SERIALIZABLE|REPEATABLE\s+READ|READ\s+COMMITTED|READ\s+UNCOMMITTED)",
    re.IGNORECASE,
)
_FOR_ALL = re.compile(
    r"\b(SESSION\s+CHARACTERISTICS|default_transaction_isolation)\b", re.IGNORECASE
)
_LOCK_TIMEOUT = re.compile(r"\block_timeout\b", re.IGNORECASE)

SEVERAL = (
    "several statements in one execute() met a lock, and some of them end a transaction, "
    "move savepoints or say NOWAIT: what they did before it cannot be undone. Use an "
    "execute() for each"
)
CURSOR = (
    "a cursor of the server met a lock while rows were fetched, after which PostgreSQL lets nobody "
    "use it: what it would have given after waiting is not known. Fetch what is locked by an "
    "execute() without a name"
)
PROCEDURE = (
    "a procedure (CALL or DO) outside of a transaction met a lock: what it has committed before it "
    "cannot be undone. Call it in a transaction"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one call of ``execute()`` sends, as a step."""

    label: str
    tables: Tables
    waits: bool = True
    """Whether it waits for locks; NOWAIT is told at once."""
    has_savepoint: bool = False
    """Whether an attempt that meets a lock is taken back to a savepoint before it."""
    final: str = ""
    """Why it cannot be repeated after meeting a lock; nothing if it can."""
    commits: bool = False
    """Whether it only ends a transaction, and publishes what that has written."""


def understand(text: str, *, in_transaction: bool, begins: bool) -> Statement | None:
    """Return what a text does; None: it is independent of all other connections.

    Args:
        text: the statement, or several.
        in_transaction: whether the connection is in a transaction that has not failed.
        begins: whether the driver begins one before a statement.
    """
    bare = _QUOTED.sub(" ", text)
    words = [word for part in bare.split(";") if (word := first_word(part))]
    if _AT_CONNECT.match(text) or _is_own_affair(bare, words):
        return None
    if len(words) == 1 and words[0] in _ENDS:
        return Statement(label=words[0], tables=EVERYTHING, commits=words[0] in _COMMITS)
    only_reads = len(words) == 1 and words[0] in READ_WORDS and only_read(text)
    is_nowait = _NOWAIT.search(bare) is not None
    waits = not is_nowait or len(words) > 1
    is_inside = waits and (in_transaction or begins)
    return Statement(
        label=label_of(text, words[0]),
        tables=READS if only_reads else EVERYTHING,
        waits=waits,
        has_savepoint=is_inside and not _MOVES_SAVEPOINTS & set(words),
        final=_final(words, is_nowait=is_nowait, in_transaction=in_transaction, begins=begins),
    )


def _final(words: list[str], *, is_nowait: bool, in_transaction: bool, begins: bool) -> str:
    """Return why statements cannot be repeated after one of them met a lock; else nothing."""
    if _CURSORS & set(words):
        return CURSOR
    if _MAY_COMMIT & set(words) and not (in_transaction or begins):
        return PROCEDURE
    moves = _MOVES_SAVEPOINTS if in_transaction else _ENDS | {"PREPARE"}
    done = words if in_transaction else words[:-1]
    return SEVERAL if len(words) > 1 and (is_nowait or moves & set(done)) else ""


def _is_own_affair(bare: str, words: list[str]) -> bool:
    """Say whether statements are independent of all other connections."""
    return set(words) <= _OWN_AFFAIR and not _EXPLAINS_BY_DOING.search(bare)


def only_read(text: str) -> bool:
    """Say whether a SELECT is read-only: it locks no rows and calls only known functions."""
    called = called_in(text)
    return not _WRITES_TOO.search(text) and called <= _HARMLESS


def sets_lock_timeout(text: str) -> bool:
    """Say whether a text may change how long its connection waits for locks."""
    return _LOCK_TIMEOUT.search(text) is not None


def isolation_of(text: str) -> tuple[str, bool] | None:
    """Return the isolation level that a text sets, and whether for all transactions to come."""
    found = _LEVEL.search(text)
    if found is None:
        return None
    return " ".join(found[1].upper().split()), _FOR_ALL.search(text) is not None
