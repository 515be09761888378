"""How much sooner a cluster on this machine finishes a large search than one process.

    python -m benchmarks.cluster [--rounds 2] [--workers 2]

Three users look aside through fakeredis at two keys and write them; the search is exhaustive and
HOLDS after 20,872 interleavings. Each round runs pytest without a cluster, then with a scheduler
and workers of Dask on loopback, which are started before the clock is, and then as often at the
same time, without a cluster, as there are workers. The first ratio is that of the seconds of the
search, the second that of the whole command, and the last one what the machine allows: how much
sooner it makes that many searches at once than one after the other. Two of its cores may be one
that runs two threads, or its host may be busy. It should have nothing else to do.
"""

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.clusters import dask_cluster
from tests.plugin.projects import SHOP

SCENARIO = """
from conftest import Shop
from pytest_supercache import explore

def flow(user, first, operations):
    for number, operation in enumerate(operations, first):
        key = f"k{number % 2}"
        user.read(key) if operation == "R" else user.write(key, 10 * (first + 1) + number)

@explore(search="exhaustive", executions=1_000_000, time=600, memory="declared")
def test_large(world):
    shop = Shop(world.existing_cache.client(decode_responses=True), world.origin)
    world.origin.restore({"k0": 0, "k1": 0})
    for first, operations in enumerate(["RWR", "RWR", "RWRR"]):
        name = f"user{first}"
        world.actor(name, flow, world.user(name, shop), first, operations)
    world.run()
    world.settle()
"""


class Measured(NamedTuple):
    """One run of pytest: its seconds, and what verdict.json says about the search."""

    whole: float
    search: float
    verdict: str
    interleavings: int
    executions: int

    def __str__(self) -> str:
        """Return everything but the seconds of the whole command."""
        counts = f"{self.interleavings:,} interleavings, {self.executions:,} executions"
        return f"{self.verdict}, {counts}, {self.search:.1f} s"


def measured(folder: Path, *options: str, number: int = 0) -> Measured:
    """Run pytest in a folder with the scenario; its reports have a number."""
    reports = folder / f"reports{number}"
    command = [sys.executable, "-m", "pytest", "-q", f"--supercache-report={reports}", *options]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "-p", "supercache"], cwd=folder, check=False, capture_output=True, text=True
    )
    whole = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    written = json.loads((reports / "verdict.json").read_text(encoding="utf-8"))
    row: dict[str, Any] = written["scenarios"][0]
    counted = (row["verdict"], row["interleavings"], row["executions"])
    return Measured(whole, row["seconds"], *counted)


def main() -> None:
    """Run the rounds and print them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    for _ in range(given.rounds):
        with TemporaryDirectory() as name:
            folder = Path(name) / "project"
            folder.mkdir()
            (folder / "conftest.py").write_text(SHOP, encoding="utf-8")
            (folder / "test_large.py").write_text(SCENARIO, encoding="utf-8")
            alone = measured(folder)
            with dask_cluster(Path(name), given.workers) as dask:
                together = measured(folder, f"--supercache-cluster={dask.address}")
            with ThreadPoolExecutor(given.workers) as pool:
                runs = [
                    pool.submit(measured, folder, number=number) for number in range(given.workers)
                ]
                at_once = [run.result() for run in runs]
        print(f"one process: {alone}")
        print(f"a cluster of {given.workers} workers: {together}")
        search, whole = alone.search / together.search, alone.whole / together.whole
        more = together.executions / alone.executions
        allowed = given.workers * alone.search / max(run.search for run in at_once)
        print(f"{search:.2f} times as fast ({whole:.2f} with the start of pytest), ", end="")
        print(f"{more:.2f} times the executions; {allowed:.2f} times is what the machine allows")


if __name__ == "__main__":
    main()
