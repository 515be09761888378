"""Reads off the text of a statement which rows of which tables it uses, for the name of a conflict.

What two steps may swap never depends on it: there, the tables are those that the server names, or
all. A statement that cannot be read, or is of a form that is not known here, uses no known rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from pytest_supercache.core.statement import SqlStatement

_TEXT_MAX = 10_000
"""Characters of a statement; longer ones are not read."""


class RowUse(Enum):
    """What a statement does with rows."""

    READ = "read"
    UPDATE = "update"
    INSERT = "insert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one table that a statement uses."""

    table: str
    use: RowUse
    fixed: frozenset[tuple[str, str]] = frozenset()
    """Columns with the only value that these rows have in them; empty: any row may be meant."""
    columns: frozenset[str] = frozenset()
    """The columns that an update sets, or that are read; empty: all."""
    computed: frozenset[str] = frozenset()
    """Those of them whose new value the statement itself makes of the row that it finds."""

    @property
    def lasting(self) -> frozenset[tuple[str, str]]:
        """The columns whose value is the same before and after the statement."""
        changed = self.columns if self.use is RowUse.UPDATE else frozenset()
        return frozenset(one for one in self.fixed if one[0] not in changed)

    def is_conditional_on(self, other: "Rows") -> bool:
        """Say whether it finds nothing where another one has set a column that it compares."""
        return any(column in other.columns for column, _ in self.fixed)

    @property
    def is_write(self) -> bool:
        """Whether the rows are changed, added or removed."""
        return self.use is not RowUse.READ

    def may_meet(self, other: "Rows") -> bool:
        """Say whether both may use the same row: nothing in their texts excludes it."""
        values = dict(other.lasting)
        is_apart = any(values.get(column, value) != value for column, value in self.lasting)
        return self.table == other.table and not is_apart

    def concern(self, other: "Rows") -> bool:
        """Say whether both may use the same column of the same row."""
        is_apart = self.columns and other.columns and not self.columns & other.columns
        return self.may_meet(other) and not is_apart

    def are_those_of(self, other: "Rows") -> bool:
        """Say whether both name the same rows, or one of them names all rows of the table."""
        names_all = not self.lasting or not other.lasting
        return self.may_meet(other) and (names_all or bool(self.lasting & other.lasting))


_OF_ROWS = re.compile(r"[\s(]*(SELECT|WITH|INSERT|REPLACE|UPDATE|DELETE)\b", re.IGNORECASE)


@lru_cache(maxsize=1_000)
def rows_of(statement: SqlStatement) -> tuple[Rows, ...]:
    """Return the rows that a statement uses, as far as they are known."""
    import sqlglot
    from sqlglot import exp

    if len(statement.text) > _TEXT_MAX or not _OF_ROWS.match(statement.text):
        return ()
    try:
        tree = sqlglot.parse_one(statement.text, read=statement.dialect)
        tree = tree.transform(_ParameterValues(exp, dict(statement.values)).put)
        return (*_written(exp, tree), *_read(exp, tree))
    except Exception:  # noqa: BLE001 - whatever a parser makes of a text, the conflict is told
        return ()


class _ParameterValues:
    """Puts the values of parameters into a statement, in the order of their places."""

    def __init__(self, exp: Any, values: dict[str, str]) -> None:
        self._exp = exp
        self._values = values
        self._number = 0

    def put(self, node: Any) -> Any:
        """Return a value for a place; another node as it is."""
        if not isinstance(node, self._exp.Placeholder | self._exp.Parameter):
            return node
        name = "" if node.this is None else str(getattr(node.this, "name", node.this))
        if not name or name.isdigit():
            self._number = int(name or self._number + 1)
            name = str(self._number)
        value = self._values.get(name)
        return node if value is None else self._exp.Literal.string(value)


def _written(exp: Any, tree: Any) -> Iterator[Rows]:
    """Yield the rows that an INSERT, UPDATE or DELETE of one table writes."""
    table = tree.find(exp.Table)
    if table is None:
        return
    name = table.name.lower()
    if isinstance(tree, exp.Insert):
        yield Rows(table=name, use=RowUse.INSERT, fixed=frozenset(_inserted(exp, tree)))
    elif isinstance(tree, exp.Delete) and tree.this is table:
        yield Rows(table=name, use=RowUse.DELETE, fixed=frozenset(_fixed(exp, tree, table)))
    elif isinstance(tree, exp.Update) and tree.this is table:
        sets = {
            each.this.name.lower(): each.expression
            for each in tree.expressions
            if isinstance(each, exp.EQ)
        }
        computed = (name for name, new in sets.items() if new.find(exp.Column, exp.Query))
        yield Rows(
            table=name, use=RowUse.UPDATE, fixed=frozenset(_fixed(exp, tree, table)),
            columns=frozenset(sets),
            computed=frozenset(computed),
        )  # fmt: skip


def _inserted(exp: Any, tree: Any) -> Iterator[tuple[str, str]]:
    """Yield the columns and values of the one row that an INSERT adds."""
    rows = tree.expression.expressions if isinstance(tree.expression, exp.Values) else []
    names = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    if len(rows) != 1 or len(names) != len(rows[0].expressions) or tree.args.get("conflict"):
        return
    for name, value in zip(names, rows[0].expressions, strict=True):
        if (plain := _plain(exp, value)) is not None:
            yield name.name.lower(), plain


def _read(exp: Any, tree: Any) -> Iterator[Rows]:
    """Yield the rows that a SELECT reads; below the outermost one, those of the whole table."""
    if not isinstance(tree, exp.Select):
        return
    outermost, is_alone = tree.find(exp.From), not tree.args.get("joins")
    named = {each.alias for each in tree.find_all(exp.CTE)}
    columns = {column.name.lower() for column in tree.find_all(exp.Column)}
    is_known = is_alone and not tree.find(exp.Star)
    for table in tree.find_all(exp.Table):
        if table.name in named:
            continue
        is_outermost = table.parent is outermost or isinstance(table.parent, exp.Join)
        fixed = _fixed(exp, tree, table, is_alone=is_alone) if is_outermost else set()
        yield Rows(
            table=table.name.lower(), use=RowUse.READ, fixed=frozenset(fixed),
            columns=frozenset(columns if is_known else ()),
        )  # fmt: skip


def _fixed(exp: Any, tree: Any, table: Any, *, is_alone: bool = True) -> set[tuple[str, str]]:
    """Return the columns of a table that all of WHERE, by AND, compares with one value."""
    where = tree.args.get("where")
    if where is None:
        return set()
    terms = where.this.flatten() if isinstance(where.this, exp.And) else [where.this]
    found = set()
    for term in terms:
        equality = term.unnest()
        if not isinstance(equality, exp.EQ):
            continue
        sides = (equality.left, equality.right)
        for column, other in (sides, sides[::-1]):
            value = _plain(exp, other)
            if not isinstance(column, exp.Column) or value is None:
                continue
            is_its = column.table in {table.name, table.alias} if column.table else is_alone
            if is_its:
                found.add((column.name.lower(), value))
    return found


def _plain(exp: Any, node: Any) -> str | None:
    """Return the value that a part of a statement is, without its type; None: it is no value."""
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return node.name if isinstance(node, exp.Literal) else None
