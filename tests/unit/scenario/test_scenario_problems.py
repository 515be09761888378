"""Every mistake is named where it stands, with what to do; its nearest correct twin is accepted.

In a bad text the marks « and » enclose what the caret must point at.
"""

import pickle
from dataclasses import dataclass

import pytest

from pytest_supercache.scenario.problems import Problem, ScenarioProblems


@dataclass(frozen=True, kw_only=True)
class Mistake:
    claim: str
    at: str  # text of the good file that is replaced
    bad: str
    message: str
    hint: str
    twin: str | None = None  # the nearest correct text; the good file itself when None


def mistake(claim, at, bad, message, hint, twin=None):
    given = Mistake(claim=claim, at=at, bad=bad, message=message, hint=hint, twin=twin)
    return pytest.param(given, id=claim.replace(" ", "-"))


ALICE_READ = "- read: product:42\n      as: shown"
CHECKOUT = "- checkout: {item: product:42}"
EXPECT = "expect: {charged: {one_of: [$shown.price, 120]}}"
WAIT = "- wait_for: bob.publish"
WRITE = "- write: {key: product:42, value: {price: 120}}"
ORIGIN = 'origin: {"product:42": {price: 100}}'
CASES = 'cases:\n  cold: {}\n  warm: {given: {existing_cache: {"product:42": {price: 100}}}}'
SYSTEM = "system: shop"
GUARANTEES = "[coherent, {monotonic_reads: {for: alice}}]"
EXPLORE = "{search: auto, ticks: auto, executions: 20000, time: 120s}"

FIELDS = [
    mistake("unknown field", "owner:", "«onwer»:", "unknown field 'onwer'", "'owner'?"),
    mistake("field twice", "owner: karim", "owner: a\n«owner»: b", "given twice", "on line 7"),
    mistake("title missing", "scenario:", "«title»:", "unknown field 'title'", "one of: scenario"),
    mistake(
        "empty title",
        "After a price change nobody is charged the old price",
        '«""»',
        "scenario is empty",
        "write some text",
    ),
    mistake("id with a space", "PRICE-07", "«PRICE 07»", "id 'PRICE 07'", "letters, digits"),
    mistake("id is a list", "PRICE-07", "«[a]»", "id must be text, not a list", "quote it"),
    mistake("severity", "critical", "«critcal»", "severity cannot be", "'critical'?", "minor"),
    mistake("tags no list", "[pricing, gate]", "«gate»", "must be a list", "[gate]", "[gate]"),
    mistake("tag no word", "[pricing, gate]", "[«a b»]", "'a b'", "letters, digits", "[a-b]"),
    mistake(
        "links no mapping", "{issue: CACHE-412}", "«CACHE-412»", "must be a mapping", "name: v"
    ),
    mistake("link no text", "{issue: CACHE-412}", "{issue: «[1]»}", "must be text", "quote it"),
    mistake(
        "faults",
        "assume:",
        "«faults»: {max: 1}\nassume:",
        "not available in this version",
        "leave it out",
    ),
    mistake("include", "assume:", "«include»: [x]\nassume:", "include: not available", "leave"),
    mistake("flows", "assume:", "«flows»: {}\nassume:", "flows: not available", "leave"),
]
SYSTEMS = [
    mistake("unknown system", SYSTEM, "system: «shpo»", "no system 'shpo'", "'shop'?"),
    mistake(
        "several in system",
        SYSTEM,
        "system: «[shop]»",
        "must be one name",
        "`systems:`",
        "systems: [shop]",
    ),
    mistake("both system fields", SYSTEM, "system: shop\nsystems: «[shop]»", "both", "keep one"),
    mistake("no systems", SYSTEM, "systems: «[]»", "at least one", "{shop: holds}"),
    mistake("system twice", SYSTEM, "systems: [shop, «shop»]", "given twice", "on line 6"),
    mistake(
        "stated verdict",
        SYSTEM,
        "systems: {shop: «hold»}",
        "cannot be stated",
        "'holds'?",
        "systems: {shop: holds}",
    ),
    mistake(
        "stated class",
        SYSTEM,
        "systems: {shop: {violated: «stale-set»}}",
        "needs the classifier, which this version does not have; write `violated` alone",
        "",
        "systems: {shop: violated}",
    ),
    mistake(
        "stated twice",
        SYSTEM,
        "systems: {shop: {holds: , «violated»: }}",
        "stated once",
        "`holds` or `violated`",
    ),
    mistake(
        "assumption",
        SYSTEM,
        "systems: {shop: {holds: {assume: {«puase»: 1s}, }}}",
        "unknown field 'puase'",
        "'pause'?",
        "systems: {shop: {holds: {assume: {pause: 1s}}}}",
    ),
    mistake(
        "unknown verdict",
        SYSTEM,
        "systems: {shop: {«violates»: {}}}",
        "unknown verdict",
        "'violated'?",
    ),
    mistake("assumed pause", "{pause: 500ms}", "{pause: «soon»}", "must be a duration", "300ms"),
    mistake("no pause", "{pause: 500ms}", "{pause: «0s»}", "longer than 0", "300ms"),
]
CONTENT = [
    mistake("unknown layer", ORIGIN, "«orgin»: {a: 1}", "no layer 'orgin'", "'origin'?"),
    mistake(
        "content of a layer",
        ORIGIN,
        "origin: «[1]»",
        "content of origin must be a mapping",
        "name: value",
        "origin: {a: [1]}",
    ),
    mistake("key twice", ORIGIN, "origin: {k: 1, «k»: 2}", "'k' is given twice", "on line 12"),
    mistake(
        "variable in given",
        ORIGIN,
        "origin: {k: «$x»}",
        "$x has no value",
        "as: name",
        "origin: {k: $5}",
    ),
    mistake(
        "cases from a file",
        CASES,
        "cases: «rows.csv»",
        "cases from a file: not available",
        "write the cases here",
    ),
    mistake("no case", CASES, "cases: «{}»", "no case", "leave `cases:` out"),
    mistake(
        "name of a case",
        CASES,
        "cases: {«a-b»: {}}",
        "'a-b'",
        "letters, digits",
        "cases: {a.b: {}}",
    ),
    mistake(
        "layer in a case",
        CASES,
        "cases: {a: {given: {«exsiting_cache»: {}}}}",
        "no layer",
        "'existing_cache'?",
    ),
    mistake(
        "variable of a case",
        CASES,
        "cases: {a: {«1x»: 2}}",
        "the variable '1x'",
        "digit first",
        "cases: {a: {x1: 2}}",
    ),
]
STEPS = [
    mistake(
        "unknown verb",
        ALICE_READ,
        "- «raed»: x\n      as: shown",
        "unknown verb 'raed'",
        "did you mean 'read'?",
    ),
    mistake("project verb", CHECKOUT, "- «chekout»: {item: 1}", "unknown verb", "'checkout'?"),
    mistake("no verb", CHECKOUT, "- «why»: because\n      as: y", "no verb", "add `read:"),
    mistake(
        "two verbs",
        CHECKOUT,
        "- checkout: x\n      «delete»: y",
        "second verb 'delete'",
        "begin another step with '- '",
        "- checkout: x\n    - delete: y",
    ),
    mistake(
        "unknown step field",
        CHECKOUT,
        "- checkout: x\n      «exepct»: 1",
        "unknown field of a step: 'exepct'",
        "'expect'?",
    ),
    mistake(
        "step is a word",
        CHECKOUT,
        "- «log_out»\n    - delete: x",
        "must be `verb: argument`",
        "write `log_out:`",
        "- log_out:\n    - delete: x",
    ),
    mistake(
        "no space",
        WAIT,
        "- «read:x»",
        "must be `verb: argument`",
        "a space after 'read:'",
        "- read: x",
    ),
    mistake(
        "unquoted colon",
        WAIT,
        "- read: cart«:»",
        "mapping values are not allowed",
        "in quotes",
        '- read: "cart:"',
    ),
    mistake(
        "unquoted colon in braces",
        WAIT,
        "- read: {«cart»: }",
        "no parameter 'cart'",
        '"cart:"',
        '- read: "cart:"',
    ),
    mistake(
        "unquoted colon in data",
        WAIT,
        "- read: {key: «{cart: }»}",
        "key must be text",
        '"cart:"',
        '- read: {key: "cart:"}',
    ),
    mistake(
        "key is null", WAIT, "- read: {key: «~»}", "key must be text, not nothing", "write some"
    ),
    mistake("key is a list", WAIT, "- read: {key: «[1]»}", "key must be text, not a list", "quote"),
    mistake(
        "list in short form",
        WAIT,
        "- checkout: «[1]»",
        "not a list",
        "{item: [...]}",
        "- checkout: {item: [1]}",
    ),
    mistake(
        "short form is not enough",
        WAIT,
        "- «write»: x",
        "'write' needs 'value'",
        "write: {key: ..., value: ...}",
        "- write: {key: x, value: ~}",
    ),
    mistake("argument missing", WAIT, "- «checkout»:", "needs 'item'", "checkout: ITEM"),
    mistake(
        "no argument wanted",
        WAIT,
        "- log_out: «now»",
        "takes no argument",
        "`log_out:` alone",
        "- log_out:",
    ),
    mistake(
        "parameter",
        WAIT,
        "- checkout: {item: 1, «cuopon»: 2}",
        "no parameter 'cuopon'",
        "'coupon'?",
        "- checkout: {item: 1, coupon: 2}",
    ),
    mistake(
        "sleep", WAIT, "- sleep: «soon»", "seconds must be a duration", "300ms", "- sleep: 10ms"
    ),
    mistake(
        "node of a user's step",
        WAIT,
        "- read: x\n      «node»: b",
        "no node of its own",
        "beside `steps:` of carol",
    ),
    mistake(
        "expect and raises",
        WAIT,
        "- read: x\n      expect: 1\n      «raises»: KeyError",
        "no answer to expect",
        "one_of",
    ),
    mistake(
        "raises no name",
        WAIT,
        "- read: x\n      raises: «not found»",
        "raises 'not found'",
        "error class",
        "- read: x\n      raises: redis.ConnectionError",
    ),
    mistake("sleep has no answer", WAIT, "- sleep: 1s\n      «as»: x", "no answer", "move it"),
    mistake("use", WAIT, "- «use»: login", "use: not available in this version", "steps out"),
    mistake(
        "id twice",
        WRITE,
        "- delete: x\n        id: publish\n      - delete: y",
        "'publish' is given twice in bob",
        "first on line 26",
    ),
    mistake(
        "unknown variable", "$shown.price", "«$shwon.price»", "$shwon has no value", "'$shown'?"
    ),
    mistake(
        "variable of another user",
        WRITE,
        "- write: {key: k, value: «$shown»}",
        "$shown has no value here",
        "as: name",
    ),
    mistake(
        "variable before it is bound",
        ALICE_READ,
        "- read: «$shown»\n      as: shown",
        "$shown has no value",
        "as: name",
    ),
    mistake(
        "name of a variable",
        "as: shown",
        "as: «a-b»\n    - read: x\n      as: shown",
        "'a-b'",
        "a variable's name",
    ),
]
USERS = [
    mistake("user twice", "  carol:", "  «bob»:", "'bob' is given twice", "first on line 22"),
    mistake(
        "name of a user", "  carol:", "  «ca-rol»:", "'ca-rol'", "letters, digits", "  ca.rol:"
    ),
    mistake("node of a user", "node: b", "node: «b!»", "node 'b!'", "letters", "node: b2"),
    mistake(
        "field of a user", "node: b", "«nod»: b", "unknown field 'nod' in the user bob", "'node'?"
    ),
    mistake(
        "no steps field",
        "    node: b\n    steps:",
        "    «node»: b\n    owns:",
        "'steps' is missing",
        "in order",
    ),
    mistake("copies", "node: b", "copies: «0»", "at least 1, not '0'", "digits", "copies: 3"),
    mistake("too many copies", "node: b", "copies: «101»", "more than 100", "two or three"),
    mistake("steps are no list", WAIT, "«read»: x\n    dummy:", "unknown field", "one of: node"),
    mistake("a user without steps", "finally:", "  dan: «[]»\nfinally:", "dan has no steps", "add"),
    mistake("steps in one word", "finally:", "  dan: «read»\nfinally:", "a list of steps", "'- '"),
    mistake(
        "waits for no step",
        "bob.publish",
        "«bob.publsh»",
        "no step with the id 'publsh'",
        "'bob.publish'?",
    ),
    mistake("waits for no user", "bob.publish", "«bbo»", "no user 'bbo'", "'bob'?", "bob"),
    mistake(
        "waits for no user's step",
        "bob.publish",
        "«bbo.publish»",
        "no user 'bbo'",
        "'bob.publish'?",
    ),
    mistake("waits for itself", "bob.publish", "«carol»", "carol waits for itself", "keep their"),
    mistake(
        "waits in a circle",
        WRITE,
        "- wait_for: carol\n      " + WRITE,
        "users wait in a circle",
        "take one of these waits out",
    ),
    mistake(
        "nobody to wait for",
        "finally:\n  - read: product:42\n    expect: {price: 120}",
        "finally:\n  - «wait_for»: bob",
        "nobody to wait for",
        "run alone",
    ),
]
EXPECTATIONS = [
    mistake(
        "matcher",
        EXPECT,
        "expect: {charged: {«one_off»: [1]}}",
        "unknown matcher 'one_off'",
        "'one_of'?",
        "expect: {charged: {off: [1]}}",
    ),
    mistake(
        "matcher among fields",
        EXPECT,
        "expect: {«not»: 1, price: 2}",
        "must stand alone",
        "{literal: {not: ...}}",
        "expect: {literal: {not: 1, price: 2}}",
    ),
    mistake(
        "raises as an answer",
        EXPECT,
        "expect: {«raises»: KeyError}",
        "is an error",
        "beside the verb",
        "expect: {one_of: [{raises: KeyError}]}",
    ),
    mistake(
        "one_of no list",
        EXPECT,
        "expect: {one_of: «1»}",
        "must be a list",
        "[a, b]",
        "expect: {one_of: [1]}",
    ),
    mistake(
        "bound no number",
        EXPECT,
        "expect: {at_least: «one»}",
        "must be a number",
        "digits",
        "expect: {at_least: $shown.price, at_most: 2.5}",
    ),
    mistake(
        "unknown variable in bound",
        EXPECT,
        "expect: {at_most: «$x»}",
        "$x has no value",
        "'$shown'?|one of: $shown",
    ),
    mistake(
        "unknown variable in exactly",
        EXPECT,
        "expect: {exactly: {a: «$x»}}",
        "$x has no value",
        "'$shown'?|one of: $shown",
        "expect: {literal: {a: $x}}",
    ),
]
REST = [
    mistake("guarantee", GUARANTEES, "[«coherant»]", "no guarantee 'coherant'", "'coherent'?"),
    mistake(
        "guarantees no list", GUARANTEES, "«coherent»", "must be a list", "[coherent]", "[coherent]"
    ),
    mistake("guarantee twice", GUARANTEES, "[coherent, «coherent»]", "given twice", "on line 34"),
    mistake(
        "parameter of a guarantee",
        GUARANTEES,
        "[monotonic_reads: {«fro»: a}]",
        "no parameter 'fro'",
        "'for'?",
        "[monotonic_reads: {for: a}]",
    ),
    mistake(
        "no parameter wanted",
        GUARANTEES,
        "[coherent: «2»]",
        "takes no parameter",
        "alone",
        "[max_loads: 2]",
    ),
    mistake("guarantee no name", GUARANTEES, "[«[coherent]»]", "must be a name", "'- '"),
    mistake("explore field", EXPLORE, "{«serch»: auto}", "unknown field 'serch'", "'search'?"),
    mistake(
        "search",
        EXPLORE,
        "{search: «exhaustiv»}",
        "search cannot be",
        "'exhaustive'?",
        "{search: exhaustive}",
    ),
    mistake("grain", EXPLORE, "{grain: «wires»}", "grain cannot be", "'wire'?"),
    mistake("memory", EXPLORE, "{memory: «share»}", "memory cannot be", "'shared'?"),
    mistake("ticks", EXPLORE, "{ticks: «3»}", "ticks cannot be '3'", "auto, 0, 1, 2", "{ticks: 2}"),
    mistake("ticks true", EXPLORE, "{ticks: «true»}", "ticks cannot be", "auto, 0, 1, 2"),
    mistake("executions", EXPLORE, "{executions: «many»}", "whole number, at least 1", "digits"),
    mistake("seed", EXPLORE, "{seed: «-1»}", "at least 0", "digits", "{seed: 0, preemptions: 0}"),
    mistake("time", EXPLORE, "{time: «120 sec»}", "must be a duration", "2s", "{time: 2m}"),
]


@pytest.mark.parametrize(
    "given", [*FIELDS, *SYSTEMS, *CONTENT, *STEPS, *USERS, *EXPECTATIONS, *REST]
)
def test_a_mistake_is_named_with_its_place_and_a_hint(read, good, given):
    text, place = _marked(good, given)
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


@pytest.mark.parametrize(
    "given", [*FIELDS, *SYSTEMS, *CONTENT, *STEPS, *USERS, *EXPECTATIONS, *REST]
)
def test_the_nearest_correct_text_is_accepted(read, good, given):
    read(good if given.twin is None else good.replace(given.at, given.twin, 1))


def _marked(good, given):
    assert given.at in good
    text = good.replace(given.at, given.bad, 1)
    if "«" not in text:
        return text, None
    begin, end = text.index("«"), text.index("»")
    column = begin - text.rfind("\n", 0, begin)
    place = (text.count("\n", 0, begin) + 1, column, end - begin - 1)
    return text.replace("«", "").replace("»", ""), place


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
