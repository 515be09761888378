"""Every reader of an input that may come from elsewhere, with texts that it accepts."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pytest_supercache.cli.reading import make_from, read_document
from pytest_supercache.cli.reporting import TEXTS
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.inputs import read_text
from pytest_supercache.core.schedule import read_token
from pytest_supercache.gate.documents import DRAFTS
from pytest_supercache.gate.draft import lint
from pytest_supercache.gate.known import moved, read_known_issues
from pytest_supercache.gate.lock import GateLock, read_lock, write_lock
from pytest_supercache.gate.merge import merge_shards
from pytest_supercache.gate.overview import compare, extent, variants
from pytest_supercache.gate.policy import decide
from pytest_supercache.gate.project import read_rules
from pytest_supercache.gate.project_table import read_table
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.screen import screen
from pytest_supercache.oracle.linear.call import Model
from pytest_supercache.oracle.linear.check import check_calls
from pytest_supercache.oracle.linear.formats import FORMATS
from pytest_supercache.oracle.linear.recording import read_calls
from pytest_supercache.report.document_digest import with_digest
from pytest_supercache.report.reproducer import refuse_foreign, reproducers
from pytest_supercache.scenario.prose import explain
from pytest_supercache.scenario.scenario import items
from pytest_supercache.scenario.validate import load_file
from pytest_supercache.scenario.writing import written
from tests.unit.gate.runs import row, shard_of
from tests.unit.report.run_of_all_kinds import GATE, document
from tests.unit.scenario.conftest import VOCABULARY
from tests.unit.scenario.test_scenario_mutations import RICH

TODAY = date(2026, 3, 10)
LAST = {
    "last_run": {
        "when": "2026-03-09T12:00:00+00:00",
        "build": "41",
        "scenarios": [{"id": "PRICE-08", "verdict": "holds", "fingerprint": None}],
    }
}
STEPS_MAX = 2_000  # of the search for an order in a history


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One way in: texts that it takes, the name of their file, and what reads it from there.

    ``short`` and ``long`` are how many mutated inputs it is given in a push and in the long form.
    """

    texts: tuple[str, ...]
    name: str
    read: Callable[[Path], Any]
    short: int
    long: int


def _scenario(path: Path) -> None:
    scenario = load_file(path, path.name, VOCABULARY, path.parent)
    explain(scenario)
    written(scenario)
    for item in items(scenario):
        assert isinstance(item.given, dict)


def _table(path: Path) -> None:
    scenario = path.with_name("beside.supercache.yaml")
    load_file(scenario, scenario.name, VOCABULARY, path.parent)


def _known(path: Path) -> None:
    text = read_text(path)
    list(moved(text, [row("S-1", "violated", former_fingerprint="c0ffee000001")]))
    lint(read_known_issues(text), TODAY)


def _settings(path: Path) -> None:
    # Which file has the waivers is the project's own business; here it is always the same one.
    read_rules(path.parent, read_table(path.parent), TODAY, "known-issues.toml")


def _verdict(path: Path) -> None:
    """Do what `supercache verdict`, `message`, `postmortem` and `report` do with a file."""
    read = read_document(path)
    make_from(path, lambda: _all_of(read, path.parent))


def _shard(path: Path) -> None:
    """Do what `supercache merge` does with a file that has the digest of its contents."""
    read = read_document(path)
    merged = merge_shards({path.name: with_digest(read)})
    make_from(path, lambda: screen(decide(merged, Rules(today=TODAY)), merged, Rules(today=TODAY)))


def _all_of(read: Mapping[str, Any], root: Path) -> None:
    rules = Rules(today=TODAY)
    decision = decide(read, rules)
    screen(decision, read, rules, None)
    extent(read), variants(read), compare(read, read)
    for draft in DRAFTS.values():
        draft(read, decision, rules)
    for make in TEXTS.values():
        make(read)
    refuse_foreign(read["scenarios"], root)
    reproducers(read["scenarios"], root, root / "reports")


def _history(model: Model, format_: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        calls = read_calls(path, model, FORMATS[format_])
        check_calls(calls, (model.initial,), budget=STEPS_MAX)

    return read


KNOWN = """\
[[known]]
id = "KI-1"
match = "c0ffee000001"
systems = ["shop"]
workaround = "set cache.l1=off"
workaround_checked_by = "W[off]"
owner = "karim"
approved_by = "betty"
opened = 2026-03-01
expires = 2026-03-20
permanent_fix = {issue = "CACHE-401", planned = 2026-04-01}
"""
SETTINGS = """\
[tool.supercache]
release = ["shop"]
minimum_severity = "normal"
known_issues = "known-issues.toml"
gate = true
watch = [{target = "shop:get"}]
[tool.supercache.traffic]
within = "50ms"
origin = {median = "1ms", p99 = "20ms"}
"""
TABLE = """\
case,price,given.origin.k,given.existing_cache.k
cold,120,"{""price"": [100, 1.5, null]}",
warm,"a, b",1,~
"""
BESIDE = """\
scenario: A table beside it
id: T-1
system: shop
users: {a: [{read: $price}]}
cases: rows.csv
"""
FILES = {
    "flows.yaml": "flows: {look: [{read: k}]}\n",
    "beside.supercache.yaml": BESIDE,
    "gate.lock": write_lock(GateLock(scenarios={"S-1": True}, paths=(".",))),
    "known-issues.toml": "",
    "rows.csv": TABLE,
}
"""What stands in the folder besides the input."""


def _events(*lines: tuple[Any, ...]) -> str:
    names = ("process", "type", "f", "key", "value")
    return "".join(json.dumps(dict(zip(names, one, strict=True))) + "\n" for one in lines)


JSONL = _events(
    (1, "invoke", "write", "x", 1), (2, "invoke", "read", "x", None), (1, "ok", "write", "x", 1),
    (2, "ok", "read", "x", 1), (1, "invoke", "cas", "x", [1, 2]), (1, "fail", "cas", "x", [1, 2]),
    (3, "invoke", "write", "y", {"a": [1.5]}), (3, "info", "write", "y", {"a": [1.5]}),
)  # fmt: skip
JEPSEN = """\
INFO  jepsen.util - 3  :invoke  :write  1
INFO  jepsen.util - 3  :ok  :write  1
{:process 4, :type :invoke, :f :read, :value nil}
{:process 4, :type :ok, :f :read, :value 1}
#jepsen.history.Op{:process 5, :type :invoke, :f :cas, :value [1 2]}
INFO  jepsen.util - 5  :info  :cas  :timed-out
"""
TOKENS = (
    "sc1:S-1[shop]:alice*2,bob,messages@a,alice;tick@2;evict(existing_cache,product:42)@3",
    "sc1:tests/test_a.py::test_b[x]:a*3,b;pause(a,1,0,0.5)@1;clock_skew(a,1)@0;grain=line",
    "sc1:S-1:a,b;drop_invalidation(a,1,0,b)@1;mixed_version(b,key)@0;memory=Shop.near/['k']",
)

SHARD = shard_of(document(), 2, 3)

READERS: Mapping[str, Reader] = {
    "scenario": Reader(
        texts=(RICH, f"{BESIDE}include: flows.yaml\n"), name="story.supercache.yaml",
        read=_scenario, short=150, long=8_000,
    ),
    "table": Reader(texts=(TABLE,), name="rows.csv", read=_table, short=150, long=8_000),
    "token": Reader(
        texts=TOKENS, name="token", read=lambda path: read_token(_as_argument(path)), short=600,
        long=25_000,
    ),
    "known issues": Reader(
        texts=(KNOWN, KNOWN + KNOWN.replace("KI-1", "KI-2")), name="known-issues.toml",
        read=_known, short=250, long=14_000,
    ),
    "lock": Reader(
        texts=(
            write_lock(
                GateLock(scenarios={"S-1[shop]": True, "t.py::test_x": False}, paths=("tests", "s"))
            ),
        ),
        name="gate.lock",
        read=lambda path: read_lock(read_text(path), path.name), short=250, long=14_000,
    ),
    "verdict": Reader(
        texts=(json.dumps(document(gate=GATE) | LAST),), name="verdict.json", read=_verdict,
        short=150, long=8_000,
    ),
    "shard": Reader(
        texts=(json.dumps(SHARD),), name="verdict.json", read=_shard, short=100, long=5_000
    ),
    "history": Reader(
        texts=(JSONL,), name="trace.jsonl", read=_history(Model.REGISTER, "jsonl"), short=150,
        long=8_000,
    ),
    "history of Jepsen": Reader(
        texts=(JEPSEN,), name="trace.log", read=_history(Model.REGISTER, "jepsen"), short=100,
        long=5_000,
    ),
    "settings": Reader(
        texts=(SETTINGS,), name="pyproject.toml", read=_settings, short=100, long=5_000
    ),
}  # fmt: skip


def _as_argument(path: Path) -> str:
    """Return the content as Python gives it to a program as an argument."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def outcome(reader: Reader, path: Path) -> str:
    """Read an input: "accepted", or "refused" with one of our errors, whose text stands alone.

    Anything else that is raised is passed on.
    """
    try:
        reader.read(path)
    except SupercacheError as error:
        text = str(error)
        assert text.strip(), "an error without a text"
        assert len(text) < 60_000, f"an error of {len(text)} characters"
        odd = {char for char in text if not char.isprintable()} - {"\n", "\t"}
        assert not odd, f"an error with {odd}"
        return "refused"
    return "accepted"
