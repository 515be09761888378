"""JSON-safe conversion and verdict.json."""

import json
import math
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.report.plain import error_text, plain
from pytest_supercache.report.verdict_json import finding_row, verdict_document, write_verdict
from pytest_supercache.report.verdict_schema import read_verdict
from tests.unit.report.report_stories import compared, holds, stale_set, unknown, violated

SCHEMA = Path(__file__).parents[3] / "pytest_supercache/report/verdict.schema.json"
SCOPE = {"build": "b1", "commit": "abc", "dirty": False, "when": "2026-01-01T00:00:00Z",
         "versions": {"python": "3.13"}}  # fmt: skip


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class HostileError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class HostileDict(dict):
    def items(self):
        raise RuntimeError("no")


class Colour(IntEnum):
    RED = 1


@dataclass
class Price:
    amount: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"), (-math.inf, "-Infinity"), (b"\xc3\xa9", "\xe9"), (b"\xff", "b'\\xff'"),
        ({2, 1}, [1, 2]), ((1, None), [1, None]), (KeyError("x"), "KeyError: 'x'"),
        (Hostile(), "<Hostile: repr raised RuntimeError>"), (Price(3), {"amount": 3}),
        ({1: "a", "1": "b"}, {"1": "a", "1 (str)": "b"}), (Colour.RED, 1), ("\ud800", "\\ud800"),
        pytest.param(10**5000, hex(10**5000), id="more digits than Python prints"),
    ],
)  # fmt: skip
def test_any_value_has_a_json_safe_form(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False).encode()


def test_cycles_and_depth_end_in_a_named_mark():
    cyclic: list = []
    cyclic.append(cyclic)
    assert plain(cyclic) == ["<cycle>"]
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    assert "<deeper>" in json.dumps(plain(deep))


def test_the_same_value_twice_is_not_a_cycle():
    shared = [1]
    assert plain([shared, shared]) == [[1], [1]]


def test_users_own_classes_that_raise_never_break_a_report():
    assert error_text(HostileError()) == "HostileError: <str raised RuntimeError>"
    json.dumps(plain(HostileDict(a=1)))


def test_memory_addresses_are_left_out_so_that_two_runs_compare_equal():
    assert plain(object()) == "<object object>"


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner),
))  # fmt: skip
def test_plain_is_total(value):
    json.dumps(plain(value), allow_nan=False).encode()


def test_document_counts_and_orders_by_item():
    rows = [finding_row(finding) for finding in (violated(), holds(), unknown())]
    document = verdict_document(reversed(rows), SCOPE)
    assert document == verdict_document(rows, SCOPE)
    assert document["counts"] == {"holds": 1, "unknown": 1, "violated": 1, "not_as_stated": 2}
    assert document["version"] == 2
    assert document["commit"] == "abc"


def test_counterexample_carries_schedule_history_and_layers_of_every_step():
    found = finding_row(violated())["counterexample"]
    assert found["schedule"] == ["alice", "alice", "bob", "bob", "alice", "messages@b"]
    assert found["history"][0]["answer"] == 100
    assert found["steps"][4]["layers"]["existing_cache"] == {"product:42": 100}


@pytest.mark.parametrize("value", [Hostile(), math.nan, b"\xff", {1, 2}, "<script>", "\ud800"])
def test_hostile_values_travel_as_json(value, tmp_path):
    row = json.loads(json.dumps(finding_row(violated(stale_set(old=value)))))
    write_verdict(tmp_path / "deep" / "verdict.json", [row], SCOPE)
    assert json.loads((tmp_path / "deep" / "verdict.json").read_text("utf-8"))["scenarios"] == [row]


def test_written_file_replaces_the_old_one_and_leaves_nothing_beside_it(tmp_path):
    for _ in range(2):
        write_verdict(tmp_path / "verdict.json", [finding_row(holds())], {})
    assert [path.name for path in tmp_path.iterdir()] == ["verdict.json"]


def test_a_document_of_version_1_is_read_as_what_it_meant(tmp_path):
    today = verdict_document([finding_row(compared()), finding_row(holds())], SCOPE)
    old = [dict(row) for row in today["scenarios"]]
    for row in old:
        row["interleavings"] = row.pop("schedules")
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps({**today, "version": 1, "scenarios": old}))
    document = read_verdict(path)
    assert document["version"] == 2
    counted = {row["id"]: (row["interleavings"], row["schedules"]) for row in document["scenarios"]}
    assert sorted(counted.values(), key=str) == [(11, 504), (None, 10)]
    write_verdict(path, today["scenarios"], SCOPE)
    assert read_verdict(path) == json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("finding", [violated(), holds(), unknown()])
def test_document_fits_the_published_schema(finding):
    schema = json.loads(SCHEMA.read_text("utf-8"))
    document = verdict_document([finding_row(finding)], SCOPE)
    assert list(misfits(schema, document, schema, "document")) == []


def test_schema_describes_every_key_that_is_written():
    schema = json.loads(SCHEMA.read_text("utf-8"))
    document = verdict_document([finding_row(violated())], SCOPE)
    assert set(document) <= set(schema["properties"])
    definitions = schema["$defs"]
    row = document["scenarios"][0]
    assert set(row) <= set(definitions["scenario"]["properties"])
    assert set(row["counterexample"]) <= set(definitions["counterexample"]["properties"])


def test_schema_refuses_a_document_without_its_verdict():
    schema = json.loads(SCHEMA.read_text("utf-8"))
    row = finding_row(holds())
    del row["verdict"]
    broken = {**verdict_document([finding_row(holds())], SCOPE), "scenarios": [row]}
    assert list(misfits(schema, broken, schema, "document")) == [
        "document.scenarios[0]: verdict is missing"
    ]


KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
         "boolean": bool, "null": type(None)}  # fmt: skip


def misfits(schema, value, root, where):
    """Yield what does not fit: the part of JSON Schema that our file uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        if all(list(misfits(option, value, root, where)) for option in schema["anyOf"]):
            yield f"{where}: fits no option"
    elif not is_of_a_kind(schema.get("type", list(KINDS)), value):
        yield f"{where}: {value!r} is not {schema['type']}"
    elif value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{where}: {value!r} is not allowed"
    else:
        yield from misfits_inside(schema, value, root, where)


def is_of_a_kind(kinds, value):
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):
        return "boolean" in kinds
    return any(isinstance(value, KINDS[kind]) for kind in kinds)


def misfits_inside(schema, value, root, where):
    if isinstance(value, dict):
        for key in set(schema.get("required", ())) - set(value):
            yield f"{where}: {key} is missing"
        for key in set(schema.get("properties", {})) & set(value):
            yield from misfits(schema["properties"][key], value[key], root, f"{where}.{key}")
    if isinstance(value, list) and "items" in schema:
        for at, member in enumerate(value):
            yield from misfits(schema["items"], member, root, f"{where}[{at}]")
