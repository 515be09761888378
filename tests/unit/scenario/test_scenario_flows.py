"""Flows, includes and tables: what they stand for, and what they must not reach."""

import os
from dataclasses import replace

import pytest

from pytest_supercache.scenario.problems import ScenarioProblems
from pytest_supercache.scenario.scenario import items
from pytest_supercache.scenario.validate import load, load_file
from tests.unit.scenario.conftest import VOCABULARY

HEAD = "scenario: x\nid: X\nsystem: shop\n"
WITH_FLOW = (
    HEAD
    + """\
flows:
  buy:
    - read: $item
      as: shown
      id: look
    - checkout: {item: $item}
      expect: {price: $shown.price, owner: $who.name, kept: {literal: $item}}
users:
  alice:
    - delete: z
    - use: buy
      with: {item: product:42, who: {name: alice}}
      id: first
    - use: buy
      with: {item: product:43, who: $shown}
"""
)
WRITTEN_OUT = (
    HEAD
    + """\
users:
  alice:
    - delete: z
    - read: product:42
      as: shown
      id: first.look
    - checkout: {item: product:42}
      expect: {price: $shown.price, owner: alice, kept: {literal: $item}}
    - read: product:43
      as: shown
      id: look
    - checkout: {item: product:43}
      expect: {price: $shown.price, owner: $shown.name, kept: {literal: $item}}
"""
)


def steps_of(scenario):
    return [replace(step, where=None) for user in scenario.users for step in user.steps]


def problems_of(function, *args):
    with pytest.raises(ScenarioProblems) as caught:
        function(*args)
    assert str(caught.value)
    return [f"{p.path}:{p.line}:{p.column}: {p.message}" for p in caught.value.problems]


def test_a_use_stands_for_the_steps_of_its_flow(read):
    first = ("delete: z", "read: z\n      as: seen")
    text = WITH_FLOW.replace("who: $shown", "who: $seen").replace(*first)
    plain = WRITTEN_OUT.replace("$shown.name", "$seen.name").replace(*first)
    assert steps_of(read(text)) == steps_of(read(plain))


@pytest.mark.parametrize("steps", ["[]", "[{sleep: 1s}]"])
def test_a_flow_without_steps_is_a_mistake_where_it_is_used(read, steps):
    text = """scenario: The price is shown
id: F-1
system: shop
flows: {nothing: STEPS}
users: {alice: [{use: nothing}], bob: [{read: k}]}
""".replace("STEPS", steps)
    if steps != "[]":
        assert read(text).users
        return
    assert problems_of(read, text) == [
        "price.supercache.yaml:5:23: the flow 'nothing' has no steps"
    ]


def test_a_value_is_not_captured_by_a_name_inside_of_the_flow(read):
    said = problems_of(read, WITH_FLOW)
    assert said == ["price.supercache.yaml:18:37: the flow 'buy' keeps an answer as $shown itself"]


def test_a_flow_that_is_given_too_little_or_too_much_says_so(read):
    text = WITH_FLOW.replace("who: $shown", "whom: x").replace("{item: product:42, ", "{")
    assert problems_of(read, text) == [
        "price.supercache.yaml:14:12: the flow 'buy' needs $item",
        "price.supercache.yaml:17:12: the flow 'buy' needs $who",
        "price.supercache.yaml:18:38: the flow 'buy' has no variable $whom",
    ]


def test_a_field_that_the_given_value_lacks_is_named(read):
    text = WITH_FLOW.replace("who: $shown", "who: {name: b}")
    text = text.replace("{name: alice}", "{nam: alice}")
    assert problems_of(read, text) == [
        "price.supercache.yaml:15:37: $who.name has no value: there is no field 'name' here"
    ]


def test_a_step_of_a_flow_can_be_awaited_by_its_prefixed_id(read):
    text = WITH_FLOW.replace("who: $shown", "who: {name: b}")
    read(text + "  bob:\n    - wait_for: alice.first.look\n")
    assert problems_of(read, text + "  bob:\n    - wait_for: alice.second.look\n") == [
        "price.supercache.yaml:20:17: alice has no step with the id 'second.look'"
    ]


def test_the_place_of_a_use_is_that_of_its_steps(read):
    text = HEAD + "flows: {warm: [read: k, {read: l, node: c}]}\nusers: {a: [read: k]}\n"
    scenario = read(text + "before:\n  - use: warm\n    node: all\n")
    assert [step.node for step in scenario.before] == ["all", "c"]


def test_flows_of_flows_end_in_a_problem_in_little_time(read):
    flows = "".join(f"  f{n}: [{{use: f{n + 1}}}, {{use: f{n + 1}}}]\n" for n in range(18))
    text = f"{HEAD}flows:\n{flows}  f18: [read: k]\nusers: {{a: [use: f0]}}\n"
    (said,) = problems_of(read, text)
    assert "flows stand for more than 20000 values" in said
    deep = "".join(f"  f{n}: [use: f{n + 1}]\n" for n in range(1_000))
    text = f"{HEAD}flows:\n{deep}  f1000: [read: k]\nusers: {{a: [use: f0]}}\n"
    assert "more than 20 levels deep" in problems_of(read, text)[0]


def test_a_mapping_that_only_a_flow_uses_may_be_a_variable_of_a_case(read):
    text = f"{HEAD}cases: {{one: {{x: {{a: 1}}, y: k}}}}\nusers: {{a: [use: f]}}\n"
    read(f"{text}flows: {{f: [{{write: {{key: k, value: $x}}}}]}}\n")


def test_an_unused_flow_is_a_warning_and_a_used_one_none(read):
    text = HEAD + "flows: {f: [read: $x]}\nusers: {a: [read: k]}\n"
    assert [w.message for w in read(text).warnings] == ["no step uses the flow 'f'"]
    assert str(read(text).warnings[0]).startswith("price.supercache.yaml:4:9: warning: no step")
    assert read(text.replace("read: k", "{use: f, with: {x: k}}")).warnings == ()


@pytest.fixture
def project(tmp_path):
    """A project with a scenario that includes a file that includes another."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "story.supercache.yaml").write_text(
        f"{HEAD}include: flows/shop.yaml\nusers: {{a: [{{use: buy, with: {{item: k}}}}]}}\n"
    )
    (tmp_path / "flows" / "shop.yaml").write_text(
        "include: [more.yaml]\nflows: {buy: [read: $item, use: leave]}\n"
    )
    (tmp_path / "flows" / "more.yaml").write_text("flows: {leave: [log_out: ]}\n")
    return tmp_path


def load_story(project, text=None):
    path = project / "story.supercache.yaml"
    if text is not None:
        path.write_text(text)
    return load_file(path, "story.supercache.yaml", VOCABULARY, project)


def test_included_flows_are_used_like_own_ones(project):
    (user,) = load_story(project).users
    assert [(step.verb, str(step.where)) for step in user.steps] == [
        ("read", "flows/shop.yaml:2:15"),
        ("log_out", "flows/more.yaml:1:17"),
    ]


def test_a_mistake_in_an_included_file_is_shown_in_that_file(project):
    (project / "flows" / "more.yaml").write_text("flows: {leave: [log_uot: ]}\n")
    with pytest.raises(ScenarioProblems) as caught:
        load_story(project)
    assert str(caught.value) == (
        "flows/more.yaml:1:18: unknown verb 'log_uot'\n"
        "    1 | flows: {leave: [log_uot: ]}\n"
        "      |                 ^^^^^^^ did you mean 'log_out'?"
    ).replace(":1:18:", ":1:17:")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("flows: [", "flows/more.yaml:2:1: not valid YAML"),
        ("", "flows/more.yaml:1:1: the file is empty"),
        ("scenario: x", "flows/more.yaml:1:1: an included file has no 'scenario'"),
        ("flows: {buy: [read: k]}", "flows/shop.yaml:2:9: there is a flow 'buy' already"),
        (
            "include: ../story.supercache.yaml",
            "flows/more.yaml:1:10: story.supercache.yaml includes",
        ),
        ("include: shop.yaml", "flows/more.yaml:1:10: flows/shop.yaml includes itself"),
        ("include: ../../secret.yaml", "flows/more.yaml:1:10: include '../../secret.yaml' leaves"),
        ("include: /etc/passwd", "flows/more.yaml:1:10: include '/etc/passwd' leaves the project"),
        ("include: link.yaml", "flows/more.yaml:1:10: include 'link.yaml' leaves the project"),
        ("include: loop.yaml", "flows/more.yaml:1:10: include"),
        ("include: pipe.yaml", "flows/more.yaml:1:10: include: 'pipe.yaml' cannot be read"),
        ("include: .", "flows/more.yaml:1:10: include: '.' cannot be read"),
        ("include: mroe.yaml", "flows/more.yaml:1:10: include: there is no file 'mroe.yaml'"),
        ('include: "a\\0b"', "flows/more.yaml:1:10: include: 'a\\x00b' cannot be read"),
        ("include: big.yaml", "flows/big.yaml:1:1: the file is larger than 1024 KiB"),
        ("include: binary.yaml", "flows/binary.yaml:1:1: the byte 0xff is not UTF-8"),
    ],
)
def test_a_broken_include_is_one_message_at_its_place(project, content, said):
    flows = project / "flows"
    (flows / "link.yaml").symlink_to("/etc/passwd")
    (flows / "loop.yaml").symlink_to("loop.yaml")
    (flows / "big.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    (flows / "binary.yaml").write_bytes(b"\xff\xfe")
    os.mkfifo(flows / "pipe.yaml")
    leave = "\nflows: {leave: [log_out: ]}\n" if content.startswith("include") else "\n"
    (flows / "more.yaml").write_text(content + leave)
    found = problems_of(load_story, project)
    assert any(problem.startswith(said) for problem in found), found


def test_one_file_may_be_included_twice(project):
    text = (project / "story.supercache.yaml").read_text()
    scenario = load_story(
        project, text.replace("flows/shop.yaml", "[flows/shop.yaml, flows/more.yaml]")
    )
    assert len(scenario.users[0].steps) == 2


TABLE = '''\
case,price,note,given.existing_cache.product:42
cold,120,,
warm,130,"a, ""b""","{""price"": 100}"
'''
ON_TABLE = f"{HEAD}cases: prices.csv\nusers: {{a: [{{write: {{key: k, value: $price}}}}]}}\n"


def on_table(project, table, text=ON_TABLE):
    (project / "prices.csv").write_text(table)
    return load_story(project, text)


def test_a_table_gives_the_cases_that_yaml_would(project):
    written = load(
        "x",
        ON_TABLE.replace(
            "prices.csv",
            "{cold: {price: 120}, warm: {price: 130, note: 'a, \"b\"',"
            ' given: {existing_cache: {"product:42": {price: 100}}}}}',
        ),
        VOCABULARY,
    )
    scenario = on_table(project, TABLE)
    assert scenario.cases == written.cases
    assert [item.name for item in items(scenario)] == ["X[cold]", "X[warm]"]
    assert on_table(project, TABLE.replace("\n", "\r\n")) == scenario  # as spreadsheets write it
    as_mapping = ON_TABLE.replace("prices.csv", "{file: prices.csv}")
    assert on_table(project, TABLE, as_mapping).cases == written.cases


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TABLE.replace("warm", "cold"), "prices.csv:3:1: 'cold' is given twice"),
        (TABLE.replace("note", "price"), "prices.csv:1:12: 'price' is given twice"),
        (TABLE.replace("warm", "wa rm"), "prices.csv:3:1: the case 'wa rm' has a character"),
        (TABLE.replace("note", "no te"), "prices.csv:1:12: the variable 'no te' has"),
        (TABLE.replace("existing_cache", "cache"), "prices.csv:1:17: the column 'given.cache"),
        (TABLE.replace('{""price"": 100}', "{price: 100}"), "prices.csv:3:21: the cell is"),
        (TABLE.replace("120,,", "120,,,1"), "prices.csv:2:12: the row has more than 4 cells"),
        (TABLE.replace("120", '"120'), "prices.csv:2:6: the quote is not closed"),
        (TABLE.replace("120", ""), "story.supercache.yaml:5:37: the case 'cold' does not"),
        (TABLE.replace("120", "1e999"), "prices.csv:2:6: the number is too large"),
        ("case,price\n", "prices.csv:1:1: cases has no case"),
        ("case\nx\n", "prices.csv:1:1: there is no second column"),
        ("", "prices.csv:1:1: the file is empty"),
        ("a,b\n" + "," * 30_000, "prices.csv:2:19999: the table has more than 20000 cells"),
    ],
)
def test_a_broken_table_is_named_at_its_cell(project, table, said):
    found = problems_of(on_table, project, table)
    assert any(problem.startswith(said) for problem in found), found


def test_a_table_that_is_not_there_is_named_once(project):
    assert problems_of(load_story, project, ON_TABLE) == [
        "story.supercache.yaml:4:8: cases: there is no file 'prices.csv'"
    ]


def test_equal_values_are_a_warning_and_different_ones_none(read):
    flows = [f"{name}: [write: {{key: k, value: {{n: {n}}}}}]" for name, n in (("a", 1), ("b", 2))]
    text = f"{HEAD}users: {{{', '.join(flows)}}}\n"
    assert read(text).warnings == ()
    (warning,) = read(text.replace("{n: 2}", "{n: 1}")).warnings
    assert "b[1] writes the value that a[1] writes" in warning.message
    (warning,) = read(text + "given: {origin: {k: {n: 2}}}\n").warnings
    assert "b[1] writes what the origin holds at first" in warning.message


def test_a_guarantee_that_nobody_can_break_is_a_mistake_and_else_none(read):
    text = HEAD + "guarantees: [coherent_when_settled]\nusers: {a: [read: k]}\n"
    assert problems_of(read, text) == [
        "price.supercache.yaml:4:14: nothing here can break 'coherent_when_settled'"
    ]
    read(text.replace("read: k", "checkout: k"))
    read(text + "given: {origin: {k: 1}, existing_cache: {k: 2}}\n")


def test_an_own_write_that_nobody_reads_is_a_warning(read):
    text = HEAD + "guarantees: [read_your_writes]\nusers: {a: [delete: k], b: [read: k]}\n"
    assert [w.message for w in read(text).warnings] == [
        "no user reads after writing, so nobody can miss an own write"
    ]
    assert read(text.replace("[delete: k]", "[delete: k, read: k]")).warnings == ()


def test_a_key_that_is_almost_another_one_is_a_warning(read):
    text = (
        HEAD + "given: {origin: {product:42: 1}}\nusers: {a: [read: product:42, read: product:43]}"
    )
    assert read(text).warnings == ()
    (warning,) = read(text.replace("product:43", "prodcut:42")).warnings
    assert warning.message == "nothing else here has the key 'prodcut:42'"
    assert warning.hint == "did you mean 'product:42'?"
