"""Each test belongs to one shard, whichever machine asks; a shard alone decides nothing."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.gate.lock import GateLock
from pytest_supercache.gate.merge import merge_shards
from pytest_supercache.gate.policy import GateVerdict, decide
from pytest_supercache.gate.rules import Rules
from pytest_supercache.gate.shards import dealt, incomplete
from pytest_supercache.gate.workaround_checks import unchecked
from pytest_supercache.report.document_digest import has_its_digest, with_digest
from pytest_supercache.report.words import headline
from tests.unit.gate.runs import TODAY, document, row, shard_of, waiver

NAMES = st.lists(st.text(max_size=8), max_size=40)
FOUND = document(row("S[shop]", "violated"), row("W[off]"), row("H[shop]"))
SHARDS = [shard_of(FOUND, index, 3) for index in (1, 2, 3)]


@given(NAMES, st.integers(1, 9), st.randoms(use_true_random=False))
def test_each_test_has_one_shard_in_any_order_and_shards_differ_by_one_test(names, count, random):
    shards = dealt(names, count)
    assert set(shards) == set(names)
    assert set(shards.values()) <= set(range(1, count + 1))
    sizes = [list(shards.values()).count(index) for index in range(1, count + 1)]
    assert max(sizes) - min(sizes) <= 1
    shuffled = [*names, *names[:1]]
    random.shuffle(shuffled)
    assert dealt(shuffled, count) == shards


def test_variants_of_many_scenarios_do_not_all_come_to_one_shard():
    """The nearest rule that would: every second of the sorted names."""
    names = [
        f"s.supercache.yaml::S-{n:02}[{kind}]" for n in range(20) for kind in ("fixed", "naive")
    ]
    naive = [index for name, index in dealt(names, 2).items() if "naive" in name]
    assert {1, 2} == set(naive)
    assert 5 <= naive.count(1) <= 15


def test_the_division_is_the_same_on_every_machine():
    assert dealt(["a", "b", "c", "d", "e"], 2) == {"a": 1, "b": 1, "c": 2, "d": 1, "e": 2}


def test_a_shard_alone_is_no_verdict_whatever_is_in_it():
    """A violation may have its workaround checked in another shard."""
    for one in SHARDS:
        decision = decide(one, Rules(today=TODAY, issues=(waiver(),), lock={"S[shop]": True}))
        assert (decision.verdict, decision.exit_status) == (GateVerdict.NO_VERDICT, 6)
        (said,) = decision.reasons
        assert said.endswith("give the files of all shards to `supercache merge`")
        assert headline(one).startswith(f"Shard {one['run']['shard']['index']} of 3: ")
    assert not headline(FOUND).startswith("Shard")


def test_all_shards_decide_like_the_whole_run():
    """The twins: one is missing, and somebody has dropped the complaint about that."""
    lock = GateLock(scenarios={"S[shop]": True, "H[shop]": True}, paths=(".",))
    rules = Rules(today=TODAY, issues=(waiver(),), lock=lock.scenarios, release=("shop",))
    merged = merge_shards({str(at): one for at, one in enumerate(SHARDS)})
    assert decide(merged, rules) == decide(FOUND, rules)
    assert decide(merged, rules).verdict is GateVerdict.GO_WITH_WORKAROUND
    less = merge_shards({str(at): one for at, one in enumerate(SHARDS[:2])})
    assert decide(less, rules).verdict is GateVerdict.NO_VERDICT
    assert list(incomplete(less["run"])) == ["shard 3 of 3 is missing"]
    less["run"]["merge"]["wrong"] = []
    assert list(incomplete(less["run"])) == [
        "verdict.json contradicts itself: it was merged from other shards than it counts"
    ]
    assert decide(less, rules).verdict is GateVerdict.NO_VERDICT


def test_what_one_shard_called_needs_no_test_in_another():
    """The twin: what no shard called."""
    shards = [shard_of(document(row("A"), row("B")), index, 2) for index in (1, 2)]
    for one in shards:
        one["run"]["no_tests"] = ["t.py:1 helper", "t.py:9 forgotten"]
    shards[0]["run"] |= {"no_tests": ["t.py:9 forgotten"]}
    shards[0]["run"]["shard"]["called"] = ["t.py:1 helper"]
    merged = merge_shards({str(at): with_digest(one) for at, one in enumerate(shards)})
    assert merged["run"]["no_tests"] == ["t.py:9 forgotten"]
    assert not merged["run"]["merge"]["wrong"]


def test_a_workaround_that_another_shard_checks_is_no_problem_of_the_known_issues():
    """The twin: in a whole run, it is one."""
    one = next(one for one in SHARDS if "W[off]" not in {row["id"] for row in one["scenarios"]})
    problems, notes = unchecked([waiver()], one, TODAY)
    assert (len(problems), len(notes)) == (0, 1)
    whole = {**one, "run": {**one["run"], "shard": None}}
    problems, notes = unchecked([waiver()], whole, TODAY)
    assert (len(problems), len(notes)) == (1, 0)


def test_only_shards_have_a_digest():
    assert with_digest(FOUND) == FOUND
    signed = shard_of(FOUND, 1, 3)
    assert has_its_digest(signed)
    assert not has_its_digest({**signed, "seed": 7})
