"""`supercache new --from-history`: what is drafted from a recording can be used as it is."""

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_supercache.cli import creating, main
from pytest_supercache.cli.drafting import CALLS_MAX, draft
from pytest_supercache.cli.project import Project
from pytest_supercache.oracle.linear.call import Model
from pytest_supercache.scenario.grammar import Vocabulary
from pytest_supercache.scenario.layout import formatted
from pytest_supercache.scenario.validate import load
from tests.calls import Store, record

WORDS = Vocabulary(systems=("shop",), guarantees={"linearizable": {}})
PORCUPINE = Path(__file__).parents[2] / "corpus" / "porcupine"
PRICES = (
    ("alice", "invoke", "write", 100),
    ("alice", "ok", "write", 100),
    ("bob", "invoke", "write", 120),
    ("carol", "invoke", "read", None),
    ("carol", "ok", "read", 120),
    ("dave", "invoke", "read", None),
    ("dave", "ok", "read", 100),
    ("bob", "ok", "write", 120),
)


def recording(tmp_path, *events, key="price"):
    names = ("process", "type", "f", "value")
    lines = [json.dumps({**dict(zip(names, event, strict=True)), "key": key}) for event in events]
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(lines))
    return path


def drafted(path, model=Model.REGISTER, format_="jsonl"):
    """Draft, and insist that it is a file without a mistake, a warning or odd layout."""
    text = draft(
        path, model, format_, scenario_id="X-1", system="shop", schema=Path("../s.schema.json")
    )
    scenario = load("x", text, WORDS)
    assert scenario.warnings == ()
    assert formatted("x", text) == text
    assert text.startswith("# yaml-language-server: $schema=../s.schema.json\n")
    return scenario


def test_the_calls_that_have_no_order_become_users_and_steps(tmp_path):
    scenario = drafted(recording(tmp_path, *PRICES))
    assert "a value was overwritten and read again" in scenario.story
    flows = {user.name: (user.node, [step.verb for step in user.steps]) for user in scenario.users}
    assert flows == {
        "alice": ("b", ["write"]), "bob": ("b", ["write"]),
        "carol": ("a", ["read"]), "dave": ("a", ["read"]),
    }  # fmt: skip
    assert scenario.users[3].steps[0].why == "lines 6-7: read answered 100"
    assert [spec.name for spec in scenario.guarantees] == ["linearizable"]


def test_of_a_recording_with_an_order_the_calls_that_overlap_most_are_taken(tmp_path):
    quiet = [(who, what, "write", n) for n in range(40) for who, what in
             (("zoe", "invoke"), ("zoe", "ok"))]  # fmt: skip
    scenario = drafted(recording(tmp_path, *quiet, *PRICES[:5], PRICES[-1]))
    assert "it has an order" in scenario.story
    assert {"alice", "bob", "carol"} <= {user.name for user in scenario.users}
    assert sum(len(user.steps) for user in scenario.users) <= CALLS_MAX


def test_what_was_read_first_stands_in_the_origin_and_equal_values_are_told_apart(tmp_path):
    events = [("a", "invoke", "read", None), ("a", "ok", "read", 7)]
    for who in "ab":
        events += [(who, "invoke", "write", 1), (who, "ok", "write", 1)]
    scenario = drafted(recording(tmp_path, *events))
    assert scenario.given == {"origin": {"price": 7}}
    written = [step.arguments["value"] for user in scenario.users for step in user.steps
               if step.verb == "write"]  # fmt: skip
    assert written == [1, "1 (line 5)"]


def test_a_compare_and_set_becomes_a_read_and_a_write(tmp_path):
    events = [("1", "invoke", "cas", [3, 4]), ("1", "ok", "cas", [3, 4])]
    (user,) = drafted(recording(tmp_path, *events)).users
    assert (user.name, [step.verb for step in user.steps]) == ("user1", ["read", "write"])
    assert user.steps[0].why == "lines 1-2: cas 3 to 4, done"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("etcd_002.log", Model.REGISTER), ("etcd_024.log", Model.REGISTER),
        ("c01-ok.txt", Model.KV), ("c01-bad.txt", Model.KV),
    ],
)  # fmt: skip
def test_recordings_of_jepsen_can_be_drafted(name, model):
    assert drafted(PORCUPINE / name, model, "jepsen").users


def test_no_recording_makes_a_draft_with_a_mistake(tmp_path):
    """Whatever processes, keys and values are called."""
    odd = (None, True, 1, "1", "missing", "$price", "any", "a: b", "\n", "Grüße", "x" * 999, [])
    for seed in range(40):
        source = random.Random(seed)
        values = tuple(range(len(odd)))
        store = Store(kinds=("read", "write", "cas"), calls=14, processes=4, values=values)
        lines = []
        for call in record(store, source):
            value = [odd[v] for v in call.value] if call.kind == "cas" else None
            value = odd[call.value] if call.kind == "write" else value
            row = {"process": f"p {call.process}/ü", "f": call.kind, "key": "a b: #" * (seed % 2)}
            lines.append((call.called_at, {**row, "type": "invoke", "value": value}))
            if call.returned:
                answer = None if call.answer is None else odd[int(call.answer)]
                done = {"type": "ok"} if call.kind != "read" else {"type": "ok", "value": answer}
                if call.kind == "cas" and not call.answer:
                    done = {"type": "fail"}
                lines.append((call.returned_at, {**row, **done}))
        path = tmp_path / f"{seed}.jsonl"
        path.write_text(
            "\n".join(json.dumps(line) for _, line in sorted(lines, key=lambda x: x[0]))
        )
        drafted(path)


def test_the_command_writes_the_draft_and_names_what_it_cannot_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        creating, "describe", lambda: Project(root=tmp_path, vocabulary=WORDS, files=())
    )
    path = recording(tmp_path, *PRICES)
    done = CliRunner().invoke(main, ["new", "incident", "--from-history", str(path)])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "incident.supercache.yaml").read_text()
    assert load("x", text, WORDS).id == "INCIDENT"
    path.write_text("{}\n")
    done = CliRunner().invoke(main, ["new", "other", "--from-history", str(path)])
    assert done.exit_code == 2
    assert "trace.jsonl:1: " in done.output
    assert not (tmp_path / "other.supercache.yaml").exists()
