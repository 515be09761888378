"""What a search makes of an execution's steps: one event for each choice that led to any."""

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.core.schedule import CLOCK
from pytest_supercache.core.trace import Step
from pytest_supercache.search.events import Dependence, events_of, order, orders_of, trace_key

WRITES = Footprint(frozenset({"k"}), frozenset({"k"}))


def step(actor, index, label, choice, footprint=WRITES):
    return Step(actor, index, label, "hand", footprint, choice=choice)


def told(events):
    return [(event.actor, event.index, event.step.label, event.lead) for event in events]


def test_of_two_steps_that_one_choice_led_to_the_first_one_counts():
    steps = [step("alice", 0, "start", 0), step("alice", 1, "put", 0), step("bob", 0, "get", 1)]
    events, rest = events_of(steps, ["alice", "bob"], Dependence())
    assert told(events) == [("alice", 0, "start", ()), ("bob", 0, "get", ())]
    assert rest == ()


def test_choices_that_led_to_no_step_lead_to_the_next_event():
    steps = [step("alice", 0, "put", 2), step("bob", 0, "get", 3)]
    events, rest = events_of(steps, ["bob", "carol", "alice", "bob", "alice"], Dependence())
    assert told(events) == [("alice", 0, "put", ("bob", "carol")), ("bob", 0, "get", ())]
    assert rest == ("alice",)


def test_who_has_begun_and_waits_matters_at_a_tick():
    steps = [step("alice", 0, "put", 1), step(CLOCK, 0, "+1 s", 2), step("bob", 0, "get", 3)]
    events, _ = events_of(steps, ["bob", "alice", CLOCK, "bob"], Dependence())
    assert [sorted(event.begun) for event in events] == [[], ["bob"], []]


def test_all_before_a_tick_happens_before_it_and_all_after_it_afterwards_whatever_it_touches():
    assert ordered(CLOCK) == [0b00, 0b01, 0b11]
    assert ordered("carol") == [0b00, 0b00, 0b00]  # a user's step is no barrier


def ordered(between):
    """Return what happens before each of three steps that touch nothing; the second is given."""
    actors = ["alice", between, "bob"]
    steps = [step(actor, 0, "start", at, NOTHING) for at, actor in enumerate(actors)]
    dependence = Dependence()
    events, _ = events_of(steps, actors, dependence)
    order(events, 0, dependence)
    return [event.before for event in events]


def test_steps_outside_of_the_race_are_none():
    steps = [step("body", 0, "warm", None), step("alice", 0, "put", 0)]
    events, _ = events_of(steps, ["alice"], Dependence())
    assert told(events) == [("alice", 0, "put", ())]


def test_what_is_known_already_is_the_same_event_with_its_orders():
    dependence = Dependence()
    first = [step("alice", 0, "put", 0), step("bob", 0, "get", 1)]
    known, _ = events_of(first, ["alice", "bob"], dependence)
    order(known, 0, dependence)
    assert orders_of(known) == [(("alice", 0, "put"), ("bob", 0, "get"))]
    again = [step("alice", 0, "put", 0), step("carol", 0, "put", 1), step("bob", 0, "get", 2)]
    events, _ = events_of(again, ["alice", "carol", "bob"], dependence, known[:1])
    order(events, 1, dependence)
    assert events[0] is known[0]
    assert orders_of(events) == [
        (("alice", 0, "put"), ("carol", 0, "put")),
        (("alice", 0, "put"), ("bob", 0, "get")),
        (("carol", 0, "put"), ("bob", 0, "get")),
    ]


def test_interleavings_are_the_same_if_only_independent_steps_change_places():
    def key(*names):
        dependence = Dependence()
        footprints = {"alice": WRITES, "bob": WRITES, "carol": NOTHING}
        steps = [step(one, 0, "move", at, footprints[one]) for at, one in enumerate(names)]
        events, _ = events_of(steps, names, dependence)
        order(events, 0, dependence)
        return trace_key(events)

    assert (
        key("alice", "carol", "bob") == key("carol", "alice", "bob") == key("alice", "bob", "carol")
    )
    assert key("alice", "bob", "carol") != key("bob", "alice", "carol")


def test_equal_footprints_have_one_number_however_many_there_are():
    dependence = Dependence()
    footprints = [Footprint(frozenset({str(at % 7)}), frozenset()) for at in range(3_000)]
    assert [dependence.number(one) for one in footprints] == [at % 7 for at in range(3_000)]
