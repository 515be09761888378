"""A layer has one name in all that people read, and a name of code stays what it is."""

import pytest

from pytest_supercache.core.places import place_in_words, place_title


@pytest.mark.parametrize(
    ("place", "said", "title"),
    [
        ("origin", "the origin", "origin"),
        ("existing_cache", "the existing cache", "existing cache"),
        ("super_cache@a", "the super cache of node a", "super cache @a"),
        ("near_cache@b", "the near cache of node b", "near cache @b"),
        ("near@b", "the near of node b", "near @b"),
        ("look_ups", "look_ups", "look_ups"),
        ("Shop.near_keys@a", "Shop.near_keys of node a", "Shop.near_keys @a"),
        ("node a", "node a", "node a"),
    ],
)
def test_a_place_is_named_in_a_sentence_and_over_a_column(place, said, title):
    assert (place_in_words(place), place_title(place)) == (said, title)


def test_a_place_that_nobody_knows_is_a_layer():
    assert place_in_words(None) == "a layer"
