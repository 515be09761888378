"""A file is told to be a scenario by its text, however that is written."""

import pytest

from pytest_supercache.scenario.names import is_text_of_scenario

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


@pytest.mark.parametrize("other", list(OTHERS))
def test_other_texts_are_none(other: str) -> None:
    assert not is_text_of_scenario(OTHERS[other].encode())
