"""Every execution begins with the same randomness, however the last one has used it."""

import random

import pytest

from pytest_supercache.runtime.process import seeded as module
from pytest_supercache.runtime.process.seeded import seeded


def draw_nothing():
    pass


def draw_once():
    random.getrandbits(32)


def draw_as_many_words_as_the_state_has():
    for _ in range(624):
        random.getrandbits(32)


def draw_half_of_a_pair():
    random.gauss()


def seed_otherwise():
    random.seed(8)


def set_an_earlier_state():
    state = random.getstate()
    random.getrandbits(32)
    random.setstate(state)
    random.shuffle(list(range(1000)))


USES = [
    draw_nothing,
    draw_once,
    draw_as_many_words_as_the_state_has,
    draw_half_of_a_pair,
    seed_otherwise,
    set_an_earlier_state,
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("is_looked_at", [True, False])
def test_the_state_is_the_same_again_after_every_use(use, is_looked_at, monkeypatch):
    if not is_looked_at:
        monkeypatch.setattr(module, "_glance", lambda: None)
    with seeded() as seeding:
        seeding.start(7)
        first = random.getstate()
        for _ in range(3):
            use()
            seeding.start(7)
            assert random.getstate() == first


def test_another_seed_is_another_state():
    with seeded() as seeding:
        seeding.start(7)
        seven = random.getstate()
        seeding.start(8)
        assert random.getstate() != seven


def test_the_state_of_before_comes_back():
    before = random.getstate()
    with seeded() as seeding:
        seeding.start(7)
        random.getrandbits(32)
    assert random.getstate() == before


def test_nobody_draws_and_nothing_is_set(monkeypatch):
    seeds = []
    real = random.seed
    monkeypatch.setattr(random, "seed", lambda number: (seeds.append(number), real(number)))
    with seeded() as seeding:
        for _ in range(3):
            seeding.start(7)
        random.getrandbits(32)
        seeding.start(7)
    assert seeds == ([7, 7] if module._glance() else [7] * 4)
