"""However a file is damaged, reading it gives a scenario or problems, and nothing else."""

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_supercache.scenario.layout import formatted
from pytest_supercache.scenario.nodes import plain
from pytest_supercache.scenario.problems import Findings, ScenarioProblems
from pytest_supercache.scenario.prose import explain
from pytest_supercache.scenario.scenario import Scenario, items
from pytest_supercache.scenario.table import read_table
from pytest_supercache.scenario.writing import written
from tests.selection import either
from tests.unit.scenario.mistakes import said

FRAGMENTS = st.sampled_from(
    [
        *(
            "- ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            '"',
            "'",
            "\n",
            "  ",
            "&a ",
            "*a",
            "!!set ",
            "? ",
            "| ",
            "#",
        ),
        *("~", "null", "true", "0", "-1", "1e9", "$x", "$shown", "$shown.price", "\t", "\0", "é"),
        *("read: ", "wait_for: ", "one_of: ", "not: ", "literal: ", "exactly: ", "at_least: "),
        *(
            "users:",
            "cases:",
            "systems: ",
            "given: ",
            "expect: ",
            "raises: ",
            "missing",
            "violated",
        ),
    ]
)


@st.composite
def edits(draw):
    return draw(
        st.lists(
            st.tuples(
                st.floats(0, 1), st.integers(0, 40), FRAGMENTS | st.text(max_size=8), st.booleans()
            ),
            min_size=1,
            max_size=6,
        )
    )


RICH = """\
scenario: Flows, faults and types
id: RICH-1
systems: {shop: {violated: stale-set}, reference.fixed: {holds: {assume: {pause: 1s}}}}
given: {origin: {k: 1}}
flows:
  buy:
    - read: $item
      as: shown
      id: look
    - pay: {amount: 2.5, how: cash, note: $item}
      expect: {one_of: [{at_least: 1}, {raises: KeyError}, {not: {literal: {not: 1}}}]}
  both: [{use: buy, with: {item: $first}, id: one}, {delete: z, why: done}]
before:
  - use: both
    with: {first: k}
    node: all
users:
  a: {copies: 2, owns: [k], steps: [{use: both, with: {first: $price}, id: x}]}
  b: [{wait_for: a.x.one.look}, {expire: {key: k, layer: origin}}, {sleep: 10ms}]
guarantees: [{max_loads: 1}, coherent]
faults: {max: 2, kinds: [evict, {cancel: gevent.Timeout}, {pause: 2s}]}
cases: {cold: {price: 120}, warm: {price: "k", given: {origin: {k: ~}}}}
"""


def test_the_rich_file_is_accepted(read):
    scenario = read(RICH)
    assert (len(scenario.before), len(scenario.users[0].steps)) == (3, 3)


@settings(max_examples=either(166, 500), deadline=None, derandomize=True)
@given(edits=edits(), is_rich=st.booleans())
def test_a_damaged_file_is_a_scenario_or_problems(read, good, edits, is_rich):
    text = RICH if is_rich else good
    for where, width, fragment, is_line in edits:
        start = int(where * len(text))
        if is_line:  # whole lines keep YAML valid more often, which tests the grammar and not YAML
            start = text.rfind("\n", 0, start) + 1
            line_end = text.find("\n", start)
            at = text.find(": ", start, line_end)
            text = text[: at + 2] + fragment + text[line_end:] if at > 0 else text
        else:
            text = text[:start] + fragment + text[start + width :]
    _is_scenario_or_problems(read, text, text.encode("utf-8", "surrogatepass"))


@settings(max_examples=either(66, 200), deadline=None, derandomize=True)
@given(content=st.binary(max_size=200) | st.text(max_size=200))
def test_any_content_is_a_scenario_or_problems(read, content):
    _is_scenario_or_problems(read, content)


CELLS = st.text(max_size=8) | st.sampled_from(
    ("given.origin.k", "given.x", "case", '"a', '"a""b"', "{", '{"a": [1]}', "[[", "1e999", "~")
)


@settings(max_examples=either(66, 200), deadline=None, derandomize=True)
@given(rows=st.lists(st.lists(CELLS, max_size=4), max_size=5), end=st.sampled_from(["\n", "\r\n"]))
def test_any_table_is_cases_or_problems(rows, end):
    text = end.join(",".join(row) for row in rows)
    findings = Findings("x.csv", text)
    with suppress(ScenarioProblems):
        assert isinstance(plain(read_table(text, findings)), dict)
        findings.raise_if_any()


def _is_scenario_or_problems(read, *contents):
    for content in contents:
        outcome = _outcome(read, content)
        if isinstance(outcome, ScenarioProblems):
            assert str(outcome)
            lines = len(content) + 1
            assert all(1 <= p.line <= lines and p.column >= 1 for p in outcome.problems)
        else:
            assert isinstance(outcome, Scenario)
            assert explain(outcome).startswith(outcome.id)
            assert said(read(written(outcome))) == said(outcome)
            once = formatted("x", content)
            assert said(read(once)) == said(outcome)
            assert formatted("x", once) == once
            assert all(isinstance(item.given, dict) for item in items(outcome))


def _outcome(read, content):
    try:
        return read(content)
    except ScenarioProblems as problems:
        return problems
