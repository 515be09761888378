"""Finds from its text which rows of which tables a statement uses, to name a conflict.

What two steps may swap never depends on it: there, the tables are those that the server names, or
all. A statement that cannot be read, or is of a form that is not known here, uses no known rows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from pytest_supercache.core.statement import SqlStatement

_TEXT_MAX = 10_000
"""Characters of a statement; longer ones are not read."""


class RowUse(Enum):
    """What a statement does with rows."""

    READ = "read"
    UPDATE = "update"
    INSERT = "insert"
    UPSERT = "upsert"
    """Of one row, that is there or not: it is added, or its columns are set."""
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one table that a statement uses."""

    table: str
    use: RowUse
    fixed: frozenset[tuple[str, str]] = frozenset()
    """Columns with the only value that these rows have in them; empty: any row may be meant."""
    is_whole: bool = False
    """Whether all rows of the table are meant, because the statement has no condition."""
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
        is_whole = self.is_whole or other.is_whole
        return self.may_meet(other) and (is_whole or bool(self.lasting & other.lasting))

    def may_be_those_of(self, other: "Rows") -> bool:
        """Say whether both name the same rows, or one of them leaves open which rows it means."""
        is_open = not self.lasting or not other.lasting
        return self.may_meet(other) and (is_open or bool(self.lasting & other.lasting))


_OF_ROWS = re.compile(r"[\s(]*(SELECT|WITH|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


@lru_cache(maxsize=1_000)
def rows_of(statement: SqlStatement) -> tuple[Rows, ...]:
    """Return the rows that a statement uses, as far as they are known."""
    import sqlglot
    from sqlglot import exp

    if len(statement.text) > _TEXT_MAX or not _OF_ROWS.match(statement.text):
        return ()
    try:
        tokens = sqlglot.tokenize(statement.text, read=statement.dialect)
        tree = sqlglot.parse_one(_numbered(statement, tokens), read=statement.dialect)
    except Exception:  # noqa: BLE001 - a parser's failure costs an anomaly its name, never a verdict
        return ()
    tree = tree.transform(partial(_with_value, exp, dict(statement.values)))
    return (*_written(exp, tree), *_read(exp, tree))


_NUMBERED = "number_"
"""Begins the name that a parameter without a name gets, before its number."""


def _numbered(statement: SqlStatement, tokens: Sequence[Any]) -> str:
    """Return the text in which each parameter without a name (`?`, `?2`, `%s`) has one.

    They are counted in the text: a parser keeps the parts of a statement in an order of its own.
    """
    text, mark = statement.text, _MARKS.get(statement.dialect)
    parts, end, number = [], 0, 0
    for token, following in pairwise([*tokens, None]):
        if token.text != mark or text[token.start] != mark:  # or it is in quotes
            continue
        is_joined = following is not None and following.start == token.end + 1
        suffix = following.text if is_joined else ""
        if mark == "%" and suffix not in _FORMATS:
            continue
        if mark == "?" and not suffix.isdigit():
            suffix = ""
        number = int(suffix) if suffix.isdigit() else number + 1
        parts += [text[end : token.start], f":{_NUMBERED}{number}"]
        end = token.end + 1 + len(suffix)
    return "".join([*parts, text[end:]])


_MARKS = {"sqlite": "?", "postgres": "%"}
"""Begins a parameter without a name, by the dialect; PostgreSQL has an operator `?`."""

_FORMATS = frozenset({"s", "b", "t"})
"""What follows the `%` of psycopg's parameters."""


def _with_value(exp: Any, values: dict[str, str], node: Any) -> Any:
    """Return the value of a parameter, if it is known; another part of a statement as it is."""
    if not isinstance(node, exp.Placeholder | exp.Parameter) or node.this is None:
        return node
    name = str(getattr(node.this, "name", node.this)).removeprefix(_NUMBERED)
    return exp.Literal.string(values[name]) if name in values else node


def _written(exp: Any, tree: Any) -> Iterator[Rows]:
    """Yield the rows that an INSERT, UPDATE or DELETE of one table writes."""
    table = tree.find(exp.Table)
    if table is None:
        return
    name = table.name.lower()
    if isinstance(tree, exp.Insert):
        yield from _put(exp, tree, name)
    elif isinstance(tree, exp.Delete) and tree.this is table:
        yield Rows(
            table=name, use=RowUse.DELETE, fixed=frozenset(_fixed(exp, tree, table)),
            is_whole=_is_whole(tree, table),
        )  # fmt: skip
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
            is_whole=_is_whole(tree, table),
        )  # fmt: skip


def _put(exp: Any, tree: Any, table: str) -> Iterator[Rows]:
    """Yield the rows that an INSERT adds, or sets if they are there.

    Which columns make a row that REPLACE finds the same one, the text does not say.
    """
    if str(tree.args.get("alternative") or "").upper() == "REPLACE":
        return
    inserted = dict(_inserted(exp, tree))
    conflict = tree.args.get("conflict")
    sets = {
        each.this.name.lower(): each.expression
        for each in (conflict.expressions if conflict is not None else ())
        if isinstance(each, exp.EQ)
    }
    if not sets:
        fixed = inserted if conflict is None else {}
        yield Rows(table=table, use=RowUse.INSERT, fixed=frozenset(fixed.items()))
        return
    found = {name: value for name, value in inserted.items() if name not in sets}
    computed = (name for name, new in sets.items() if _is_of_the_row(exp, new))
    yield Rows(
        table=table, use=RowUse.UPSERT, fixed=frozenset(found.items()), columns=frozenset(sets),
        computed=frozenset(computed),
    )  # fmt: skip


def _is_of_the_row(exp: Any, new: Any) -> bool:
    """Say whether a new value is made of what the row has, and not of what was to be added."""
    return new.find(exp.Query) is not None or any(
        column.table.lower() != "excluded"
        and column.find_ancestor(exp.Anonymous, exp.Values) is None
        for column in new.find_all(exp.Column)
    )


def _inserted(exp: Any, tree: Any) -> Iterator[tuple[str, str]]:
    """Yield the columns and values of the one row that an INSERT adds."""
    rows = tree.expression.expressions if isinstance(tree.expression, exp.Values) else []
    names = tree.this.expressions if isinstance(tree.this, exp.Schema) else []
    if len(rows) != 1 or len(names) != len(rows[0].expressions):
        return
    for name, value in zip(names, rows[0].expressions, strict=True):
        if (plain := _plain(exp, value)) is not None:
            yield name.name.lower(), plain


def _read(exp: Any, tree: Any) -> Iterator[Rows]:
    """Yield the rows that a SELECT reads; below the outermost one, those of the whole table."""
    if not isinstance(tree, exp.Select):
        return
    named = {each.alias for each in tree.find_all(exp.CTE)}
    columns = {column.name.lower() for column in tree.find_all(exp.Column)}
    is_known = not tree.args.get("joins") and not tree.find(exp.Star)
    for table in tree.find_all(exp.Table):
        if table.name in named or isinstance(table.parent, exp.Lock):  # FOR UPDATE OF
            continue
        is_outermost = table.parent.parent is tree  # which is its FROM, or a join
        fixed = _fixed(exp, tree, table) if is_outermost else set()
        yield Rows(
            table=table.name.lower(), use=RowUse.READ, fixed=frozenset(fixed),
            columns=frozenset(columns if is_known else ()),
            is_whole=is_outermost and _is_whole(tree, table),
        )  # fmt: skip


def _is_whole(tree: Any, table: Any) -> bool:
    """Say whether a statement means all rows of its only table."""
    return _is_alone(tree, table) and not any(tree.args.get(name) for name in ("where", "limit"))


def _is_alone(tree: Any, table: Any) -> bool:
    """Say whether columns without the name of a table are of this one."""
    others = ["joins", "using"]
    if tree.this is table:  # not a SELECT, whose FROM has the table itself
        others += ["from", "from_"]
    return not any(part.args.get(name) for part in (tree, table) for name in others)


def _fixed(exp: Any, tree: Any, table: Any) -> set[tuple[str, str]]:
    """Return the columns of a table that all of WHERE, by AND, compares with one value."""
    where = tree.args.get("where")
    if where is None:
        return set()
    found, is_alone = set(), _is_alone(tree, table)
    terms = [where.this]
    for condition in (term.unnest() for term in terms):
        if isinstance(condition, exp.And):
            terms += [condition.left, condition.right]  # it is iterated over
        sides = _compared(exp, condition)
        for column, other in (sides, sides[::-1]):
            value = _plain(exp, other)
            if not isinstance(column, exp.Column) or value is None:
                continue
            is_its = column.table in {table.name, table.alias} if column.table else is_alone
            if is_its:
                found.add((column.name.lower(), value))
    return found


def _compared(exp: Any, condition: Any) -> tuple[Any, Any]:
    """Return the two sides of an equation; nothing of another condition."""
    if isinstance(condition, exp.EQ):
        return condition.left, condition.right
    if isinstance(condition, exp.In) and len(condition.expressions) == 1:
        return condition.this, condition.expressions[0]
    return None, None


def _plain(exp: Any, node: Any) -> str | None:
    """Return the value that a part of a statement is, without its type; None: it is no value."""
    while isinstance(node, exp.Cast | exp.Paren):
        node = node.this
    return node.name if isinstance(node, exp.Literal) else None
