"""When an answer matches what a step expects, and what is said when it does not."""

import pytest

from pytest_supercache.scenario.matchers import error_mismatch, mismatch
from pytest_supercache.scenario.scenario import UNSET
from pytest_supercache.scenario.variables import VariableError, has_variable, resolve

VARIABLES = {"shown": b'{"price": 100, "tags": ["a"]}', "nothing": None, "count": 3}


@pytest.fixture(scope="session")
def expect(read, good):
    """Compile the text behind `expect:`."""

    def compile_text(text):
        steps = "".join(f"    - read: x\n      as: {name}\n" for name in VARIABLES)
        flow = f"  dan:\n{steps}    - read: x\n      expect: {text}\nfinally:"
        return read(good.replace("finally:", flow, 1)).users[3].steps[-1].expect

    return compile_text


class QuotaExceededError(LookupError):
    """A class of the code under test."""


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("120", 120),
        ("120", 120.0),
        ("text", "text"),
        ("text", b"text"),
        ("é", "é".encode()),
        ("true", True),
        ("null", None),
        ("missing", None),
        ("any", None),
        ("any", object()),
        ("{price: 120}", {"price": 120, "currency": "EUR"}),
        ("{price: 120}", b'{"price": 120, "currency": "EUR"}'),
        ("{a: {b: [1, {c: 2}]}}", {"a": {"b": [1, {"c": 2, "d": 3}]}}),
        ("{a: missing}", {}),
        ("[1, any]", "[1, 2]"),
        ("[1, 2]", (1, 2)),
        ("{exactly: {a: 1}}", '{"a": 1}'),
        ("{exactly: {a: $count}}", {"a": 3}),
        ("{exactly: {not: 1}}", {"not": 1}),
        ("{one_of: [1, 2]}", 2),
        ("{one_of: [{a: 1}, {raises: KeyError}]}", {"a": 1}),
        ("{one_of: [$nothing.price, 120]}", 120),
        ("{not: 1}", 2),
        ("{not: 1}", True),
        ("{not: {a: 1}}", {"a": 2}),
        ("{at_least: 1}", 1),
        ("{at_most: 1}", 1),
        ("{at_least: $count, at_most: 4}", 3.5),
        ("{literal: missing}", "missing"),
        ("{literal: $count}", "$count"),
        ("{literal: {not: {raises: x}}}", {"not": {"raises": "x"}, "more": 1}),
        ("{literal: [any]}", ["any"]),
        ("$shown", {"price": 100, "tags": ["a"]}),
        ("$shown.price", 100),
        ("$shown.tags.0", b"a"),
    ],
)
def test_an_answer_matches(expect, expected, actual):
    assert mismatch(expect(expected), actual, VARIABLES) is None


NUMBER_WANTED = "(a number was expected, and this is text)"
TEXT_WANTED = "(text was expected, and this is a number)"


@pytest.mark.parametrize(
    ("expected", "actual", "sentence"),
    [
        ("120", 100, "expected 120, saw 100"),
        ("120", "120", f'expected 120, saw "120" {NUMBER_WANTED}'),
        ("120", b"120", f'expected 120, saw "120" {NUMBER_WANTED}'),
        ("'120'", 120, f'expected "120", saw 120 {TEXT_WANTED}'),
        ("'120'", 121, 'expected "120", saw 121'),
        ("{price: '120'}", {"price": 120}, f'price: expected "120", saw 120 {TEXT_WANTED}'),
        ("{one_of: ['1', '2']}", 2, f'expected one of "1", "2", saw 2 {TEXT_WANTED}'),
        ("{exactly: 2}", "2", f'expected exactly 2, saw "2" {NUMBER_WANTED}'),
        ("'true'", True, 'expected "true", saw true (text was expected, and this is no text)'),
        ("$count", "3", f'expected $count (3), saw "3" {NUMBER_WANTED}'),
        ("1", True, "expected 1, saw true"),
        ("true", 1, "expected true, saw 1"),
        ("text", b"\xff", 'expected "text", saw "\\\\xff"'),
        ("text", None, 'expected "text", saw nothing'),
        ("null", 0, "expected null, saw 0"),
        ("missing", "", 'expected missing, saw ""'),
        ("{price: 120}", {"price": 100}, "price: expected 120, saw 100"),
        ("{a: {b: [1]}}", {"a": {"b": [2]}}, "a.b.[0]: expected 1, saw 2"),
        (
            "{price: 120}",
            {},
            "price: expected 120, but there is no such field in {}",
        ),
        ("{price: 120}", "no json", 'expected {price: 120}, saw "no json"'),
        ("{price: 120}", None, "expected {price: 120}, saw nothing"),
        ("[1]", [1, 2], "expected 1 items, saw 2: [1, 2]"),
        ("[1]", "1", 'expected [1], saw "1"'),
        (
            "{exactly: {a: 1}}",
            {"a": 1, "b": 2},
            'expected exactly {"a": 1}, saw {"a": 1, "b": 2}',
        ),
        ("{exactly: {a: 1}}", {"a": True}, 'expected exactly {"a": 1}, saw {"a": true}'),
        ("{one_of: [1, {raises: KeyError}]}", 3, "expected one of 1, the error KeyError, saw 3"),
        ("{not: {a: 1}}", {"a": 1}, 'expected not {a: 1}, saw {"a": 1}'),
        ("{at_least: 1}", 0, "expected at least 1, saw 0"),
        ("{at_least: 1, at_most: 2}", 3, "expected at least 1 and at most 2, saw 3"),
        ("{at_least: 1}", "5", f'expected at least 1, saw "5" {NUMBER_WANTED}'),
        ("{at_least: 1}", True, "expected at least 1, saw true"),
        ("{literal: any}", "x", 'expected "any", saw "x"'),
        ("$shown.price", 120, "expected $shown.price (100), saw 120"),
        (
            "$nothing.price",
            120,
            "expected $nothing.price, but $nothing.price has no value: there is no 'price' in None",
        ),
        (
            "{at_most: $shown.tags}",
            1,
            'expected at most $shown.tags, but $shown.tags is not a number: ["a"]',
        ),
    ],
)
def test_a_mismatch_says_what_was_expected_and_seen(expect, expected, actual, sentence):
    assert mismatch(expect(expected), actual, VARIABLES) == sentence


@pytest.mark.parametrize(
    "name",
    [
        "KeyError",
        "LookupError",
        "Exception",
        "builtins.KeyError",
        "builtins.LookupError",
    ],
)
def test_an_error_matches_by_the_name_of_its_class_or_a_base(name):
    assert error_mismatch(name, None, KeyError("x")) is None


def test_an_error_matches_by_the_package_it_is_imported_from():
    error = type("ConnectionError", (Exception,), {"__module__": "redis.exceptions"})()
    assert error_mismatch("redis.ConnectionError", None, error) is None
    assert error_mismatch("redis.exceptions.ConnectionError", None, error) is None
    assert error_mismatch("red.ConnectionError", None, error) is not None
    assert error_mismatch("other.ConnectionError", None, error) is not None


def test_another_error_than_the_expected_one_is_a_mismatch():
    said = error_mismatch("KeyError", None, QuotaExceededError("too many"))
    assert said == "expected KeyError, raised QuotaExceededError: too many"


def test_an_answer_where_an_error_was_expected_is_a_mismatch():
    assert error_mismatch("KeyError", None, None) == "expected KeyError, but the step succeeded"
    assert error_mismatch(None, None, None) is None


def test_an_error_is_allowed_by_one_of_and_by_nothing_else(expect):
    allowed = expect("{one_of: [20, {raises: LookupError}]}")
    assert error_mismatch(None, allowed, QuotaExceededError()) is None
    assert error_mismatch(None, allowed, ValueError("x")) == (
        "expected one of 20, the error LookupError, raised ValueError: x"
    )
    assert error_mismatch(None, expect("any"), ValueError()) == "expected any, raised ValueError"
    assert error_mismatch(None, None, ValueError()) == "no error was expected, raised ValueError"


def test_a_step_without_expect_differs_from_one_that_expects_none(expect, read, good):
    assert read(good).users[0].steps[0].expect is UNSET
    assert mismatch(expect("null"), 5, {}) is not None


def test_a_broken_repr_does_not_break_the_sentence(expect):
    class Broken:
        def __repr__(self):
            raise RuntimeError

    assert mismatch(expect("1"), Broken(), {}).startswith("expected 1, saw <Broken")


def test_json_nested_without_end_is_text(expect):
    assert mismatch(expect("{a: 1}"), "[" * 100_000, {}).startswith('expected {a: 1}, saw "[[')


def test_resolve_replaces_whole_scalars_and_keeps_their_type():
    data = {"a": "$count", "b": ["$shown.price", "a $count", "$5"], "$count": 1}
    assert resolve(data, VARIABLES) == {"a": 3, "b": [100, "a $count", "$5"], "$count": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("$nope", r"\$nope has no value yet; known here: \$shown, \$nothing, \$count"),
        ("$shown.cost", "there is no 'cost' in"),
        ("$shown.tags.7", "there is no '7' in"),
        ("$count.x", "there is no 'x' in 3"),
    ],
)
def test_resolve_says_which_value_is_missing(data, message):
    with pytest.raises(VariableError, match=message):
        resolve({"a": [data]}, VARIABLES)


@pytest.mark.parametrize("data", ["$price", ["$a.b"], {"key": {"deep": ["$x"]}}])
def test_a_variable_is_seen_wherever_it_stands(data):
    assert has_variable(data)


@pytest.mark.parametrize("data", ["$5", "a $price", 5, None, [], {"key": "price"}, {"$price": 1}])
def test_data_that_only_looks_like_a_variable_is_none(data):
    assert not has_variable(data)
