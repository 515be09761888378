"""Code that catches what ends it (`except:` in a loop): UNKNOWN by name, and the run ends."""

from tests.plugin.conftest import Project

LOOPS = """
import asyncio
import threading
import pytest_supercache as sc

def forever(wait):
    while True:
        try:
            wait()
        except{what}:
            continue

async def aforever(wait):
    while True:
        try:
            await wait()
        except{what}:
            continue

class Log:
    n = 0

    def count(self):
        self.n += 1

    async def acount(self):
        self.n += 1

def race(world, count):
    world.actor("alice", count)
    world.actor("bob", count)
    return world.run()

@sc.explore
async def test_sleeps(world):
    world.kept = asyncio.create_task(aforever(lambda: asyncio.sleep(1)))
    await race(world, Log().acount)

@sc.explore
async def test_waits(world):
    event = asyncio.Event()
    world.kept = asyncio.create_task(aforever(event.wait))
    await race(world, Log().acount)

@sc.explore
async def test_commands(world):
    redis = world.existing_cache.aclient()
    async def ask():
        await redis.get("k")
        await asyncio.sleep(1)
    world.kept = asyncio.create_task(aforever(ask))
    await race(world, Log().acount)

@sc.explore
def test_locks(world):
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=forever, args=(lock.acquire,), daemon=True).start()
    race(world, Log().count)

def test_this_one_begins_after_the_others():
    pass
"""


def test_code_that_catches_whatever_ends_it_is_unknown_and_the_run_ends(project: Project) -> None:
    """The twin: the same loops that catch exceptions end as they always did."""
    project.test_file(LOOPS.replace("{what}", ""), "test_bare")
    project.test_file(LOOPS.replace("{what}", " Exception"), "test_exceptions")
    shown = project.run_cold(timeout=600)
    shown.assert_outcomes(failed=4, passed=6)
    found = project.verdict()["scenarios"]
    rows = [row for row in found if row["path"] == "test_bare.py"]
    assert len(found) == 2 * len(rows)
    assert {row["verdict"] for row in found if row not in rows} == {"holds"}
    assert {row["verdict"] for row in rows} == {"unknown"}
    reasons = {row["id"].rpartition("test_")[2]: "\n".join(row["reasons"]) for row in rows}
    left = "body/1 did not leave its code when the execution ended"
    again = f"{left}: it catches what ends it and goes on, with an `except:`"
    cancelled = f"{left}, although it was cancelled 3 times: `except:` catches that"
    assert again in reasons["locks"]
    assert again in reasons["commands"]
    assert cancelled in reasons["waits"]
    assert cancelled in reasons["sleeps"]
