"""Broken and hostile files end in problems, in little time: never a traceback, never a hang."""

import time

import pytest

from pytest_supercache.core.inputs import TEXT_BYTES_MAX
from pytest_supercache.scenario.problems import PROBLEMS_MAX, ScenarioProblems

SECONDS_MAX = 60.0  # the slowest takes about a second; a file that explodes takes for ever


def problems_of(read, content):
    began = time.monotonic()
    with pytest.raises(ScenarioProblems) as caught:
        read(content)
    assert str(caught.value)
    assert time.monotonic() - began < SECONDS_MAX
    return caught.value.problems


@pytest.mark.parametrize(
    ("content", "message", "place"),
    [
        (b"", "the file is empty", (1, 1)),
        (b"\n# only a comment\n", "the file is empty", (1, 1)),
        (b"id: \xff\xfe", "the byte 0xff is not UTF-8", (1, 5)),
        ("é: 1\n".encode() + b"id: x\xe9y", "the byte 0xe9 is not UTF-8", (2, 6)),
        ("id: x".encode("utf-16"), "the byte 0xff is not UTF-8", (1, 1)),
        (b"id: x\n\x00", "the character U+0000 is not allowed", (2, 1)),
        (b"\x7fELF\x02\x01\x01\x00", "the character U+007F is not allowed", (1, 1)),
        (b"id: \x1b[31mred", "the character U+001B is not allowed", (1, 5)),
        (b"a: 1\n---\nb: 2\n", "a second document begins here", (2, 1)),
        (b"id: 'open\nb: 1\n", "not valid YAML", (1, 5)),
        (b"id: [1, 2\nb: 1\n", "not valid YAML", (2, 2)),
        (b"\tid: x", "not valid YAML", (1, 1)),
        (b"id: @x", "not valid YAML", (1, 5)),
        (b'id: "\\UFFFFFFFF"', "not valid YAML", (1, 3)),
        (b'scenario: "\\ud800"', "half of a surrogate pair", (1, 11)),
        (b"id: *nope", "the alias '*nope' is not defined", (1, 5)),
        (b"id: &x [*x]", "the alias '*x' contains itself", (1, 9)),
        (b"id: !!python/object:os.system x", "the tag", (1, 5)),
        (b"%YAML 1.1\n---\nid: x", "scenario files are YAML 1.2", (2, 1)),
        (b"<<: {id: x}", "'<<' merges mappings in YAML 1.1 only", (1, 1)),
        (b"? [1]\n: x", "the name before ':' must be text", (1, 3)),
        (b": x", "the name before ':' is empty", (1, 1)),
        (b"given: {origin: {k: .inf}}", ".inf is not a number in JSON", (1, 21)),
        (b"given: {origin: {k: 1e999}}", "the number is too large", (1, 21)),
        (b"given: {origin: {k: " + b"9" * 5000 + b"}}", "the number is too large", (1, 21)),
        (b"- a", "the scenario must be a mapping", (1, 1)),
        (b"text", "the scenario must be a mapping", (1, 1)),
        (b"id: x\rowner: [", "not valid YAML", (2, 9)),
    ],
)
def test_a_broken_file_is_named_where_it_breaks(read, content, message, place):
    found = [found for found in problems_of(read, content) if message in found.message]
    assert found
    assert (found[0].line, found[0].column) == place


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * (TEXT_BYTES_MAX + 1), "larger than 1024 KiB"),
        ("x" * (TEXT_BYTES_MAX + 1), "larger than 1024 KiB"),
        (b"[" * 100_000, "nested more than 64 levels"),
        (b"{a: " * 100_000, "nested more than 64 levels"),
        (b"- " * 100_000, "nested more than 64 levels"),
        (b"k: v\n" * 200_000, "holds more than 20000 values"),
        (b"[" + b"a," * 400_000, "holds more than 20000 values"),
        (
            b"a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + b"".join(
                b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 10))
                for c in range(ord("b"), ord("k"))
            ),
            "holds more than 20000 values",
        ),
        (
            b"a0: &a0 [x]\n"
            + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 99)),
            "nested more than 64 levels",
        ),
    ],
    ids=["big", "big text", "brackets", "braces", "dashes", "lines", "items", "laughs", "chain"],
)
def test_a_file_beyond_a_limit_is_refused_in_little_time(read, content, message):
    assert any(message in found.message for found in problems_of(read, content))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"# c\n" * 250_000, marks=pytest.mark.long),
        b"\n" * 1_000_000 + b"a: 1",
        pytest.param(b'a: "' + b"x\n\n" * 300_000 + b'"', marks=pytest.mark.long),
        pytest.param(b"a: " + b"x y " * 250_000, marks=pytest.mark.long),
        b"a" + b":" * 1_000_000,
        pytest.param(b"%A b\n" * 200_000, marks=pytest.mark.long),
        b"".join(b"k%d: v\n" % number for number in range(9_000)),
        b"users: {" + b"".join(b"u%d: {x: y}, " % number for number in range(3_000)) + b"}",
        b"users: {a: ["
        + b"".join(b"{read: k, id: s%d}, " % number for number in range(2_500))
        + b"], b: ["
        + b"".join(b"{wait_for: a.t%d}, " % number for number in range(2_500))
        + b"]}",
        pytest.param(b"a: '" + b"x" * 1_000_000, marks=pytest.mark.long),
        b"\xff" * 1_000_000,
    ],
    ids=range(11),
)
def test_a_large_file_is_judged_in_little_time(read, content):
    problems = problems_of(read, content)
    assert len(problems) <= PROBLEMS_MAX


def test_many_waits_in_circles_are_found_in_little_time(read):
    steps = range(1_500)
    flows = [
        f"  {me}: [" + ", ".join(f"{{wait_for: {you}.s{n}, id: s{n}}}" for n in steps) + "]"
        for me, you in (("a", "b"), ("b", "a"))
    ]
    text = "scenario: x\nid: X\nsystem: shop\nusers:\n" + "\n".join(flows)
    assert "users wait in a circle" in problems_of(read, text)[0].message


def test_problems_beyond_the_limit_are_counted(read, good):
    with pytest.raises(ScenarioProblems, match=r"and 10 more problems"):
        read(good + "".join(f"x{n}: 1\n" for n in range(PROBLEMS_MAX + 10)))


def test_a_long_line_is_cut_around_the_caret(read, good):
    line = "tags: [" + "a, " * 300 + "«, " + "b, " * 300 + "]"
    (problem,) = problems_of(read, good.replace("tags: [pricing, gate]", line))
    shown, carets = str(problem).splitlines()[1:]
    assert len(shown) < 200
    assert shown[carets.index("^")] == "«"


def test_control_codes_of_a_broken_file_do_not_reach_the_terminal(read):
    (problem,) = problems_of(read, b"id: \x1b[31mred")
    assert "\x1b" not in str(problem)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(read, good):
    with_mark = b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode()
    assert read(with_mark) == read(good)
    assert read("\ufeff" + good) == read(good)


def test_an_anchor_and_its_alias_are_the_same_data(read, good):
    text = good.replace("{price: 100}}\nbefore", "&old {price: 100}, other: *old}\nbefore")
    assert read(text).given["origin"]["other"] == {"price": 100}


def test_a_mistake_behind_an_alias_is_reported_once(read, good):
    text = good.replace("{price: 120}}\n        id", "&x {v: $nope}}\n        id").replace(
        "finally:", "  dan:\n    - write: {key: k, value: *x}\nfinally:"
    )
    assert len(problems_of(read, text)) == 1
