"""Every mistake is named where it stands, with what to do; its nearest correct twin is accepted."""

import pickle

import pytest

from pytest_supercache.scenario.problems import Problem, ScenarioProblems
from tests.unit.scenario.mistakes import ALL, marked


@pytest.mark.parametrize("given", ALL)
def test_a_mistake_is_named_with_its_place_and_a_hint(read, good, given):
    text, place = marked(good, given)
    with pytest.raises(ScenarioProblems) as caught:
        read(text)
    hints = given.hint.split("|")
    found = [
        problem
        for problem in caught.value.problems
        if given.message in problem.message and any(hint in problem.hint for hint in hints)
    ]
    assert found, str(caught.value)
    if place is not None:
        assert (found[0].line, found[0].column, found[0].width) == place
    assert bool(given.hint) == bool(found[0].hint)


@pytest.mark.parametrize("given", ALL)
def test_the_nearest_correct_text_is_accepted(read, good, given):
    read(good if given.twin is None else good.replace(given.at, given.twin, 1))


@pytest.mark.parametrize("name", ["scenario", "id", "system", "users"])
def test_each_required_field_is_missed(read, name):
    fields = {
        "scenario": "scenario: x",
        "id": "id: X",
        "system": "system: shop",
        "users": "users: {a: [read: k]}",
    }
    assert read("\n".join(fields.values()))
    del fields[name]
    with pytest.raises(ScenarioProblems) as caught:
        read("\n".join(fields.values()))
    (problem,) = caught.value.problems
    assert problem.message == f"the field '{name}' is missing"
    assert (problem.line, problem.column) == (1, 1)
    assert problem.hint


def test_both_users_of_one_name_are_checked(read, good):
    text = good.replace("  carol:", "  bob:").replace("- wait_for: bob.publish", "- raed: x")
    with pytest.raises(ScenarioProblems) as caught:
        read(text.replace("- write:", "- wriet:"))
    assert [problem.message for problem in caught.value.problems] == [
        "unknown verb 'wriet'",
        "'bob' is given twice",
        "unknown verb 'raed'",
    ]


def test_a_circle_through_the_order_of_steps_is_found(read):
    text = """\
scenario: x
id: X
system: shop
users:
  a: [{wait_for: b.second}, {delete: k, id: first}]
  b: [{wait_for: a.first}, {delete: k, id: second}]
"""
    with pytest.raises(ScenarioProblems, match=r"a waits for b.second, b waits for a.first"):
        read(text)
    read(
        text.replace("{delete: k, id: first}]", "]").replace("a: [", "a: [{delete: k, id: first}, ")
    )


def test_steps_after_a_circle_are_not_part_of_it(read, good):
    text = good.replace("- write:", "- wait_for: carol.seen\n      - write:").replace(
        "- wait_for: bob.publish\n    - read: product:42",
        "- read: product:42\n      id: seen\n    - wait_for: bob.publish\n    - read: product:42",
    )
    read(text)


def test_a_variable_that_one_case_lacks_names_that_case(read, good):
    text = good.replace("value: {price: 120}", "value: $price").replace(
        "cold: {}", "cold: {price: 1}"
    )
    with pytest.raises(ScenarioProblems, match="the case 'warm' does not set \\$price"):
        read(text)


def test_an_event_that_means_two_steps_is_refused(read):
    text = "scenario: x\nid: X\nsystem: shop\nusers: {a: [{read: k, id: b}], a.b: [read: k]}\n"
    with pytest.raises(ScenarioProblems, match=r"'a\.b' already means something else"):
        read(text)


def test_all_mistakes_are_shown_at_once_in_the_order_of_lines(read, good):
    text = good.replace("owner", "onwer").replace("raed", "").replace("coherent", "coherant")
    with pytest.raises(ScenarioProblems) as caught:
        read(text.replace("checkout", "chekout"))
    lines = [problem.line for problem in caught.value.problems]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_the_text_shows_place_line_caret_and_hint(read, good):
    with pytest.raises(ScenarioProblems) as caught:
        read(good.replace("- checkout", "- chekout"))
    assert str(caught.value) == (
        "price.supercache.yaml:20:7: unknown verb 'chekout'\n"
        "   20 |     - chekout: {item: product:42}\n"
        "      |       ^^^^^^^ did you mean 'checkout'?"
    )


def test_the_caret_stands_under_its_word_after_tabs_and_wide_letters():
    problem = Problem(
        path="x", line=1, column=5, width=2, message="m", source="\t価格 ab", hint="h"
    )
    assert str(problem).splitlines()[2] == "      | \t     ^^ h"


def test_problems_survive_the_way_from_a_worker(read, good):
    with pytest.raises(ScenarioProblems) as caught:
        read(good.replace("owner", "onwer"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
