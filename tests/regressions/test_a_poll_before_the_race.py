"""A thread that found nothing before the race begins in it with asking again."""

import queue
import threading
import time

import pytest

from pytest_supercache import Verdict, check


class Box:
    """A worker takes from a queue, and has looked into it in vain before anybody puts."""

    def __init__(self, world):
        self.queue, self.got = queue.Queue(), []
        self.client = world.existing_cache.client(decode_responses=True)
        threading.Thread(target=self.work, daemon=True).start()
        time.sleep(0.01)  # noqa: TID251 - virtual: meanwhile the thread looks

    def work(self):
        while len(self.got) < 2:
            try:
                item = self.queue.get_nowait()
            except queue.Empty:
                continue
            self.client.append("k", item)
            self.got.append(item)


def checked(search, *, forbidden):
    ends = []

    def body(world):
        box = Box(world)
        for user in "ab":
            world.actor(user, box.queue.put, user)
        world.run()
        ends.append(world.existing_cache.peek("k"))
        assert ends[-1] != forbidden

    return check(body, search=search, stop_at_first=False), set(ends)


@pytest.mark.parametrize("forbidden", ["ba", "aa"])
def test_the_exhaustive_search_finds_what_all_schedules_find(forbidden):
    exact, every_end = checked("all-schedules", forbidden=forbidden)
    reduced, ends = checked("exhaustive", forbidden=forbidden)
    assert every_end == ends == {"ab", "ba"}
    assert reduced.verdict is exact.verdict
    assert (exact.verdict is Verdict.VIOLATED) == (forbidden in every_end)
    assert (exact.executions, reduced.executions) == (14, 12)
    failing = 0 if reduced.share is None else reduced.share.failing_schedules
    assert failing == exact.violating


def who_took(search):
    """A job comes after the worker has looked in vain, and before the race; a user may take it."""
    ends = []

    def body(world):
        jobs = queue.Queue()
        client = world.existing_cache.client(decode_responses=True)

        def take(who, *, goes_on):
            while True:
                try:
                    jobs.get_nowait()
                except queue.Empty:
                    if goes_on:
                        continue
                    return
                client.set("taken by", who)
                return

        threading.Thread(
            target=take, args=("worker",), kwargs={"goes_on": True}, daemon=True
        ).start()
        time.sleep(1)  # noqa: TID251 - virtual: meanwhile the thread looks
        jobs.put("job")
        world.actor("user", lambda: take("user", goes_on=False))
        world.run()
        ends.append(world.existing_cache.peek("taken by"))

    result = check(body, search=search, ticks=0, guarantees=())
    assert result.verdict is Verdict.HOLDS, result.reasons
    return result, set(ends)


def test_news_of_before_the_race_let_it_go_on_first():
    every, ends = who_took("all-schedules")
    reduced, found = who_took("exhaustive")
    assert ends == found == {"user", "worker"}
    assert reduced.executions < every.executions
    assert not reduced.notes, "the reduction is relied on"
