"""Sentences name users; what a scenario asks outside the race has a moment and a node instead."""

import pytest

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import RACE, SCENARIO, History, Operation
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.oracle.answers import ANSWERS
from pytest_supercache.oracle.who import call_in_words, subject, who


@pytest.mark.parametrize(
    ("user", "phase", "told"),
    [
        (SCENARIO, "finally", ("node b", "after everything settled, node b",
                               "after everything settled, read k on node b")),
        (SCENARIO, "before", ("node b", "before the race, node b",
                              "before the race, read k on node b")),
        (SCENARIO, RACE, (SCENARIO, SCENARIO, f"{SCENARIO}'s read k")),
        ("alice", RACE, ("alice", "alice", "alice's read k")),
        ("body", "finally", ("body", "body", "body's read k")),
    ],
)  # fmt: skip
def test_a_step_of_the_scenario_is_named_by_its_moment_and_node(user, phase, told):
    """The last two rows must not be renamed: a user's step, and a test body's after its race."""
    operation = Operation(user=user, node="b", kind="read", key="k", phase=phase)
    assert (who(operation), subject(operation), call_in_words(operation)) == told


def test_a_verb_without_a_key_is_its_name():
    operation = Operation(user="alice", node="a", kind="checkout")
    assert call_in_words(operation) == "alice's checkout"


@pytest.mark.parametrize(
    ("user", "phase", "told"),
    [(SCENARIO, "finally", "after everything settled, read k on node b raised KeyError: 'k'"),
     ("alice", RACE, "alice read k raised KeyError: 'k'")],
)  # fmt: skip
def test_an_unexpected_error_names_the_moment_and_the_node_of_a_step_of_the_scenario(
    user, phase, told
):
    operation = Operation(
        user=user, node="b", kind="read", key="k", phase=phase, error=KeyError("k"),
        called_at=0, returned_at=0,
    )  # fmt: skip
    execution = Execution(schedule=Schedule(()), steps=[], history=History(operations=(operation,)))
    assert ANSWERS.find_violation(execution).summary == told
