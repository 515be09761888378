"""Each kind of fault: found where it is the cause, silent without it, silent with the fix."""

from contextlib import suppress
from functools import cache, partial

import pytest

from pytest_supercache import Assume, Faults, Label, SupercacheError, Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from tests import fault_programs as programs
from tests.selection import few

CASES = {
    "drop_invalidation": programs.lost_message,
    "delay_invalidation": programs.late_message,
    "duplicate_invalidation": programs.counted_message,
    "reorder_invalidations": programs.last_message,
    "error_before": programs.partial_write,
    "error_after": programs.repeated_effect,
    "evict": programs.suppressed_message,
    "expire": programs.gone_between,
    "restart": programs.unflushed,
    "pause": programs.lease,
    "clock_skew": programs.newest_by_clock,
    "failover": programs.promoted_replica,
    "mixed_version": programs.other_version,
    "cancel": programs.held_lock,
    "exception": programs.held_lock,
}
GIVEN = {"cancel": f"{programs.__name__}.TimeoutHit"}


def explored(kind, *, fixed=False, **options):
    """Search the program of a kind, with its fault unless said otherwise."""
    named = {kind: GIVEN[kind]} if kind in GIVEN else kind
    options.setdefault("faults", Faults(kinds=(named,)))
    return check(partial(CASES[kind], fixed=fixed), ticks=0, **options)


@cache
def found_by(kind):
    """Return the result for a kind and its program, which many tests look at."""
    return explored(kind)


@cache
def withstood_by(kind, *, strikes=True):
    """Return the result for the fixed program."""
    return explored(kind, fixed=True) if strikes else explored(kind, fixed=True, faults=None)


@pytest.mark.parametrize("kind", CASES)
def test_a_fault_is_found_named_placed_and_replayed(kind):
    result = found_by(kind)
    assert result.verdict is Verdict.VIOLATED, (result.reasons, result.coverage)
    found = result.counterexample
    assert found.replays == "10/10"
    assert [fault.kind for fault in found.schedule.vector] == [kind]
    assert found.faults[0].startswith(kind)
    assert f";{kind}(" in found.token
    assert read_token(found.token) == ("check", found.schedule)
    assert result.scope["faults"] == 1


@pytest.mark.parametrize("kind", few(CASES, 9))
def test_without_the_fault_the_same_program_holds(kind):
    result = explored(kind, faults=None)
    assert result.verdict is Verdict.HOLDS, result.counterexample
    assert result.scope["faults"] == 0


@pytest.mark.parametrize("kind", CASES)
def test_with_the_fix_the_fault_strikes_and_nothing_breaks(kind):
    result = withstood_by(kind)
    assert result.verdict is Verdict.HOLDS, (result.reasons, result.counterexample)
    assert result.scope["fault vectors"] >= 1
    assert result.notes == ()


@pytest.mark.parametrize("is_there", ["sometimes", "always"])
def test_an_execution_in_which_a_fault_strikes_nothing_uses_up_the_budget_like_any_other(is_there):
    runs = []

    def body(world):
        client, flags = world.existing_cache.client(), []
        runs.append(None)

        def sets():
            world.step("set", reads=(), writes="flag")
            flags.append("set")

        def looks():
            world.step("look", reads="flag", writes=())
            if flags or is_there == "always":
                with suppress(ConnectionError):
                    client.get("k")

        world.actor("sets", sets)
        world.actor("looks", looks)
        world.run()

    faults = Faults(kinds=("error_after",))
    result = check(body, faults=faults, search="random", executions=200, memory="declared")
    assert (result.executions < 200) == (is_there == "sometimes")
    assert 200 <= len(runs) < 225  # users take turns first


@pytest.mark.parametrize(
    "kind",
    few(["duplicate_invalidation", "failover", "error_before", "drop_invalidation", "evict"], 2),
)
def test_the_reduced_search_covers_every_schedule_of_every_vector(kind):
    reduced, every = withstood_by(kind), explored(kind, fixed=True, search="all-schedules")
    assert reduced.schedules == every.executions
    assert reduced.executions <= every.executions
    assert reduced.scope["fault vectors"] == every.scope["fault vectors"]


# -- labels and counts ----------------------------------------------------------------------------


def test_the_label_says_what_fails_when_users_take_turns_under_the_fault():
    assert found_by("drop_invalidation").label is Label.FAULT_BUG
    assert found_by("failover").label is Label.ORDER_BUG  # early enough it has missed nothing
    assert found_by("restart").label is Label.CONFLICT


def test_a_fault_that_meets_nothing_is_no_execution_and_is_named():
    result = explored("evict", fixed=True, faults=Faults(kinds=("clock_skew", "evict")))
    alone = withstood_by("evict", strikes=False)
    never = explored("error_after", fixed=True, faults=Faults(kinds=("drop_invalidation",)))
    assert result.verdict is never.verdict is Verdict.HOLDS
    assert never.executions == withstood_by("error_after", strikes=False).executions
    assert "drop_invalidation" in never.notes[0]
    assert result.executions > alone.executions


def test_two_faults_break_what_withstands_one():
    one = Faults(max=1, kinds=("error_before",))
    two = Faults(max=2, kinds=("error_before",))
    assert explored("error_before", fixed=True, faults=one).verdict is Verdict.HOLDS
    result = explored("error_before", fixed=True, faults=two)
    assert result.verdict is Verdict.VIOLATED
    # The second one strikes the retry, a step that there only is after the first one.
    assert len(result.counterexample.faults) == result.scope["faults"] == 2


def test_no_more_faults_than_asked_for_and_the_budget_is_everybodys():
    assert explored("evict", faults=Faults(max=0, kinds=("evict",))).verdict is Verdict.HOLDS
    result = explored("evict", fixed=True, executions=6, search="all-schedules")
    assert result.verdict is Verdict.UNKNOWN
    assert result.scope["faults"] == 0
    assert any("budget" in reason for reason in result.reasons)


def test_the_coverage_says_how_many_faults_were_tried():
    assert "at most 1 injected fault, in 3 sets of evict," in withstood_by("evict").coverage
    assert "no injected faults," in withstood_by("evict", strikes=False).coverage


# -- time ---------------------------------------------------------------------------------------


def test_an_assumption_rules_out_the_pauses_that_are_as_long():
    shorter, longer = Assume(pause=10.0), Assume(pause=10.1)
    assert explored("pause", assume=shorter).verdict is Verdict.HOLDS
    assert explored("pause", assume=longer).verdict is Verdict.VIOLATED


def test_a_pause_shorter_than_the_lease_does_no_harm():
    for seconds, verdict in ((9.0, Verdict.HOLDS), (11.0, Verdict.VIOLATED)):
        assert explored("pause", faults=Faults(kinds=({"pause": seconds},))).verdict is verdict


def test_a_key_expires_only_with_what_expires_before_it():
    """The clock moves: whoever has a shorter time to live is gone as well."""

    def body(world):
        client = world.existing_cache.client()
        client.set("short", "x", ex=5)
        client.set("long", "x", ex=50)

        def look():
            held = client.mget("short", "long")
            assert held[1] is not None or held[0] is None, held

        world.actor("alice", look)
        world.run()

    result = check(body, faults=Faults(kinds=("expire",)), ticks=0)
    assert result.verdict is Verdict.HOLDS
    evicted = check(body, faults=Faults(kinds=("evict",)), ticks=0)
    assert evicted.verdict is Verdict.VIOLATED


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wraps", "verdict"), [("from", Verdict.HOLDS), ("instead", Verdict.VIOLATED)]
)
def test_only_the_injected_error_itself_is_an_answer_and_not_what_the_code_adds(wraps, verdict):
    def body(world):
        def flow():
            try:
                world.origin.get("k")
            except ConnectionError as error:
                if wraps == "from":
                    raise LookupError("no answer") from error
                raise LookupError("a bug of its own")  # noqa: B904 - what the test is about

        world.actor("alice", flow)
        world.run()

    assert check(body, faults=Faults(kinds=("error_before",))).verdict is verdict


def test_an_error_is_of_the_class_that_is_named_and_an_unknown_class_is_refused():
    seen = []

    def body(world):
        def flow():
            try:
                world.origin.get("k")
            except OSError as error:
                seen.append(type(error))

        world.actor("alice", flow)
        world.run()

    check(body, faults=Faults(kinds=({"error_before": "TimeoutError"},)))
    assert set(seen) == {TimeoutError}
    with pytest.raises(SupercacheError, match="nowhere"):
        check(body, faults=Faults(kinds=({"error_before": "nowhere.Error"},)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"max": 4},
        {"max": True},
        {"kinds": ("evct",)},
        {"kinds": ("cancel",)},
        {"kinds": ({"pause": 0},)},
        {"kinds": ({"evict": "k"},)},
        {"kinds": ({"failover": 0},)},
        {"kinds": ({"mixed_version": "colour"},)},
    ],
)
def test_faults_that_cannot_be_are_refused_at_once(wrong):
    with pytest.raises(SupercacheError, match="Faults"):
        Faults(**wrong)


# -- replay ---------------------------------------------------------------------------------------


def replay_of(kind, token, *, fixed=False):
    """Replay a token on the program of a kind, whatever faults a search would try."""
    body, (_, schedule) = partial(CASES[kind], fixed=fixed), read_token(token)
    server = start_server("fakeredis")
    return check_on(server, body, Exploration(ticks=0), guarantees=(), replay=schedule)


@pytest.mark.parametrize("kind", few(["drop_invalidation", "pause", "evict", "mixed_version"], 2))
def test_a_token_repeats_the_violation_in_the_code_that_has_it(kind):
    found = found_by(kind).counterexample
    again = replay_of(kind, found.token)
    assert again.verdict is Verdict.VIOLATED
    assert again.counterexample.token == found.token
    assert again.counterexample.violation.identity == found.violation.identity


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("evict", "evict(existing_cache,k)", "evict(existing_cache,other)"),  # nothing there
        ("evict", "evict(existing_cache,k)", "evict(nowhere,k)"),
        ("evict", "evict(existing_cache,k)", "restart(existing_cache)"),
        ("drop_invalidation", "(bob,0,2,a)", "(bob,0,1,a)"),  # no publication
        ("drop_invalidation", "(bob,0,2,a)", "(bob,0,2,c)"),  # no such node
        ("drop_invalidation", "@3", "@2"),  # it strikes later
        ("error_after", "(bob,0,0)", "(bob,0,7)"),
        ("clock_skew", "(a,1)", "(z,1)"),
        ("failover", "(existing_cache,1)", "(existing_cache,9)"),
    ],
)
def test_a_token_whose_fault_no_longer_strikes_diverges_and_never_passes(kind, old, new):
    token = found_by(kind).counterexample.token
    assert old in token
    with pytest.raises(ReplayDivergedError):
        replay_of(kind, token.replace(old, new))


def test_a_token_with_a_fault_on_fixed_code_is_no_proof():
    token = found_by("evict").counterexample.token
    try:
        verdict = replay_of("evict", token, fixed=True).verdict
    except ReplayDivergedError:
        verdict = Verdict.UNKNOWN  # the fix takes other steps
    assert verdict is Verdict.UNKNOWN
