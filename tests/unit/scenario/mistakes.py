"""Mistakes in the good file of these tests: each with its place, its message, and its correct twin.

In a bad text the marks « and » enclose what the caret must point at.
"""

from dataclasses import asdict, dataclass

import pytest


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
        "systems: {shop: {violated: «stale-sett»}}",
        "there is no conflict class 'stale-sett'",
        "'stale-set'?",
        "systems: {shop: {violated: stale-set}}",
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
        "cases: this text lies in no folder",
        "load it",
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
    mistake(
        "given misspelt",
        CASES,
        "cases: {a: {«givn»: {existing_cache: {x: 1}}}}",
        "nothing uses $givn",
        "given: {layer: {key: value}}",
        "cases: {a: {given: {existing_cache: {x: 1}}}}",
    ),
    mistake(
        "field of a scenario",
        CASES,
        "cases: {a: {«system»: shop}}",
        "nothing uses $system",
        "leave it out",
        "cases: {a: {more: shop}}",
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
    mistake("ticks", EXPLORE, "{ticks: «4»}", "ticks cannot be '4'", "0, 1, 2, 3", "{ticks: 3}"),
    mistake("ticks true", EXPLORE, "{ticks: «true»}", "ticks cannot be", "auto, 0, 1, 2"),
    mistake("executions", EXPLORE, "{executions: «many»}", "whole number, at least 1", "digits"),
    mistake("seed", EXPLORE, "{seed: «-1»}", "at least 0", "digits", "{seed: 0, preemptions: 0}"),
    mistake("time", EXPLORE, "{time: «120 sec»}", "must be a duration", "2s", "{time: 2m}"),
]


BUY = "flows:\n  buy:\n    - read: $item\n      id: look\n    - delete: $item\nassume:"
FLOWS = [
    mistake("unknown flow", WAIT, "- use: «login»", "no flow 'login'", "write it: flows:"),
    mistake(
        "flow misspelt",
        "assume:",
        BUY.replace("- delete: $item", "- use: «bye»"),
        "no flow 'bye'",
        "'buy'?",
        BUY,
    ),
    mistake(
        "flow is a list", WAIT, "- use: «[login]»", "the flow must be text, not a list", "quote it"
    ),
    mistake(
        "flow uses itself",
        "assume:",
        BUY.replace("- delete: $item", "- use: «buy»"),
        "flows use each other in a circle: buy uses buy",
        "",
        BUY,
    ),
    mistake(
        "flow no list",
        "assume:",
        "flows: {buy: «x»}\nassume:",
        "buy must be a list of steps",
        "'- '",
        "flows: {buy: [read: x]}\nassume:",
    ),
    mistake("empty flow", "assume:", "flows: {buy: «[]»}\nassume:", "buy has no steps", "add one"),
    mistake(
        "name of a flow",
        "assume:",
        "flows: {«b-y»: [read: x]}\nassume:",
        "'b-y'",
        "letters, digits",
    ),
    mistake(
        "flow twice",
        "assume:",
        "flows: {buy: [read: x], «buy»: [read: x]}\nassume:",
        "'buy' is given twice",
        "first on line",
    ),
    mistake(
        "mistake in an unused flow",
        "assume:",
        BUY.replace("delete", "«deelte»"),
        "unknown verb 'deelte'",
        "'delete'?",
        BUY,
    ),
    mistake(
        "flows no mapping",
        "assume:",
        "flows: «[buy]»\nassume:",
        "flows must be a mapping",
        "name: value",
    ),
    mistake(
        "use with expect",
        WAIT,
        "- use: x\n      «expect»: 1",
        "unknown field 'expect' in a step that uses a flow",
        "one of: use",
    ),
    mistake(
        "with without use",
        WAIT,
        "- read: x\n      «with»: {item: 1}",
        "`with` fills in a flow",
        "`use: flow`",
    ),
    mistake(
        "include without a folder",
        "assume:",
        "include: «[a.yaml]»\nassume:".replace("«[", "[«").replace("]»", "»]"),
        "this text lies in no folder",
        "load it",
    ),
    mistake(
        "include no name",
        "assume:",
        "include: [«{a: b}»]\nassume:",
        "include must be text",
        "quote it",
    ),
]
FAULTS = [
    mistake(
        "fault kind",
        "assume:",
        "faults: {kinds: [«evcit»]}\nassume:",
        "no fault 'evcit'",
        "'evict'?",
        "faults: {kinds: [evict]}\nassume:",
    ),
    mistake(
        "fault twice",
        "assume:",
        "faults: {kinds: [evict, «evict»]}\nassume:",
        "'evict' is given twice",
        "on line 36",
    ),
    mistake(
        "faults no list",
        "assume:",
        "faults: {kinds: «evict»}\nassume:",
        "kinds must be a list of at least one fault",
        "[evict]",
        "faults: {max: 0}\nassume:",
    ),
    mistake(
        "no fault kind",
        "assume:",
        "faults: {kinds: «[]»}\nassume:",
        "at least one fault",
        "[evict]",
        "faults: {}\nassume:",
    ),
    mistake(
        "faults field",
        "assume:",
        "faults: {«maximum»: 1}\nassume:",
        "unknown field 'maximum' in faults",
        "'max'?",
        "faults: {max: 2}\nassume:",
    ),
    mistake(
        "too many faults",
        "assume:",
        "faults: {max: «4»}\nassume:",
        "cannot be more than 3",
        "one shows",
        "faults: {max: 3}\nassume:",
    ),
    mistake(
        "number of faults",
        "assume:",
        "faults: {max: «few»}\nassume:",
        "whole number, at least 0",
        "digits",
    ),
    mistake(
        "fault takes nothing",
        "assume:",
        "faults: {kinds: [{evict: «2»}]}\nassume:",
        "'evict' takes nothing",
        "write evict alone",
    ),
    mistake(
        "error of a fault",
        "assume:",
        "faults: {kinds: [{cancel: «not one»}]}\nassume:",
        "cancel 'not one'",
        "error class",
        "faults: {kinds: [{cancel: gevent.Timeout}]}\nassume:",
    ),
    mistake(
        "pause of a fault",
        "assume:",
        "faults: {kinds: [{pause: «long»}]}\nassume:",
        "pause must be a duration",
        "300ms",
        "faults: {kinds: [{pause: 2s}, pause]}\nassume:".replace(", pause]", "]"),
    ),
    mistake(
        "version of a fault",
        "assume:",
        "faults: {kinds: [{mixed_version: «keys»}]}\nassume:",
        "mixed_version cannot be 'keys'",
        "'key'?",
        "faults: {kinds: [{mixed_version: key}]}\nassume:",
    ),
    mistake(
        "writes of a failover",
        "assume:",
        "faults: {kinds: [{failover: «0»}]}\nassume:",
        "at least 1",
        "digits",
        "faults: {kinds: [{failover: 2}, restart]}\nassume:",
    ),
    mistake(
        "faults as a list",
        "assume:",
        "faults: «[evict]»\nassume:",
        "faults must be a mapping",
        "name: value",
    ),
]
PAY = "- pay: {amount: 2.5, times: 1, how: card, again: true, to: [a], note: x}"
VERBS = [
    mistake(
        "word for a number",
        WAIT,
        "- pay: {amount: «much»}",
        "amount must be a number, not 'much'",
        "digits",
        PAY,
    ),
    mistake(
        "boolean for a number",
        WAIT,
        "- pay: {amount: «true»}",
        "amount must be a number",
        "digits",
        "- pay: {amount: $shown}".replace("$shown", "3"),
    ),
    mistake(
        "part for a whole number",
        WAIT,
        "- pay: {amount: 1, times: «1.5»}",
        "times must be a whole number",
        "digits",
    ),
    mistake(
        "number for a boolean",
        WAIT,
        "- pay: {amount: 1, again: «1»}",
        "again must be true or false",
        "true or false",
    ),
    mistake("text for a list", WAIT, "- pay: {amount: 1, to: «a»}", "to must be a list", "[a, b]"),
    mistake(
        "list for a text", WAIT, "- pay: {amount: 1, note: «[a]»}", "note must be text", "some text"
    ),
    mistake(
        "word not in the list",
        WAIT,
        "- pay: {amount: 1, how: «crad»}",
        "how cannot be 'crad'",
        "'card'?",
    ),
    mistake(
        "null where none is allowed",
        WAIT,
        "- pay: {amount: «~»}",
        "amount must be a number, not nothing",
        "digits",
        "- pay: {amount: 1, note: ~}",
    ),
    mistake(
        "text for a mapping",
        WAIT,
        "- pay: {amount: 1, extra: «x»}",
        "extra must be a mapping",
        "{name: value}",
        "- pay: {amount: 1, extra: {}}",
    ),
    mistake(
        "short form of the wrong type",
        WAIT,
        "- pay: «a lot»",
        "amount must be a number",
        "digits",
        "- pay: 5",
    ),
    mistake(
        "flush without a layer",
        WAIT,
        "- «flush»:",
        "'flush' needs 'layer'",
        "flush: LAYER",
        "- flush: super_cache",
    ),
    mistake(
        "read twice", WAIT, "- read: x\n      «read»: y", "'read' is given twice", "first on line"
    ),
]
SENSE = [
    mistake(
        "no number between",
        EXPECT,
        "expect: {charged: «{at_least: 3, at_most: 2}»}",
        "no number is at least 3 and at most 2",
        "",
        "expect: {charged: {at_least: 2, at_most: 2}}",
    ),
    mistake(
        "not any",
        EXPECT,
        "expect: {charged: {not: «any»}}",
        "no answer is `not any`",
        "raises: Name",
        "expect: {charged: {not: missing}}",
    ),
    mistake(
        "not one list",
        EXPECT,
        "expect: {charged: {not: «[1, 2]»}}",
        "`not` a list is every answer but this one list",
        "not: {one_of: [a, b]}",
        "expect: {charged: {not: {one_of: [1, 2]}}}",
    ),
    mistake(
        "not nothing",
        EXPECT,
        "expect: {charged: {not: «null»}}",
        "`not` has no value",
        "not: missing",
        "expect: {charged: {not: missing}}",
    ),
    mistake(
        "one of all",
        EXPECT,
        "expect: {charged: {one_of: «[1, any]»}}",
        "every answer is one of these",
        "leave `any` out",
        "expect: {charged: {one_of: [1, 2]}}",
    ),
    mistake(
        "no fields",
        EXPECT,
        "expect: {charged: «{}»}",
        "every mapping has the fields of an empty one",
        "{exactly: {}}",
        "expect: {charged: {exactly: {}}}",
    ),
    mistake(
        "isolated without owners",
        GUARANTEES,
        "[«isolated_users»]",
        "nothing here can break 'isolated_users'",
        "owns:",
    ),
    mistake(
        "class and more",
        SYSTEM,
        "systems: {shop: {violated: {class: stale-set, «asume»: {pause: 1s}}}}",
        "unknown field 'asume' in violated",
        "'assume'?",
        "systems: {shop: {violated: {class: stale-set, assume: {pause: 1s}}}}",
    ),
    mistake(
        "class no word",
        SYSTEM,
        "systems: {shop: {violated: {class: «[a]»}}}",
        "no conflict class 'a list'",
        "one of: stale-set",
    ),
    mistake(
        "holds with a class",
        SYSTEM,
        "systems: {shop: {holds: «stale-set»}}",
        "holds takes an assumption",
        "pause",
    ),
]
ALL = [
    *FIELDS,
    *SYSTEMS,
    *CONTENT,
    *STEPS,
    *USERS,
    *EXPECTATIONS,
    *REST,
    *FLOWS,
    *FAULTS,
    *VERBS,
    *SENSE,
]


def marked(good: str, given: Mistake) -> tuple[str, tuple[int, int, int] | None]:
    """Return the broken text, and the line, column and width of the caret."""
    assert given.at in good
    text = good.replace(given.at, given.bad, 1)
    if "«" not in text:
        return text, None
    begin, end = text.index("«"), text.index("»")
    column = begin - text.rfind("\n", 0, begin)
    place = (text.count("\n", 0, begin) + 1, column, end - begin - 1)
    return text.replace("«", "").replace("»", ""), place


def said(scenario):
    """Return what a scenario says, without where it says it."""

    def without_places(data):
        if isinstance(data, dict):
            dropped = {"where", "warnings", "spans", "path", "story"}
            return {k: without_places(v) for k, v in data.items() if k not in dropped}
        if isinstance(data, list | tuple):
            return [without_places(item) for item in data]
        return data

    return without_places(asdict(scenario))
