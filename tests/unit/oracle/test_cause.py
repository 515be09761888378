"""What forces a violation: the fewest orders, whether they explain all, the nearest that passes."""

import random
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_supercache.core.schedule import Schedule
from pytest_supercache.oracle.cause import (
    PAIRS_MAX,
    TRIED_MAX,
    Evidence,
    find_causes,
    nearest,
    tried,
)
from pytest_supercache.oracle.explain import cause_sentences


def step(actor, number=0):
    return (actor, number, f"{actor}{number}")


A, B, C, D = (step(name) for name in "abcd")


def evidence(*interleavings):
    """Each interleaving is its orders and whether it fails."""
    made = Evidence()
    for orders, fails in interleavings:
        made.add(orders, fails=fails)
    return made


def every_order(*pairs, fails):
    """All ways to turn the pairs, judged by ``fails``, which is given the ones in order."""
    runs = []
    for turned in product((False, True), repeat=len(pairs)):
        orders = [p[::-1] if t else p for p, t in zip(pairs, turned, strict=True)]
        runs.append((orders, fails({p for p in orders if p in pairs})))
    return evidence(*runs)


def test_what_became_of_other_orders_is_told_by_sets_of_interleavings():
    known = evidence(([(A, B), (C, D)], True), ([(B, A), (C, D)], False), ([(A, B)], True))
    found = tried(known, [(A, B), (C, D)], exhausted=True)
    assert (found.interleavings, found.failing, found.are_all) == (3, 0b101, True)
    assert found.orders == (((A, B), 0b101, 0b010), ((C, D), 0b011, 0b000))
    assert not tried(known, [(A, B)], exhausted=False).are_all


def test_many_interleavings_are_cut_and_many_orders_are_not_told():
    known = evidence(*[([(A, B)], at == TRIED_MAX) for at in range(TRIED_MAX + 1)])
    found = tried(known, [(A, B)], exhausted=True)
    assert (found.interleavings, found.failing, found.are_all) == (TRIED_MAX, 0, False)
    assert tried(known, [(A, B)] * (PAIRS_MAX + 1), exhausted=True) is None


def test_one_order_that_decides_is_the_cause():
    found = find_causes(every_order((A, B), (C, D), fails=lambda kept: (A, B) in kept),
                        [(A, B), (C, D)])  # fmt: skip
    assert [cause.pairs for cause in found.sets] == [((A, B),)]
    assert found.is_complete
    assert found.passing == ((B, A),)


def test_two_orders_that_decide_together_are_one_cause():
    found = find_causes(every_order((A, B), (C, D), fails=lambda kept: len(kept) == 2),
                        [(A, B), (C, D)])  # fmt: skip
    assert [cause.pairs for cause in found.sets] == [((A, B), (C, D))]
    assert found.sets[0].is_fewest


def test_either_of_two_orders_is_two_causes():
    found = find_causes(every_order((A, B), (C, D), fails=bool), [(A, B), (C, D)])
    assert {cause.pairs for cause in found.sets} == {((A, B),), ((C, D),)}
    assert found.is_complete


def test_a_failure_in_every_order_needs_no_order():
    found = find_causes(every_order((A, B), fails=lambda _: True), [(A, B)])
    assert [cause.pairs for cause in found.sets] == [()]
    assert found.passing == ()


def test_a_failure_that_no_order_tells_from_a_pass_has_no_cause():
    found = find_causes(evidence(([(A, B)], True), ([(A, B)], False)), [(A, B)])
    assert found.sets == ()
    assert not found.is_complete


def test_more_orders_than_can_be_combined_are_thinned_out_and_called_sufficient():
    pairs = [(step("a", n), step("b", n)) for n in range(80)]
    runs = [(pairs, True)]
    runs += [([*pairs[:n], pairs[n][::-1], *pairs[n + 1 :]], n > 1) for n in range(80)]
    found = find_causes(evidence(*runs), pairs)
    assert found.sets[0].pairs == (pairs[0], pairs[1])
    assert not found.sets[0].is_fewest


def test_a_step_that_never_comes_is_held_back_for_good():
    write, crash, flush = step("writer"), step("crash"), step("flush")
    runs = [
        ([(write, flush), (flush, crash), (write, crash)], False),
        ([(crash, write), (crash, flush), (write, flush)], False),
        ([(write, crash)], True),  # the flush never comes
    ]
    found = find_causes(evidence(*runs), [(write, crash)])
    (cause,) = found.sets
    assert (cause.pairs, cause.never) == (((write, crash), (crash, flush)), {flush})
    assert found.is_complete
    assert cause_sentences(found, [], executed=3, exhausted=True)[:1] == [
        "fails exactly when writer's writer0 comes before crash's crash0, and crash's crash0 comes "
        "before flush's flush0, which then never comes"
    ]
    never_made = [run for run in runs if run[0][0][0] != crash]
    assert find_causes(evidence(*never_made), [(write, crash)]).sets == ()


def test_an_order_is_kept_where_a_step_of_it_never_comes():
    runs = [([(A, B), (C, D)], True), ([(C, D)], False), ([(A, B), (D, C)], False)]
    found = find_causes(evidence(*runs), [(A, B), (C, D)])
    assert found.sets == ()  # A before B is kept by the second one as well


PAIRS = [(step("a", n), step("b", n)) for n in range(4)]


@given(st.sets(st.tuples(*[st.booleans()] * 4), min_size=1))
@settings(derandomize=True, max_examples=150)
def test_a_cause_forces_and_no_smaller_set_of_the_witness_does(failing):
    runs = []
    for turned in product((False, True), repeat=4):
        orders = [p[::-1] if t else p for p, t in zip(PAIRS, turned, strict=True)]
        runs.append((orders, turned in failing))
    witness = next(orders for orders, fails in runs if fails)
    first = find_causes(evidence(*runs), witness).sets[0].pairs

    def forces(chosen):
        return all(fails for orders, fails in runs if set(chosen) <= set(orders))

    assert forces(first)
    subsets = [[p for p, keep in zip(witness, mask, strict=True) if keep]
               for mask in product((False, True), repeat=4)]  # fmt: skip
    assert min(len(chosen) for chosen in subsets if forces(chosen)) == len(first)


def nearest_by_definition(evidence, witness):
    """Look at one passing interleaving after the other; the first of the nearest is taken."""
    best = None
    for at in range(evidence.size):
        bit = 1 << at
        if evidence.failing & bit:
            continue
        has = {pair for pair, mask in evidence.orders.items() if mask & bit}
        turned = [(b, a) for a, b in witness if (a, b) not in has and (b, a) in has]
        missing = sum((a, b) not in has and (b, a) not in has for a, b in witness)
        size = (len(turned) + missing, missing)
        if turned and (best is None or size < best[0]):
            best = size, tuple(turned), evidence.schedules[at]
    return best[1:] if best else ((), None)


def test_the_nearest_passing_interleaving_is_that_of_the_definition():
    chance = random.Random(5)
    steps = [("a", 0, ""), ("b", 0, ""), ("c", 0, ""), ("d", 0, "")]
    answers = set()
    for _ in range(300):
        evidence = Evidence()
        for at in range(chance.randint(0, 12)):
            order = chance.sample(steps, chance.randint(2, 4))
            pairs = [(x, y) for i, x in enumerate(order) for y in order[i + 1 :]]
            schedule = Schedule((str(at),))
            evidence.add(pairs, fails=chance.choice([True, False]), schedule=schedule)
        witness = list(combinations(chance.sample(steps, chance.randint(2, 4)), 2))
        found = nearest(evidence, witness)
        assert found == nearest_by_definition(evidence, witness)
        answers.add(len(found[0]))
    assert answers >= {0, 1, 2}
