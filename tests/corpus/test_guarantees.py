"""Each guarantee against histories that break it and the nearest that do not; and mutations.

`docs/guarantees.md` shows the smallest pair of each guarantee, `guarantees.txt` the others.
"""

import re
from pathlib import Path

import pytest

from pytest_supercache import SupercacheError
from pytest_supercache.oracle.guarantee import NotJudgedError, check_history
from pytest_supercache.oracle.judge import KNOWN
from tests.histories import recorded

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
CORPUS = (ROOT / "tests/corpus/guarantees.txt").read_text(encoding="utf-8")

SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"```history\n(.*?)```", re.DOTALL)
HEAD = re.compile(r"^== (\w+)(\(.*?\))?: (breaks|holds|not judged): (.+)$", re.MULTILINE)
ALONE = {
    "bounded_staleness": (2.0,),
    "cap_holds": (1,),
    "max_loads": (1,),
    "ttl_respected": (60.0,),
}
"""What the page says for guarantees that need a parameter."""

PAIRS = {name: BLOCK.findall(text) for name, text in SECTION.findall(PAGE)}


def named(name, parameters=""):
    arguments = re.findall(r"(\w+)=(\"\w+\"|[\d.]+)", parameters or "")
    given = {key: value.strip('"') if '"' in value else int(value) for key, value in arguments}
    return KNOWN[name](**given) if given else KNOWN[name](*ALONE.get(name, ()))


def verdict(guarantee, text):
    record = recorded(text)
    try:
        found = check_history(record.history(), guarantee, record.settled)
    except NotJudgedError:
        return "not judged"
    if found is None:
        return "holds"
    assert found.guarantee == guarantee.name
    assert found.summary
    return "breaks"


def entries():
    parts = HEAD.split(CORPUS)[1:]
    for name, parameters, expected, claim, text in zip(*[iter(parts)] * 5, strict=True):
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        yield pytest.param(name, parameters, expected, "\n".join(lines), id=f"{name}: {claim}")


@pytest.mark.parametrize("name", KNOWN)
def test_the_pair_that_the_page_shows_is_a_pair(name):
    broken, nearest = PAIRS[name]
    assert verdict(named(name), broken) == "breaks"
    assert verdict(named(name), nearest) == "holds"


def test_the_page_has_one_row_for_each_guarantee():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*?) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(KNOWN)
    for name, kind in rows:
        assert KNOWN[name].real_time == ("real time" in kind), name


@pytest.mark.parametrize(("name", "parameters", "expected", "text"), list(entries()))
def test_the_verdict_is_the_one_in_the_corpus(name, parameters, expected, text):
    assert verdict(named(name, parameters), text) == expected


def test_every_guarantee_has_all_three_verdicts_in_the_corpus():
    seen = {(name, expected) for name, _, expected, _ in HEAD.findall(CORPUS)}
    older = {"coherent_when_settled", "read_your_writes"}  # have files of their own in unit/oracle
    for name in KNOWN.keys() - older:
        assert {(name, v) for v in ("breaks", "holds", "not judged")} <= seen, name


MUTATIONS = {
    "coherent_when_settled": [("existing_cache x=0", "existing_cache x=1")],
    "read_your_writes": [("writer 1-2 get x=0", ""), ("get x=0", "get x=1")],
    "monotonic_reads": [
        ("reader 2-3 get x=0", ""),
        ("reader 1-2 get x=1", ""),
        ("2-3 get x=0", "2-3 get x=1"),
        ("1-2 get x=1", "1-2 get x=0"),
    ],
    "monotonic_writes": [
        ("writer 0-1 put x=1", ""),
        ("writer 1-2 put x=2", ""),
        ("commit 3 x=2\ncommit 4 x=1", "commit 3 x=1\ncommit 4 x=2"),
    ],
    "linearizable": [
        ("reader 0-1 get x=1", ""),
        ("other 1-2 get x=0", ""),
        ("other 1-2 get x=0", "other 1-2 get x=1"),
    ],
    "sequentially_consistent": [
        ("reader 2-3 get y=1", ""),
        ("reader 3-4 get x=0", ""),
        ("get y=1", "get y=0"),
        ("get x=0", "get x=1"),
    ],
    "bounded_staleness": [
        ("reader 2-3 get x=0", ""),
        ("get x=0", "get x=1"),
        ("clock 2 3", ""),
        ("commit 1 x=1\nclock 2 3", "clock 1 3\ncommit 2 x=1"),
    ],
    "no_lost_invalidation": [("b x=0", "b x=1\ngiven x=1"), ("holds 0", "holds 1")],
    "max_loads": [("load 2 x=0", ""), ("load 1 x", "load 1 y")],
    "isolated_users": [("bob 0-1 get profile=secret", ""), ("owns alice", "owns bob")],
    "no_resurrection": [
        ("reader 1-2 get x=0", ""),
        ("writer 0-1 delete x", ""),
        ("get x=0", "get x=miss"),
    ],
    "ttl_respected": [
        ("reader 2-3 get x=0", ""),
        ("load 1 x=0\nclock 2", "clock 1 30\nload 2 x=0\nclock 3"),
    ],
    "read_atomic": [
        ("see x=1 y=0", "see x=1 y=1"),
        ("see x=1 y=0", "see x=0 y=0"),
        ("commit 1 x=1 y=1", "commit 1 x=1"),
    ],
    "durable_writes": [("writer 0-1 put x=1", ""), ("put x=1", "put x=0")],
    "no_dirty_reads": [
        ("reader 1-2 get x=1", ""),
        ("get x=1", "get x=0"),
        ("rolled back", "committed\ncommit 1 x=1"),
    ],
    "revocation_holds": [
        ("ann 2-3 get session=ann", ""),
        ("guard 1-2 delete session", ""),
        ("get session=ann", "get session=miss"),
        (
            "guard 0-1 put session=ann\nguard 1-2 delete session",
            "guard 0-1 delete session\nguard 1-2 put session=ann",
        ),
    ],
    "cap_holds": [("bob 1-3 see seat=true", ""), ("ann 0-2 see seat", "ann 0-2 see other")],
    "no_lost_field": [
        ('commit 4 profile={"name":"a"', 'commit 4 profile={"name":"A"'),
        ("ann 0-3 do", "ann 0-? do"),
    ],
}
"""Of the history that breaks it: a read dropped, two versions swapped, an owner changed."""


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [(name, old, new) for name, changes in MUTATIONS.items() for old, new in changes],
)
def test_a_mutation_of_the_broken_history_flips_the_verdict(name, old, new):
    broken = PAIRS[name][0]
    assert old in broken
    assert verdict(named(name), broken.replace(old, new)) == "holds"


def test_every_guarantee_has_mutations():
    assert MUTATIONS.keys() == KNOWN.keys()


@pytest.mark.parametrize(
    ("given", "named_", "message"),
    [
        ((), {}, "max_loads needs loads"),
        ((0,), {}, "at least 1"),
        ((1.5,), {}, "whole number"),
        ((True,), {}, "whole number"),
        ((1, -2.0), {}, "number of seconds"),
        ((1,), {"loads": 2}, "each at most once"),
        ((1,), {"widow": 2}, r"widow=2\): expected loads, window, key"),
        ((1, 2.0, "x", 4), {}, "expected loads, window, key"),
    ],
)
def test_a_wrong_parameter_is_named(given, named_, message):
    with pytest.raises(SupercacheError, match=message):
        KNOWN["max_loads"](*given, **named_)


def test_a_guarantee_that_lacks_its_parameter_is_an_error_and_no_verdict():
    with pytest.raises(SupercacheError, match="bounded_staleness needs bound"):
        check_history(recorded("given x=0").history(), KNOWN["bounded_staleness"])


def test_a_guarantee_without_parameters_takes_none():
    with pytest.raises(SupercacheError, match="no parameter"):
        KNOWN["monotonic_reads"](1)
