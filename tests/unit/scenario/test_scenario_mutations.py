"""However a file is damaged, reading it gives a scenario or problems, and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_supercache.scenario.problems import ScenarioProblems
from pytest_supercache.scenario.scenario import Scenario, items

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


@settings(max_examples=400, deadline=None, derandomize=True)
@given(edits=edits())
def test_a_damaged_file_is_a_scenario_or_problems(read, good, edits):
    text = good
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


@settings(max_examples=200, deadline=None, derandomize=True)
@given(content=st.binary(max_size=200) | st.text(max_size=200))
def test_any_content_is_a_scenario_or_problems(read, content):
    _is_scenario_or_problems(read, content)


def _is_scenario_or_problems(read, *contents):
    for content in contents:
        outcome = _outcome(read, content)
        if isinstance(outcome, ScenarioProblems):
            assert str(outcome)
            lines = len(content) + 1
            assert all(1 <= p.line <= lines and p.column >= 1 for p in outcome.problems)
        else:
            assert isinstance(outcome, Scenario)
            assert all(isinstance(item.given, dict) for item in items(outcome))


def _outcome(read, content):
    try:
        return read(content)
    except ScenarioProblems as problems:
        return problems
