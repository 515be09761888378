"""The JSON Schema and the checker accept and reject the same files, as far as one place shows."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from pytest_supercache.play.vocabulary import built_in_words
from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.grammar import BUILT_IN_VERBS, FIELDS
from pytest_supercache.scenario.problems import ScenarioProblems
from pytest_supercache.scenario.reference_page import reference_page
from pytest_supercache.scenario.schema import json_schema
from tests.selection import either
from tests.unit.scenario.conftest import VOCABULARY
from tests.unit.scenario.mistakes import ALL, marked

SCHEMA = json_schema(VOCABULARY)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

# What only the whole file shows, or what YAML has lost when data are made of it.
NEEDS_THE_FILE = {
    *("field twice", "key twice", "id twice", "user twice", "flow twice", "read twice"),
    *("variable in given", "unknown variable", "variable of another user"),
    *("variable before it is bound", "unknown variable in bound", "unknown variable in exactly"),
    *("waits for no step", "waits for no user", "waits for no user's step", "waits for itself"),
    *("waits in a circle", "unknown flow", "flow misspelt", "flow uses itself"),
    *("cases from a file", "include without a folder", "isolated without owners"),
    *("matcher", "no number between", "given misspelt", "field of a scenario"),
    *("not one list", "not nothing", "one of all", "no fields"),
}


def is_accepted(text):
    text, findings = nodes.decode("x", text)
    root = nodes.compose(text, findings)
    return VALIDATOR.is_valid(nodes.plain(root))


def is_readable(text):
    try:
        is_accepted(text)
    except ScenarioProblems:
        return False
    return True


def test_the_schema_is_one():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(FIELDS)
    assert SCHEMA["definitions"]["step"]["properties"].keys() >= BUILT_IN_VERBS.keys() | {"pay"}


def test_the_good_file_is_accepted(good):
    VALIDATOR.validate(nodes.plain(nodes.compose(*nodes.decode("x", good))))


@pytest.mark.parametrize("given", ALL)
def test_what_the_checker_rejects_the_schema_rejects(good, given):
    text, _ = marked(good, given)
    if is_readable(text):
        assert is_accepted(text) == (given.claim in NEEDS_THE_FILE)


@pytest.mark.parametrize("given", ALL)
def test_what_the_checker_accepts_the_schema_accepts(good, given):
    if given.twin is not None:
        text, findings = nodes.decode("x", good.replace(given.at, given.twin, 1))
        VALIDATOR.validate(nodes.plain(nodes.compose(text, findings)))


def test_what_needs_the_file_is_what_the_list_says():
    assert {given.values[0].claim for given in ALL} >= NEEDS_THE_FILE


WORDS = st.sampled_from(
    [
        *('""', '"read"', '"bob"', '"missing"', '"$shown"', '"2s"', '"evict"', '"holds"', '"a b"'),
        *("null", "true", "0", "1", "-1", "2.5", "99"),
        *("[]", "{}", '["x"]', '{"read": "k"}', '{"not": 1}', '{"max": 2}'),
    ]
).map(json.loads)


@settings(max_examples=either(50, 150), deadline=None, derandomize=True)
@drawn(data=st.data())
def test_the_schema_never_rejects_what_the_checker_accepts(read, good, data):
    whole = nodes.plain(nodes.compose(*nodes.decode("x", good)))
    for _ in range(data.draw(st.integers(1, 3))):
        _mutate(whole, data)
    text = json.dumps(whole)
    try:
        read(text)
    except ScenarioProblems:
        return
    VALIDATOR.validate(whole)


def _mutate(node, data):
    """Replace, add or take away one thing somewhere in ``node``."""
    while True:
        places = list(node) if isinstance(node, dict) else list(range(len(node)))
        place = data.draw(st.sampled_from(places)) if places else None
        inner = None if place is None else node[place]
        if not isinstance(inner, dict | list) or data.draw(st.integers(0, 3)) == 0:
            break
        node = inner
    change = data.draw(st.sampled_from(["replace", "add", "drop"]))
    if change == "add" and isinstance(node, dict):
        node[data.draw(st.sampled_from(["id", "as", "node", "x", "faults", "given"]))] = data.draw(
            WORDS
        )
    elif place is not None and change == "drop":
        del node[place]
    elif place is not None:
        node[place] = data.draw(WORDS)


def test_the_reference_page_is_what_the_tables_say():
    page = Path(__file__).parents[3] / "docs" / "grammar.md"
    assert page.read_text(encoding="utf-8") == reference_page(built_in_words()), (
        "write it anew: supercache schema --builtin --markdown -o docs/grammar.md"
    )
    own = reference_page(VOCABULARY)
    assert "| `pay` | amount, [times], [how], [again], [to], [note], [extra] | Pay for" in own
