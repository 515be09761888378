"""What is told of a conflict happened: on systems that nobody has chosen, and told wrongly."""

from dataclasses import replace

import pytest

from pytest_supercache import ISOLATED_USERS, check
from tests.borne_out import DEFINITIONS, borne_out, verdict_on
from tests.mutated import Mutation, drawn, explored
from tests.selection import either, few
from tests.stories import HEAD, mistakes

SEEDS = either([1, 5, 7, 8, 15, 20, 16, 9, 10, 17], range(2000))
"""In the short form, systems that are searched fast, most of which have a conflict."""

PARTS = 3


def story_of(found):
    lines = [line for line in found.explanation.splitlines() if line.startswith(HEAD)]
    return lines[0] if lines else None


@pytest.mark.parametrize("part", range(PARTS))
def test_no_sentence_names_what_the_execution_does_not_have_and_no_class_its_steps_contradict(part):
    told = classes = 0
    for seed in SEEDS[part::PARTS]:
        mutation = drawn(seed)
        found = explored(mutation).counterexample
        if found is None:
            continue
        line = story_of(found)
        if line is not None:
            told += 1
            assert mistakes(found.execution, line) == [], (mutation, line)
        classes += found.conflict_class in DEFINITIONS
        assert verdict_on(found)[1] != "contradict it", (mutation, line)
    assert told > len(SEEDS) // PARTS // 4
    assert classes > len(SEEDS) // PARTS // 5


@pytest.mark.parametrize(
    ("mutation", "slug"),
    few([
        (
            Mutation(("far",), ("set far", "commit", "look far", "del far"), "page", "page",
                     transaction="all", change="add", writers=2),
            "invalidate-before-write",
        ),
        (
            Mutation(("far",), ("clear far", "set far", "commit"), "k", "k", lock="token",
                     transaction="all", compares=True, writers=2),
            "dual-write, unclassified",  # in a smaller order, which is found in time or not
        ),
        (
            Mutation(("near",), ("commit", "set near", "clear near"), "page", "page"),
            "purge-misses-fill",
        ),
        (
            Mutation(("near",), ("commit", "look near", "set near", "look near"), source="far",
                     writers=2),
            "dual-write",
        ),
        (
            Mutation(("near",), ("look near", "commit", "set near", "set near"), source="far",
                     stamp="before", lock="reader"),
            "refresh-overwrite",
        ),
        (
            Mutation(("near", "far"), ("raise generation", "del near", "del far", "commit"),
                     written_name="v2:k", lock="reader", stamp="before", transaction="all",
                     readers=2),
            "unclassified",
        ),
        (
            Mutation(("far",), ("clear far", "raise generation", "commit"), lock="token",
                     stamp="before", looks_again="writer", readers=0, writers=2),
            "invalidate-before-write",
        ),
    ], 6),
)  # fmt: skip
def test_a_mutation_that_was_called_otherwise_has_the_class_that_its_steps_have(mutation, slug):
    found = explored(mutation)
    assert verdict_on(found.counterexample)[0] in slug.split(", ")
    assert verdict_on(found.counterexample)[1] != "contradict it"


@pytest.fixture(scope="module")
def stale_set():
    """A conflict with a story of four sentences."""
    found = explored(Mutation(("far",), ("commit", "del far"))).counterexample
    assert found.conflict_class == "stale-set"
    return found


def test_a_story_that_happened_has_no_mistake(stale_set):
    assert mistakes(stale_set.execution, story_of(stale_set)) == []


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("reader-0 reads", "writer-0 reads"),
        ("reads 1 from the origin", "reads 7 from the origin"),
        ("to the origin; ", "to the super cache of node c; "),
        ("writer-0 writes", "reader-0 writes"),
        ("writer-0", "carol"),
        (" stores 1 ", " stores 9 "),
        ("removes k from", "removes session from"),
        ("reader-0 stores 1", "reader-0 removes it"),
    ],
)
def test_a_story_that_did_not_happen_has_one(stale_set, said, instead):
    line = story_of(stale_set)
    assert said in line, line
    assert mistakes(stale_set.execution, line.replace(said, instead, 1)) != []


def test_a_sentence_on_another_step_is_a_mistake(stale_set):
    line = story_of(stale_set)
    number = line.removeprefix(HEAD).partition(".")[0]
    assert mistakes(stale_set.execution, line.replace(f"{HEAD}{number}.", f"{HEAD}99.")) != []


def test_a_class_whose_steps_are_in_another_order_is_contradicted(stale_set):
    execution = stale_set.execution
    assert borne_out(execution) == ["stale-set"]
    assert borne_out(replace(execution, steps=execution.steps[::-1])) == []


@pytest.mark.parametrize("slug", [slug for slug in DEFINITIONS if slug != "stale-set"])
def test_a_class_that_is_not_that_of_the_steps_is_contradicted(stale_set, slug):
    found = replace(stale_set, conflict_class=slug)
    assert verdict_on(stale_set) == ("stale-set", "bear it out")
    assert verdict_on(found) == (slug, "contradict it")


def reply_of_another(reads):
    """Return the story of two users who are both answered what one of them owns."""

    def body(world):
        world.existing_cache.client().mset({"a": "hers", "b": "his"})
        for user, key, value in (("alice", "a", "hers"), ("bob", "b", "his")):
            world.owns(user, key)
            world.origin.set(key, value)
            world.actor(user, ask, world, key)
        world.run()

    def ask(world, key):
        with world.operation("read", key) as call:
            world.step(f"GET {key}", reads=reads(key))
            call.answer = "hers"

    return story_of(check(body, guarantees=[ISOLATED_USERS]).counterexample)


def test_a_step_that_names_a_key_and_may_touch_all_of_its_layer_is_told_by_the_key():
    line = reply_of_another(lambda key: ("existing_cache:*", f"existing_cache:{key}"))
    told = '1. alice finds a = "hers" in the existing cache; 2. bob finds b = "his" in the existing'
    assert line == f"{HEAD}{told} cache"


def test_a_step_that_names_no_key_is_told_by_its_layer():
    line = reply_of_another(lambda _key: ("existing_cache:*",))
    assert line.startswith(f"{HEAD}1. alice finds nothing in the existing cache; 2. bob")
