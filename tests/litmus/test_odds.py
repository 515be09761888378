"""Odds: simulated traffic passes time as it says, is as likely as arithmetic says, and repeats."""

from math import sqrt

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Assume, Faults, Label, Verdict
from pytest_supercache.checking import simulated_odds
from pytest_supercache.checking.check import check_on
from pytest_supercache.checking.runner import HazardMet
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.odds import Latencies, Latency, Odds, Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.oracle.odds import interval, share
from pytest_supercache.reference import FixedShop, NaiveShop, WorkaroundShop

KEY = "product:42"
NOW = Latency(1e-9, 1e-9)


def always(**seconds):
    """Latencies that never vary; what is not named takes no time."""
    return Latencies(
        **{name: Latency(seconds.get(name, 1e-9), seconds.get(name, 1e-9))
           for name in ("existing_cache", "origin", "messages", "code")}
    )  # fmt: skip


def checked(
    body, runs=60, *, within=0.05, latencies=None, ends_when_known=False, guarantees=(), **settings
):
    odds = Simulation(
        runs=runs,
        within=within,
        latencies=latencies or Latencies(),
        ends_when_known=ends_when_known,
    )
    server = start_server("fakeredis")
    settings.setdefault(
        "memory", "declared"
    )  # the lists in which bodies note instants are no flow's
    return check_on(server, body, Exploration(odds=odds, **settings), guarantees=tuple(guarantees))


def price_change(make, nodes="ab"):
    def body(world):
        world.origin.set(KEY, {"price": 100})
        shops = {node: make(world.node(node)) for node in dict.fromkeys(nodes)}
        reader, writer = nodes
        world.actor("alice", shops[reader].get, KEY, node=reader)
        world.actor("bob", shops[writer].set, KEY, {"price": 120}, node=writer)
        world.run()
        world.settle()

    return body


def lost_update(seen=None):
    """Two read-modify-writes of the origin: one is lost when the second reads before the first
    writes, that is within one round trip of its start."""

    def body(world):
        world.origin.set("n", 0)
        instants = []

        def add():
            read = world.origin.get("n")
            instants.append(world.clock.now())
            world.origin.set("n", read + 1)
            instants.append(world.clock.now())

        world.actor("alice", add)
        world.actor("bob", add)
        world.run()
        if seen is not None:
            seen.append(instants)
        assert world.origin.peek("n") == 2

    return body


def test_the_share_of_failing_runs_is_what_arithmetic_says():
    trip, within, runs = 0.01, 0.05, 800
    odds = checked(lost_update(), runs, within=within, latencies=always(origin=trip)).odds
    expected = 1 - (1 - trip / within) ** 2  # |difference of two uniform starts| < trip
    assert odds.runs == runs
    assert abs(odds.failing / runs - expected) < 3.5 * sqrt(expected * (1 - expected) / runs)


def test_a_step_takes_effect_one_round_trip_after_the_one_before():
    seen = []
    checked(lost_update(seen), 5, within=1e-9, latencies=always(origin=0.02))
    for instants in seen[-5:]:
        assert instants == pytest.approx([0, 0, 0.02, 0.02], abs=1e-6)


def test_odds_repeat_with_their_seed_and_differ_with_another():
    odds = [
        checked(price_change(NaiveShop), 100, guarantees=[COHERENT_WHEN_SETTLED], seed=seed).odds
        for seed in (1, 1, 2)
    ]
    assert odds[0] == odds[1]
    assert odds[0].failing != odds[2].failing


def test_variants_of_a_system_are_met_by_the_same_users_at_the_same_time():
    starts = {}
    for make in (NaiveShop, WorkaroundShop):
        found = starts[make] = []

        class Watched(make):
            def get(self, key, found=found):
                found.append(self._near.now())
                return super().get(key)

        def body(world, watched=Watched, found=found):
            world.origin.set(KEY, {"price": 100})
            shop = watched(world.node("a"))
            shop._near.now = world.clock.now
            world.actor("alice", shop.get, KEY)
            world.actor("bob", shop.set, KEY, {"price": 120})
            world.run()
            world.settle()

        result = checked(body, 20, guarantees=[COHERENT_WHEN_SETTLED], preemptions=1)
        assert result.odds.runs == 20
    naive, workaround = (found[-20:] for found in starts.values())
    assert naive == workaround
    assert len(set(naive)) == 20


@pytest.mark.parametrize(
    ("origin", "fails"), [(Latency(0.05, 0.1), False), (Latency(1.0, 40.0), True)]
)
def test_a_workaround_that_waits_fails_when_a_reader_is_slower_than_it_waits(origin, fails):
    result = checked(
        price_change(WorkaroundShop, "aa"), 60, latencies=Latencies(origin=origin),
        within=2 * origin.median, guarantees=[COHERENT_WHEN_SETTLED], preemptions=1,
    )  # fmt: skip
    assert result.verdict is Verdict.VIOLATED, "odds make no verdict"
    assert bool(result.odds.failing) is fails


def test_a_proof_that_leans_on_an_assumption_tells_the_odds_without_it():
    result = checked(
        price_change(WorkaroundShop, "aa"), 60, guarantees=[COHERENT_WHEN_SETTLED],
        assume=Assume(pause=0.4), latencies=Latencies(origin=Latency(1.0, 40.0)), within=2.0,
    )  # fmt: skip
    assert result.verdict is Verdict.HOLDS
    assert result.odds.failing
    (note,) = [note for note in result.notes if "odds" in note]
    assert note.startswith("without the assumption, odds: ")


def test_no_odds_are_told_where_the_search_knows_better():
    def holds(world):
        world.actor("alice", world.origin.get, "k")
        world.actor("bob", world.origin.set, "k", 1)
        world.run()

    proved = checked(holds)
    assert (proved.verdict, proved.odds) == (Verdict.HOLDS, None)

    def always_fails(world):
        world.actor("alice", world.origin.set, "k", 1)
        world.run()
        raise AssertionError

    plain = checked(always_fails)
    assert (plain.label, plain.odds) == (Label.PLAIN_BUG, None)
    unfinished = checked(price_change(FixedShop), executions=5)
    assert (unfinished.verdict, unfinished.odds) == (Verdict.UNKNOWN, None)
    unasked = checked(price_change(NaiveShop), 0, guarantees=[COHERENT_WHEN_SETTLED])
    assert (unasked.verdict, unasked.odds) == (Verdict.VIOLATED, None)


def test_the_explanation_ends_with_the_odds_their_condition_and_how_sure_they_are():
    result = checked(price_change(NaiveShop), 100, guarantees=[COHERENT_WHEN_SETTLED])
    line = result.counterexample.explanation.splitlines()[-1]
    assert line.startswith(f"odds: {result.odds.failing} of 100 simulated runs fail (")
    assert "95 % interval" in line
    assert "given that all users start within 50 ms" in line
    assert "existing cache 0.5 ms" in line


def test_a_fault_of_the_counterexample_strikes_in_every_run_that_counts():
    def body(world):
        world.origin.set(KEY, 1)
        client = world.existing_cache.client()
        client.set(KEY, 1)

        def read():
            assert client.get(KEY) is not None

        world.actor("alice", read)
        world.actor("bob", lambda: (world.origin.get(KEY), world.origin.get(KEY)))
        world.run()

    result = checked(body, 100, faults=Faults(max=1, kinds=("evict",)), guarantees=())
    assert result.verdict is Verdict.VIOLATED
    assert 0 < result.odds.failing < result.odds.runs <= 100
    assert "evict" in result.counterexample.explanation.splitlines()[-1]


def test_runs_that_take_too_long_are_left_out_and_a_note_says_so(monkeypatch):
    monkeypatch.setattr(simulated_odds, "_seconds_max", lambda _runner: -1.0)
    none = checked(price_change(NaiveShop), 100, guarantees=[COHERENT_WHEN_SETTLED])
    assert (none.verdict, none.odds) == (Verdict.VIOLATED, None)
    assert "only 0 runs were simulated for the odds: they take long" in none.notes
    left = iter([1e9] * 30)
    monkeypatch.setattr(simulated_odds, "_seconds_max", lambda _runner: next(left, -1.0))
    some = checked(price_change(NaiveShop), 100, guarantees=[COHERENT_WHEN_SETTLED])
    assert some.odds.runs == 30
    assert "only 30 runs were simulated for the odds: they take long" in some.notes


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"missed": (None,)}, "the fault found no place in them"),
        ({"complete": False}, "they were not played to their end"),
        ({}, ""),
    ],
)
def test_runs_that_do_not_count_are_told_in_a_note(monkeypatch, changed, why):
    run = simulated_odds._run

    def odd(runner, number):
        execution = run(runner, number)
        for name, value in changed.items() if number % 4 == 0 else ():
            setattr(execution, name, value)
        return execution

    monkeypatch.setattr(simulated_odds, "_run", odd)
    result = checked(price_change(NaiveShop), 40, guarantees=[COHERENT_WHEN_SETTLED])
    notes = [note for note in result.notes if "odds" in note]
    assert result.odds.runs == (30 if changed else 40)
    left_out = f"10 simulated runs do not count for the odds: {why}"
    assert notes == ([left_out] if changed else [])


def test_a_run_that_proves_nothing_leaves_a_note_and_the_verdict(monkeypatch):
    def hazard(_runner, _number):
        raise HazardMet(["a thread went its own way"])

    monkeypatch.setattr(simulated_odds, "_run", hazard)
    result = checked(price_change(NaiveShop), 100, guarantees=[COHERENT_WHEN_SETTLED])
    assert (result.verdict, result.odds) == (Verdict.VIOLATED, None)
    assert "odds were not simulated: a thread went its own way" in result.notes


@pytest.mark.parametrize(
    ("failing", "runs", "low", "high"),
    [(0, 100, 0, 0.03), (8, 10, 0.4902, 0.9433), (1, 200, 0.00088, 0.0278), (50, 50, 0.9287, 1)],
)
def test_the_interval_is_wilsons_and_of_none_the_rule_of_three(failing, runs, low, high):
    assert interval(failing, runs) == pytest.approx((low, high), abs=1e-4)


def test_none_of_many_runs_is_less_than_something_and_never_nothing():
    odds = Odds(runs=300, failing=0, within=0.05, latencies=Latencies())
    assert share(odds) == "none of 300 simulated runs fails (< 1 %)"


def test_a_latency_has_its_median_and_its_p99_and_refuses_nonsense():
    latency = Latency(0.005, 0.05)
    assert latency.at(0.5) == pytest.approx(0.005)
    assert latency.at(0.99) == pytest.approx(0.05)
    assert NOW.at(0.0) == NOW.at(1.0) == pytest.approx(1e-9)
    with pytest.raises(SupercacheError, match="expected 0 < median <= p99"):
        Latency(0.05, 0.005)


def test_nothing_is_simulated_any_more_when_the_share_is_known_within_a_factor_of_two():
    often = always(origin=0.04)  # which nearly every run finds in the window of 50 ms
    known = checked(lost_update(), 100, latencies=often, ends_when_known=True).odds
    low, high = interval(known.failing, known.runs)
    assert known.runs == 30
    assert high <= 2 * low
    assert checked(lost_update(), 100, latencies=often).odds.runs == 100


def test_what_is_rare_is_simulated_as_often_as_was_asked_for():
    rare = always(origin=0.0005)
    assert checked(lost_update(), 100, latencies=rare, ends_when_known=True).odds.runs == 100
