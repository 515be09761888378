"""Which rows a statement uses, as its text says it."""

import pytest

from pytest_supercache.core.statement import SqlStatement
from pytest_supercache.oracle.rows import Rows, RowUse, rows_of


def rows(text, parameters=None, dialect="sqlite"):
    return list(rows_of(SqlStatement.of(dialect, text, parameters)))


def read(table, columns, **fixed):
    return Rows(
        table=table,
        use=RowUse.READ,
        fixed=frozenset(fixed.items()),
        columns=frozenset(columns.split()),
    )


def updated(columns, computed="", **fixed):
    return Rows(
        table="product",
        use=RowUse.UPDATE,
        fixed=frozenset(fixed.items()),
        columns=frozenset(columns.split()),
        computed=frozenset(computed.split()),
    )


@pytest.mark.parametrize(
    ("dialect", "text", "parameters"),
    [
        ("sqlite", "SELECT stock FROM product WHERE id = 7", None),
        ("sqlite", "select stock from product where id = ?", (7,)),
        ("sqlite", "SELECT stock FROM product WHERE :id = id", {"id": 7}),
        ("sqlite", 'SELECT "product"."stock" FROM "product" WHERE "product"."id" = ?', [7]),
        ("postgres", "SELECT stock FROM product WHERE id = $1 FOR UPDATE", [7]),
        ("postgres", "SELECT stock FROM product WHERE (id = %s)", (7,)),
        ("postgres", "SELECT stock FROM product WHERE id = $1::INTEGER", (7,)),
        ("postgres", "SELECT p.stock FROM shop.product AS p WHERE p.id = %(id)s", {"id": 7}),
        ("mysql", "SELECT `stock` FROM `product` WHERE `id` = 7 LIMIT 21", None),
    ],
)
def test_a_value_is_found_in_every_form_of_a_parameter(dialect, text, parameters):
    assert rows(text, parameters, dialect) == [read("product", "stock id", id="7")]


@pytest.mark.parametrize(
    "where", ["id = 7 OR id = 8", "id IN (7, 8)", "id > 7", "NOT id = 7", "id = other", "id = ?"]
)
def test_what_is_no_single_value_leaves_rows_open(where):
    [found] = rows(f"SELECT stock FROM product WHERE {where}", (object(),))
    assert found.fixed == frozenset()


def test_all_parts_of_a_condition_count():
    [found] = rows("SELECT 1 FROM product WHERE id = ? AND shop = ? AND stock > 0", (7, "a"))
    assert found.fixed == {("id", "7"), ("shop", "a")}


def test_an_update_that_computes_is_told_from_one_that_is_told_the_value():
    assert rows("UPDATE product SET stock = ? WHERE id = ?", (4, 7)) == [updated("stock", id="7")]
    assert rows("UPDATE product SET stock = stock - ?, seen = 1 WHERE id = ?", (1, 7)) == [
        updated("stock seen", "stock", id="7")
    ]
    [moved] = rows("UPDATE product SET id = 8 WHERE id = 7")
    assert moved.fixed == {("id", "7")}
    assert moved.lasting == frozenset()  # it has had the one value, and has the other


def test_an_insert_adds_a_row_with_its_values_unless_they_are_of_another_table():
    [one] = rows("INSERT INTO seat (number, name) VALUES (?, ?)", (7, "me"))
    assert one.fixed == {("number", "7"), ("name", "me")}
    for text in (
        "INSERT INTO seat VALUES (7, 'me')",
        "INSERT INTO seat (number) VALUES (7), (8)",
        "INSERT INTO seat (number) SELECT id FROM product",
        "INSERT INTO seat (number) VALUES (7) ON CONFLICT DO NOTHING",
    ):
        [one] = rows(text)
        assert (one.table, one.use, one.fixed) == ("seat", RowUse.INSERT, frozenset())


def test_the_values_of_a_joined_table_are_its_own():
    found = rows("SELECT * FROM seat s JOIN product p ON p.id = s.p WHERE p.id = 7 AND x = 1")
    assert [(one.table, one.fixed) for one in found] == [
        ("seat", frozenset()),
        ("product", {("id", "7")}),
    ]


def test_a_name_of_a_subquery_is_no_table_and_its_table_is_read_as_a_whole():
    [found] = rows("WITH few AS (SELECT * FROM product WHERE id = 7) SELECT * FROM few")
    assert (found.table, found.fixed) == ("product", frozenset())


@pytest.mark.parametrize("text", ["COMMIT", "PRAGMA x", "", "SELECT (", "UPDATE", "CALL f(1)"])
def test_what_cannot_be_read_uses_no_known_rows(text):
    assert rows(text) == []


def test_rows_meet_unless_a_common_column_differs():
    seven, eight = (read("product", "", id=value) for value in "78")
    named, whole = read("product", "", name="a"), read("product", "")
    assert not seven.may_meet(eight)
    assert seven.may_meet(named)
    assert not seven.are_those_of(named)  # nobody knows
    assert seven.are_those_of(whole)
    assert seven.are_those_of(read("product", "", id="7", name="a"))
    assert not seven.may_meet(read("seat", "", id="7"))
