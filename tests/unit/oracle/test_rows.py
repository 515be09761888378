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
        ("sqlite", "SELECT stock FROM product WHERE id = ?2", ("it has another number", 7)),
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
    ("text", "parameters"),
    [
        ("SELECT 'ä?', stock FROM product WHERE id = ? LIMIT ? OFFSET ?", (7, 1, 0)),
        ("SELECT stock FROM product WHERE id = ? GROUP BY stock HAVING stock > ?", (7, 1)),
        ("WITH x AS (SELECT ? AS y) SELECT stock FROM product WHERE id = ?", (1, 7)),
    ],
)
@pytest.mark.parametrize(("dialect", "mark"), [("sqlite", "?"), ("postgres", "%s")])
def test_parameters_are_counted_in_the_text(dialect, mark, text, parameters):
    """The parser visits LIMIT before WHERE, and WITH after it."""
    [found] = rows(text.replace("?", mark), parameters, dialect)
    assert found.fixed == {("id", "7")}


def test_an_operator_is_no_parameter():
    [found] = rows("SELECT a FROM t WHERE data ? 'key' AND id = %s", (7,), "postgres")
    assert found.fixed == {("id", "7")}
    [found] = rows("SELECT a FROM t WHERE a % s = 0 AND id = 7", None, "mysql")
    assert found.fixed == {("id", "7")}


@pytest.mark.parametrize(
    "where", ["id = 7 OR id = 8", "id IN (7, 8)", "id > 7", "NOT id = 7", "id = other", "id = ?"]
)
def test_what_is_no_single_value_leaves_rows_open(where):
    [found] = rows(f"SELECT stock FROM product WHERE {where}", (object(),))
    assert found.fixed == frozenset()


@pytest.mark.parametrize(
    "where",
    [
        "id = ? AND shop = ? AND stock > 0",
        "(id = ? AND shop = ?)",  # Django's way to write two conditions
        "(id = ? AND (stock > 0 AND (shop = ?)) AND NOT (id = 8 AND size = 1))",
    ],
)
def test_all_parts_of_a_condition_count(where):
    [found] = rows(f"SELECT 1 FROM product WHERE {where}", (7, "a"))
    assert found.fixed == {("id", "7"), ("shop", "a")}


def test_a_lock_names_no_further_rows():
    text = "SELECT 1 FROM product p JOIN seat s ON s.id = p.id WHERE p.id = 7 FOR UPDATE OF p"
    assert [one.table for one in rows(text, dialect="postgres")] == ["product", "seat"]


def test_an_update_that_computes_is_told_from_one_that_is_told_the_value():
    assert rows("UPDATE product SET stock = ? WHERE id = ?", (4, 7)) == [updated("stock", id="7")]
    assert rows("UPDATE product SET stock = stock - ?, seen = 1 WHERE id = ?", (1, 7)) == [
        updated("stock seen", "stock", id="7")
    ]
    [moved] = rows("UPDATE product SET id = 8 WHERE id = 7")
    assert moved.fixed == {("id", "7")}
    assert moved.lasting == frozenset()  # it has had the one value, and has the other


@pytest.mark.parametrize(
    ("dialect", "new", "computed"),
    [
        ("sqlite", "ON CONFLICT (id) DO UPDATE SET stock = excluded.stock", ""),
        ("postgres", "ON CONFLICT (id) DO UPDATE SET stock = product.stock + 1", "stock"),
        ("mysql", "ON DUPLICATE KEY UPDATE stock = VALUES(stock)", ""),
        ("mysql", "ON DUPLICATE KEY UPDATE stock = stock + VALUES(stock)", "stock"),
    ],
)
def test_an_insert_that_sets_columns_of_a_row_updates_it(dialect, new, computed):
    [put] = rows(f"INSERT INTO product (id, stock) VALUES (7, 4) {new}", dialect=dialect)
    assert (put.use, put.fixed) == (RowUse.UPSERT, {("id", "7")})
    assert (put.columns, put.computed) == ({"stock"}, {*computed.split()})


@pytest.mark.parametrize("ids", ["IN (7)", "IN (7, 8)", "> 7"])
def test_only_one_value_of_a_column_names_the_row(ids):
    [read] = rows(f"SELECT stock FROM product WHERE id {ids}")
    assert read.fixed == ({("id", "7")} if ids == "IN (7)" else set())
    [written] = rows("UPDATE product SET stock = 4 WHERE id = 7")
    assert read.are_those_of(written) is (ids == "IN (7)")


def test_without_a_where_all_rows_are_named():
    [read], [written] = (
        rows("SELECT stock FROM product"),
        rows("UPDATE product SET stock = 4 WHERE id = 7"),
    )
    assert read.are_those_of(written)


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


def test_columns_of_an_update_that_joins_are_known_by_the_name_of_the_table_only():
    for dialect, text in (
        ("postgres", "UPDATE seat SET x = 1 FROM product p WHERE p.id = seat.p AND id = 7"),
        ("postgres", "DELETE FROM seat USING product p WHERE p.id = seat.p AND id = 7"),
        ("mysql", "UPDATE seat JOIN product p ON p.id = seat.p SET x = 1 WHERE id = 7"),
    ):
        [found] = rows(text, dialect=dialect)
        assert found.fixed == frozenset()
        [found] = rows(text.replace("id = 7", "seat.id = 7"), dialect=dialect)
        assert found.fixed == {("id", "7")}


def test_a_condition_outside_of_a_subquery_is_not_on_its_tables():
    joined = "SELECT * FROM product JOIN seat ON seat.id = product.id"
    for text in (f"SELECT * FROM ({joined}) x WHERE id = 7", f"SELECT EXISTS ({joined})"):
        found = rows(text)
        assert {one.table for one in found} == {"product", "seat"}
        assert not any(one.fixed or one.is_whole for one in found)


def test_a_name_of_a_subquery_is_no_table_and_its_table_is_read_as_a_whole():
    [found] = rows("WITH few AS (SELECT * FROM product WHERE id = 7) SELECT * FROM few")
    assert (found.table, found.fixed) == ("product", frozenset())


@pytest.mark.parametrize(
    "text",
    ["COMMIT", "PRAGMA x", "", "REPLACE INTO t VALUES (1)", "SELECT (", "UPDATE", "CALL f(1)"],
)
def test_what_cannot_be_read_uses_no_known_rows(text, caplog):
    assert rows(text) == []
    assert not caplog.records  # the parser has a warning for some


def test_rows_meet_unless_a_common_column_differs():
    seven, eight = (read("product", "", id=value) for value in "78")
    assert not seven.may_meet(eight)
    assert seven.may_meet(read("product", "", name="a"))
    assert not seven.may_meet(read("seat", "", id="7"))


@pytest.mark.parametrize(
    ("text", "are", "may_be"),
    [
        ("SELECT stock FROM product WHERE id = 7 AND name = 'a'", True, True),
        ("SELECT stock FROM product", True, True),
        ("SELECT stock FROM product LIMIT 1", False, True),
        ("SELECT stock FROM product WHERE id IN (7, 8)", False, True),
        ("SELECT stock FROM product WHERE id = ?", False, True),
        ("SELECT stock FROM product WHERE name = 'a'", False, False),
        ("SELECT stock FROM product JOIN seat ON product.id = seat.id", False, True),
    ],
)
def test_rows_are_those_of_others_if_one_value_or_no_condition_says_so(text, are, may_be):
    [update] = rows("UPDATE product SET stock = 1 WHERE id = 7")
    found = rows(text, (object(),))[0]
    assert (found.are_those_of(update), found.may_be_those_of(update)) == (are, may_be)


def test_a_statement_without_a_condition_means_all_rows():
    for text in ("UPDATE product SET stock = 1", "DELETE FROM product"):
        assert rows(text)[0].is_whole
        assert not rows(f"{text} WHERE id > 7")[0].is_whole
