"""A file is told to be a scenario by its text, however that is written."""

import pytest

from pytest_supercache.scenario.names import is_text_of_scenario, may_be_misnamed

PLAIN = "scenario: Nobody keeps it\nid: S-1\nsystem: shop\nusers:\n  a: [read: k]\n"
WAYS = {
    "as it is": PLAIN,
    "a document": f"---\n{PLAIN}",
    "a mark of the encoding": f"\ufeff{PLAIN}",
    "lines of an old Mac": PLAIN.replace("\n", "\r"),
    "quoted names": "\"scenario\": x\n'users': {a: [read: k]}\n",
    "JSON": '{\n  "scenario": "x",\n  "users": {"a": [{"read": "k"}]}\n}\n',
}
OTHERS = {
    "one field": "scenario: x\n",
    "other places": "jobs:\n  scenario: x\n  users: 2\n",
    "other JSON": '{"jobs": {"users": 2}}',
}


@pytest.mark.parametrize("way", list(WAYS))
def test_the_text_of_a_scenario_is_one(way: str) -> None:
    assert is_text_of_scenario(WAYS[way].encode())


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_the_text_of_a_scenario_is_one_in_each_encoding_of_yaml(mark: str) -> None:
    """The twin: another text in this encoding is none."""
    assert is_text_of_scenario(f"\ufeff{PLAIN}".encode(mark))
    assert not is_text_of_scenario(f"\ufeff{OTHERS['other places']}".encode(mark))


@pytest.mark.parametrize(
    ("name", "is_meant"),
    [
        ("a.yaml", True),
        ("a.supercache", True),
        ("a.supercache.json", True),
        ("a.supercache.yaml", False),
        ("a.json", False),
        ("a.supercache.md", False),
    ],
)
def test_names_that_are_nearly_those_of_scenarios(name: str, is_meant: bool) -> None:
    """The twin: the right name, and names of other files."""
    assert may_be_misnamed(name) == is_meant


@pytest.mark.parametrize("other", list(OTHERS))
def test_other_texts_are_none(other: str) -> None:
    assert not is_text_of_scenario(OTHERS[other].encode())
