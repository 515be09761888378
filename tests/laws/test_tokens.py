"""A schedule survives its token, and no text makes the reader of tokens crash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_supercache.core.errors import TokenError
from pytest_supercache.core.fault import Fault
from pytest_supercache.core.schedule import CLOCK, Schedule, Strike, read_token

NAMES = st.text(min_size=1).filter(lambda name: "@" not in name)  # what world.actor permits
BACKGROUNDS = st.text(min_size=1).map("messages@{}".format)
ITEMS = st.text() | st.sampled_from(["PRICE-07[warm]", "tests/test_a.py::test_b[x:y,z*2;tick@3]"])
WORDS = st.text(min_size=1, max_size=6)
MOVES = st.builds(lambda place, key: Fault("evict", (place, key)), WORDS, WORDS)
KINDS = st.tuples(st.sampled_from(["drop_invalidation", "error_after"]), WORDS) | st.tuples(
    st.just("pause"), st.sampled_from(["2.0", "1e-06"])
)
POINTS = st.builds(
    lambda kind, actor, operation, index: Fault(
        kind[0], (actor, str(operation), str(index), kind[1])
    ),
    KINDS,
    NAMES,
    st.integers(0, 9),
    st.integers(0, 9),
)
CHOICES = st.lists(NAMES | BACKGROUNDS | st.just(CLOCK))
SCHEDULES = CHOICES.map(tuple).map(Schedule)


@st.composite
def faulty(draw):
    """Draw a schedule with faults: moves among its choices, and points that struck in it."""
    choices = draw(CHOICES)
    moves = len([choice for choice in choices if choice != CLOCK])
    for move in draw(st.lists(MOVES, max_size=2, unique=True)):
        choices.insert(draw(st.integers(0, len(choices))), move.name)
    struck = draw(st.lists(POINTS, max_size=2, unique=True))
    return Schedule(
        tuple(choices), tuple(Strike(fault, draw(st.integers(0, moves))) for fault in struck)
    )


FEW = st.lists(st.sampled_from(["alice", "bob", CLOCK])).map(tuple).map(Schedule)


@given(ITEMS, SCHEDULES | FEW | faulty())
def test_a_schedule_and_its_item_survive_the_token(item, schedule):
    assert read_token(schedule.token(item)) == (item, schedule)


@given(ITEMS, SCHEDULES | faulty())
def test_a_token_is_one_shell_word_without_quotes(item, schedule):
    token = schedule.token(item)
    assert token.isascii()
    assert token.isprintable()
    assert not set(token) & set(" '\"\\$`\t")


@given(FEW, FEW)
def test_different_schedules_have_different_tokens(one, other):
    assert (one == other) == (one.token("x") == other.token("x"))


@given(SCHEDULES | FEW | faulty(), st.data())
def test_a_mutated_token_is_read_or_refused_and_never_a_traceback(schedule, data):
    token = schedule.token("item")
    at = data.draw(st.integers(0, len(token)))
    cut = data.draw(st.integers(0, 3))
    mutated = token[:at] + data.draw(st.text("abc:*,;@%0159()\n", max_size=4)) + token[at + cut :]
    try:
        item, again = read_token(mutated)
    except TokenError:
        return
    assert isinstance(item, str)
    assert all(again.choices)


@pytest.mark.parametrize(
    "token",
    [
        "", "sc1", "sc1:x", "sc2:x:a", "SC1:x:a", ":::", "sc1:x:a,,b", "sc1:x:a*", "sc1:x:a*0",
        "sc1:x:a*-1", "sc1:x:a*2*3", "sc1:x:a*9999999", "sc1:x:,", "sc1:x:a;", "sc1:x:a;tick",
        "sc1:x:a;tick@2", "sc1:x:a*3;tick@2;tick@1", "sc1:x:a;evict(x)@1", "sc1:x:a;tick@-1",
        "sc1:x:a;evict(x,y)@2", "sc1:x:a;evict(x,y)", "sc1:x:a;evict(x,y)@1;evict(x,y)@1",
        "sc1:x:a;evict(x,y@1", "sc1:x:a;evct(x,y)@1", "sc1:x:a;tick()@1", "sc1:x:a;pause(a,b,0)@1",
        "sc1:x:a;pause(a,0)@1", "sc1:x:a;pause(a,1,0,nan)@1", "sc1:x:a;pause(a,1,0,1e999)@1",
        "sc1:x:a;clock_skew(a,nan)@0", "sc1:x:a;clock_skew(a,soon)@0",
        "sc1:x:a;failover(existing_cache,x)@0", "sc1:x:a;mixed_version(a,x)@0",
        f"sc1:x:a;error_before(a,{'9' * 5_000},0)@1", "sc1:x:a;error_before(a,\u0663,0)@1",
        "sc1:x:\udcff", "sc1:x:a;evict(x,y)@1;tick@0", "sc1:x:a;clock_skew(a)@0",
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused(token):
    with pytest.raises(TokenError):
        read_token(token)


@pytest.mark.parametrize(
    ("choices", "token"),
    [
        (("alice", "bob", "bob", "alice"), "sc1:P:alice,bob*2,alice"),
        (("a", CLOCK, CLOCK, "a"), "sc1:P:a*2;tick@1;tick@1"),
        ((CLOCK,), "sc1:P:;tick@0"),
        (("messages@a",), "sc1:P:messages@a"),
        ((), "sc1:P:"),
        (
            ("a", "@evict(existing_cache,product:42)", CLOCK, "a"),
            "sc1:P:a*2;evict(existing_cache,product:42)@1;tick@1",
        ),
    ],
)
def test_a_token_reads_as_it_is_documented(choices, token):
    assert Schedule(choices).token("P") == token
    assert read_token(f"  {token}\n") == ("P", Schedule(choices))


@pytest.mark.parametrize(
    "token",
    [
        f"sc1:x:{'a*999999,' * 150}a",
        "sc1:x:a" + ";tick@1" * 100_001,
        "sc1:x:a" + "".join(f";pause(a,1,{at})@1" for at in range(101)),
        "!" * 1_000_000,
        f"{'!' * 1_000_000}:x:a",
        f"sc1:x:{'!' * 400_000}*0",
        f"sc1:x:a;{'!' * 400_000}@1",
        f"sc1:x:a;grain={'!' * 400_000}",
    ],
    ids=["choices", "ticks", "faults", "long", "version", "run", "extra", "grain"],
)
def test_a_token_that_asks_for_too_much_is_refused_in_few_words(token):
    with pytest.raises(TokenError) as caught:
        read_token(token)
    assert len(str(caught.value)) < 1_000


def test_a_long_token_that_an_execution_may_take_is_read():
    schedule = Schedule(("alice", "bob", CLOCK) * 3_000)
    assert read_token(schedule.token("P")) == ("P", schedule)
