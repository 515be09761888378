"""A value is written the same way wherever people read it."""

import pytest

from pytest_supercache.core.value_text import respelled, seen_text, value_text
from pytest_supercache.report.values import shown

PRICE = '{"price": 100}'


@pytest.mark.parametrize(
    "value", [{"price": 100}, '{"price":100}', b'{"price": 100}', '{ "price" :100}']
)
def test_an_object_has_one_spelling_as_data_as_text_and_as_bytes(value):
    assert {value_text(value), seen_text(value), shown(value)} == {PRICE}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),  # one field would be lost
        ("[1,NaN]", "[1,NaN]"), ("{price}", "{price}"), ("[" * 5_000, "[" * 5_000),
        ('["caf\\u00e9"]', '["caf\u00e9"]'), ("100", "100"), ("a, b:c", "a, b:c"),
    ],
)  # fmt: skip
def test_text_that_is_no_object_or_list_stays_as_it_is(text, told):
    assert respelled(text) == told


@pytest.mark.parametrize(
    ("value", "told", "seen"),
    [
        (None, "nothing", "nothing"), ("his", '"his"', '"his"'), (b"his", '"his"', '"his"'),
        ("100", "100", '"100"'), (b"100", "100", '"100"'), (100, "100", "100"),
        (True, "true", "true"), ("true", "true", '"true"'), ("", '""', '""'),
        ({"a": b"x"}, '{"a": "x"}', '{"a": "x"}'), (b"\xff", '"\\\\xff"', '"\\\\xff"'),
        ({1, 2}, "{1, 2}", "{1, 2}"), ({(1, 2): 3}, "{(1, 2): 3}", "{(1, 2): 3}"),
    ],
)  # fmt: skip
def test_only_what_a_step_expects_tells_text_from_the_number_that_it_spells(value, told, seen):
    assert (value_text(value), seen_text(value)) == (told, seen)


def test_what_a_step_saw_is_cut_where_nobody_reads_on():
    assert len(seen_text("x" * 9_000)) < 300
    assert len(seen_text([["x" * 900] * 900] * 9)) < 300
    cycle = []
    cycle.append(cycle)
    assert "..." in value_text(cycle)
