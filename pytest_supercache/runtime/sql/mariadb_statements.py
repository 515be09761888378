"""Reads off the text of MariaDB statements what they may do; their tables are not looked up.

What is not known to be harmless counts as a write of every table.
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

_QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|--\s[^\n]*|\#[^\n]*|/\*(?![!M]).*?\*/""",
    re.DOTALL,
)
_HIDDEN = re.compile(r"/\*M?!\d*|\*/")
"""What is around code in a comment that the server executes."""

_OWN_AFFAIR = frozenset({"", "USE", "SAVEPOINT", "RELEASE", "HELP"})
_ASKS = frozenset({"SHOW", "DESCRIBE", "DESC", "EXPLAIN"})
_EXPLAINS = re.compile(
    r"\s*(EXPLAIN|DESCRIBE|DESC)\s*"
    r"(\(|\b(EXTENDED|PARTITIONS|FORMAT|SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|FOR)\b)",
    re.IGNORECASE,
)
"""Before anything else these words ask for the columns of a table."""
_SHOWS_NO_DATA = re.compile(
    r"\s*SHOW\s+((GLOBAL|SESSION|LOCAL)\s+)?"
    r"(CHARACTER|CHARSET|COLLATION|COUNT|(STORAGE\s+)?ENGINES|ERRORS|PLUGINS|PRIVILEGES|PROFILES?|VARIABLES|"
    r"WARNINGS)\b",
    re.IGNORECASE,
)
_BEGINS = frozenset({"BEGIN", "START"})
_ENDS = frozenset({"COMMIT", "ROLLBACK"})
_DOES_SEVERAL = frozenset({"CALL", "EXECUTE"})
_CHANGES_SCHEMA = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME", "OPTIMIZE"})
_OF_THE_SERVER = frozenset({"LOCK", "UNLOCK", "XA", "FLUSH", "HANDLER", "KILL", "BACKUP"})
_WAITS_THERE = re.compile(r"\b(GET_LOCK|SLEEP|BENCHMARK|MASTER_\w*WAIT\w*)\s*\(", re.IGNORECASE)
_LOCK_TIMEOUT = re.compile(r"\b(innodb_)?lock_wait_timeout\b", re.IGNORECASE)
_NEW_TIMEOUT = re.compile(
    r"^\s*SET\s+(?:SESSION\s+|@@(?:SESSION\.)?)?"
    r"innodb_lock_wait_timeout\s*:?=\s*(\d+)\s*;?\s*$",
    re.IGNORECASE,
)
_SETS_MORE = re.compile(r"\b(GLOBAL|STATEMENT|SELECT|PASSWORD|ROLE)\b", re.IGNORECASE)
_AUTOCOMMIT = re.compile(r"\bAUTOCOMMIT\b", re.IGNORECASE)
_ISOLATION = re.compile(
    r"\b(?:ISOLATION\s+LEVEL\b|(?:tx|transaction)_isolation\s*:?=)\s*['\"]?"
    r"(SERIALIZABLE|REPEATABLE[\s-]+READ|READ[\s-]+COMMITTED|READ[\s-]+UNCOMMITTED)?",
    re.IGNORECASE,
)
_OF_ONE_TRANSACTION = re.compile(r"\bSET\s+(TRANSACTION|@@(tx|transaction)_iso)", re.IGNORECASE)
_GLOBAL = re.compile(r"\bGLOBAL\b", re.IGNORECASE)
_CHAINS = re.compile(r"\bAND\s+CHAIN\b", re.IGNORECASE)
_COMPLETION = re.compile(r"\bcompletion_type\b", re.IGNORECASE)
_PARTLY = re.compile(r"\bTO\b", re.IGNORECASE)
_EXPLAINS_BY_DOING = re.compile(r"\bANALYZE\b", re.IGNORECASE)
_FROM = re.compile(r"\bFROM\b", re.IGNORECASE)
_LOCKS = re.compile(
    r"\b(INSERT|UPDATE|DELETE|REPLACE|INTO|FOR\s+SHARE|LOCK\s+IN|NEXTVAL|NEXT|SETVAL)\b",
    re.IGNORECASE,
)
_AT_ONCE = re.compile(r"\b(NOWAIT|SKIP\s+LOCKED)\b", re.IGNORECASE)
_WAITS_SECONDS = re.compile(r"\bWAIT\s+(\d+)\b", re.IGNORECASE)
_HARMLESS = frozenset(
    {
        "count", "sum", "min", "max", "avg", "coalesce", "ifnull", "nullif", "if", "lower", "upper",
        "length", "char_length", "concat", "abs", "round", "cast", "convert", "exists", "in", "any",
        "all", "some", "values", "greatest", "least", "as", "and", "or", "not", "where", "on",
        "select", "from", "over", "version", "database", "schema", "user", "current_user", "char",
        "varchar", "decimal", "connection_id", "last_insert_id", "row", "using", "by", "union",
        "case", "when", "then", "else", "distinct", "join", "convert_tz",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MariaDBStatement:
    """What a statement may do, or several in one text."""

    label: str
    tables: Tables | None  # None: it has nothing to do with other connections
    begins: bool = False  # a transaction, which ends the present one
    ends: bool = False  # the present transaction, perhaps
    ends_always: bool = False
    chains: bool = False  # it begins another transaction where it ends one
    is_several: bool = False  # statements: some of them may be done when one meets a lock
    leaves_control: str = ""  # what about it is not controlled
    seconds: float | None = None  # how long it waits for locks, if it says so
    new_timeout: float | None = None  # the seconds for which later ones wait
    level: str | None = None  # of isolation, for transactions to come
    is_of_one: bool = False  # whether the level is that of the next transaction only
    changes_schema: bool = False

    @property
    def is_own_affair(self) -> bool:
        """Whether it has nothing to do with other connections."""
        return self.tables is None and not self.begins


def understand(text: str) -> MariaDBStatement:
    """Say what a statement, or several, may do."""
    bare = _HIDDEN.sub(" ", _QUOTED.sub(" ", text))
    words = [word for part in bare.split(";") if (word := first_word(part))]
    word = words[0] if words else ""
    label = label_of(text, word)
    if len(words) > 1:
        why = "several statements in one query()"
        return MariaDBStatement(label=label, tables=EVERYTHING, is_several=True, leaves_control=why)
    if word in _OF_THE_SERVER or _WAITS_THERE.search(bare):
        return MariaDBStatement(
            label=label, tables=EVERYTHING, leaves_control=f"the statement {label!r}"
        )
    if word == "SET":
        return _setting(label, bare, text)
    if word in _BEGINS:
        tables = READS if re.search(r"\bSNAPSHOT\b", bare, re.IGNORECASE) else None
        return MariaDBStatement(label=label, tables=tables, begins=True)
    if _is_own_affair(word, bare):
        return MariaDBStatement(label=label, tables=None)
    if word in _ENDS:
        ends = not _PARTLY.search(bare)
        return MariaDBStatement(
            label=word, tables=EVERYTHING, ends=ends, ends_always=ends,
            chains=bool(_CHAINS.search(bare)),
        )  # fmt: skip
    if _only_asks(word, bare):
        reads = word in _ASKS or _FROM.search(bare)
        return MariaDBStatement(label=label, tables=READS if reads else None)
    seconds = _WAITS_SECONDS.search(bare)
    return MariaDBStatement(
        label=label, tables=EVERYTHING, is_several=word in _DOES_SEVERAL,
        seconds=0.0 if _AT_ONCE.search(bare) else float(seconds[1]) if seconds else None,
        changes_schema=word in _CHANGES_SCHEMA,
    )  # fmt: skip


def _is_own_affair(word: str, bare: str) -> bool:
    """Say whether a statement has nothing to do with other connections."""
    is_explained = _EXPLAINS.match(bare) and not _EXPLAINS_BY_DOING.search(bare)
    return bool(word in _OWN_AFFAIR or is_explained or _SHOWS_NO_DATA.match(bare))


def _only_asks(word: str, bare: str) -> bool:
    """Say whether a statement reads, and changes nothing."""
    if word in _ASKS:
        return not _EXPLAINS_BY_DOING.search(bare)
    return word in READ_WORDS and _only_reads(bare)


def _setting(label: str, bare: str, text: str) -> MariaDBStatement:
    timeout = _NEW_TIMEOUT.match(bare)
    level = None if _GLOBAL.search(bare) else _ISOLATION.search(text)
    is_unclear = bool(_LOCK_TIMEOUT.search(bare)) and timeout is None
    is_unclear |= level is not None and level[1] is None
    is_unclear |= bool(_COMPLETION.search(bare))
    touches = _SETS_MORE.search(bare) or _AUTOCOMMIT.search(bare)
    return MariaDBStatement(
        label=label, tables=EVERYTHING if touches else None,
        ends=bool(_AUTOCOMMIT.search(bare)),
        leaves_control=f"the statement {label!r}" if is_unclear else "",
        new_timeout=float(timeout[1]) if timeout else None,
        level=level and level[1] and " ".join(level[1].upper().replace("-", " ").split()),
        is_of_one=bool(_OF_ONE_TRANSACTION.search(bare)),
    )  # fmt: skip


def _only_reads(bare: str) -> bool:
    """Say whether a SELECT is read-only: it locks no rows and calls only known functions."""
    locks = _LOCKS.search(bare) or re.search(r"\bFOR\b", bare, re.IGNORECASE)
    return not locks and called_in(bare) <= _HARMLESS
