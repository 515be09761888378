"""Random flows of three users, searched in every way that divides a search, and with kills.

``python -m tests.plugin.divided_flows --way dask --count 300 --seed 0`` writes a project with an
explored test for each flow, runs it in one process and then in that way, and prints each row that
differs: verdict, counts, scope, smallest witness, token and fingerprint must be equal. ``--way
kills`` kills every run of a flow at a random moment until one has come to its end, going on from
what a store has kept; there ``--count`` is the number of kills.
"""

import argparse
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from pytest_supercache.cli import main as supercache
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from tests.clusters import dask_cluster, until
from tests.plugin.forks import Parents
from tests.plugin.projects import SHOP

Row = dict[str, Any]
Rows = dict[str, Row]

DIVIDED = """
import os
from pathlib import Path
from pytest_supercache.checking import divided, workers
from pytest_supercache.core.real_clock import real_sleep
from pytest_supercache.plugin import cluster

if "PYTEST_XDIST_WORKER" not in os.environ:  # this process begins each search, and divides it soon
    divided.DIVIDED_AFTER = cluster.BEGIN_SECONDS = 0.0
    divided.PART_SECONDS = 0.1
    take_in, is_over = divided._Division._take_in, workers.Beginning.is_over

    def waited_for(self):
        while not is_over(self) and not all(begun.done() for begun in self._begun):
            real_sleep(0.01)
        return is_over(self)

    workers.Beginning.is_over = waited_for

    def noted(self, future):
        take_in(self, future)
        with open("parts.log", "a") as parts:
            parts.write("part ")

    divided._Division._take_in = noted
"""
"""A conftest that has every search divided, and counts the parts that have come back."""

USERS = '''
import os
from pathlib import Path
from conftest import Shop

if "PYTEST_XDIST_WORKER" not in os.environ:  # this is the run, and its search comes next
    Path(f"{os.getpid()}.pid").touch()

class Users:
    """What three users do to a shop, to counters and locks beside it, and to a near cache."""

    def __init__(self, world):
        self.redis, self.db = world.existing_cache.client(), world.origin
        self.shop = Shop(self.redis, self.db)
        self.near = {}

    def do(self, name, steps):
        for verb, key, value in steps:
            getattr(self, verb)(name, key, value)

    def read(self, name, key, value):
        self.shop.get(key)

    def write(self, name, key, value):
        self.shop.set(key, value)

    def drop(self, name, key, value):
        self.shop.delete(key)

    def carry(self, name, key, value):
        other = "q" if key == "p" else "p"
        self.db.set(other, (self.shop.get(key) or 0) + value)

    def count(self, name, key, value):
        self.redis.incrby(key, value)

    def claim(self, name, key, value):
        if self.redis.set(f"claim:{key}", name, nx=True):
            self.db.set(key, value)

    def keep(self, name, key, value):
        self.near[key] = self.db.get(key)

    def look(self, name, key, value):
        if key not in self.near:
            self.shop.get(key)

def play(world, flow):
    world.origin.restore({"p": 0, "q": 0})
    users = Users(world)
    for name, steps in flow["users"].items():
        world.actor(name, users.do, name, steps)
    world.run()
    cached = world.existing_cache.peek(flow["key"])
    if flow["never"] is None:
        assert cached is None or cached == str(world.origin.peek(flow["key"]))
    else:
        assert [cached, world.origin.peek(flow["key"])] != flow["never"]
'''

TEST = """
@explore(search="exhaustive", guarantees=[], executions=20_000)
def test_{number}(world):
    play(world, {flow!r})
"""

VERBS = ("read", "read", "write", "write", "drop", "carry", "count", "claim", "keep", "look")
SHORTER = (2, 1, 1), (1, 2, 1), (1, 1, 1), (2, 2, 1)
LONGER = (2, 2, 1), (2, 1, 2)
"""How much each of the users does."""

SAID = "executions are those of earlier runs of the same code, kept by --supercache-store"
"""The note of a row of which a part was kept."""

_FLOWS_OF_A_RUN = 10
"""How many flows a project has."""


def drawn(seed: int, number: int, *, are_longer: bool) -> dict[str, Any]:
    """Draw a flow: what its users do, and an end that must not be."""
    draw = Random(f"flow {seed} {number}")
    lengths = draw.choice(LONGER if are_longer else SHORTER)
    users = {
        name: [(draw.choice(VERBS), draw.choice("ppq"), draw.randint(1, 9)) for _ in range(length)]
        for name, length in zip(("alice", "bob", "carol"), lengths, strict=True)
    }
    values = [value for steps in users.values() for _, _, value in steps]
    ends = [None, "0", *map(str, values)]
    never = [draw.choice(ends), draw.choice([None, 0, *values])]
    is_coherent = draw.random() < 0.2
    return {"users": users, "key": draw.choice("pq"), "never": None if is_coherent else never}


def write_project(path: Path, flows: dict[int, dict[str, Any]]) -> None:
    """Write a project with a test for each flow."""
    path.mkdir(exist_ok=True)
    (path / "numbers").write_text(json.dumps(list(flows)))
    (path / "pytest.ini").write_text(
        "[pytest]\nsupercache_step_timeout = 60\nsupercache_odds = 0\n"
    )
    (path / "conftest.py").write_text(SHOP + DIVIDED)
    (path / "users.py").write_text(USERS)
    tests = [TEST.format(number=number, flow=flow) for number, flow in flows.items()]
    head = "from pytest_supercache import explore\nfrom users import play\n"
    (path / "test_flows.py").write_text(head + "".join(tests))


def as_of_one_run(found: Row) -> Row:
    """Return a row without the time it took, and without what tells of earlier or other runs."""
    without = {"seconds", "cost", "line_of_text"}
    row = {name: value for name, value in found.items() if name not in without}
    row["notes"] = [note for note in row["notes"] if SAID not in note]
    row["scope"] = {name: value for name, value in row["scope"].items() if name != "executed"}
    return row


@dataclass
class Searched:
    """The rows of a project, and what it took: parts that came back, kills, runs that went on."""

    rows: Rows
    parts: int = 0
    kills: int = 0
    gone_on: int = 0


class Projects:
    """Runs projects, each run in a process of its own."""

    def __init__(self, parents: Parents, output: Path) -> None:
        self._parents = parents
        self._output = output

    def status(self, path: Path, *options: str) -> int:
        """Run a project to its end; return pytest's exit status."""
        with self._begun(path, *options) as wait:
            return wait()

    @contextmanager
    def _begun(self, path: Path, *options: str) -> Iterator[Callable[[], int]]:
        without = ("-p", "no:cacheprovider", "-p", "no:django")
        command = (sys.executable, "-mpytest", *without, *options)
        with chdir(path), self._output.open("w") as output:
            yield self._parents.start(command, stdout=output, stderr=output).wait

    def rows(self, path: Path, *options: str) -> Rows:
        """Run a project to its end; return its rows, by the names of their items."""
        status = self.status(path, *options)
        assert status in {0, 1}, self._output.read_text()
        return rows_of(path)

    def killed(self, path: Path, seconds: float, *options: str) -> bool:
        """Kill a run, by SIGKILL, some time after its tests were imported; say whether it was."""
        for file in path.glob("*.pid"):
            file.unlink()
        with self._begun(path, *options) as wait:
            until(lambda: list(path.glob("*.pid")))
            (file,) = path.glob("*.pid")
            with suppress(ProcessLookupError):
                process = os.pidfd_open(int(file.stem))
                real_sleep(seconds)
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                os.close(process)
            return wait() == -signal.SIGKILL


def rows_of(path: Path) -> Rows:
    """Return what verdict.json of a project says of each item, by its name."""
    document = json.loads((path / "reports" / "verdict.json").read_text())
    return {row["id"]: as_of_one_run(row) for row in document["scenarios"]}


def with_options(*options: str) -> Callable[[Projects, Path, Random], Searched]:
    """Return the way to search a project in one run with these options."""
    return lambda projects, path, _: Searched(projects.rows(path, *options))


def on_dask(projects: Projects, path: Path, _: Random) -> Searched:
    """Search a project on two workers of Dask."""
    with TemporaryDirectory() as folder, dask_cluster(Path(folder)) as dask:
        return Searched(projects.rows(path, f"--supercache-cluster={dask.address}"))


def in_shards(projects: Projects, path: Path, _: Random) -> Searched:
    """Search a project in three shards, and merge what they say."""
    files = []
    for index in (1, 2, 3):
        folder = f"shard-{index}"
        options = f"--supercache-shard={index}/3", f"--supercache-report={folder}"
        assert projects.status(path, *options) in {0, 1}
        files.append(f"{folder}/verdict.json")
    with chdir(path):
        merged = CliRunner().invoke(supercache, ["merge", *files], catch_exceptions=False)
    assert merged.exit_code in {0, 1, 3}, merged.output
    return Searched(rows_of(path))


def with_kills(projects: Projects, path: Path, random: Random) -> Searched:
    """Search each flow of a project until a run has come to its end; the others are killed."""
    searched = Searched({})
    numbers = json.loads((path / "numbers").read_text())
    for number in numbers:
        seconds = 1.0
        workers = random.choice([(), ("--supercache-workers=2",)])
        options = (f"test_flows.py::test_{number}", "--supercache-store=kept", *workers)
        while True:
            begun = real_seconds()
            if not projects.killed(path, random.random() * seconds, *options):
                break
            searched.kills += 1
            seconds = max(seconds, (real_seconds() - begun) * 1.3)
        document = json.loads((path / "reports" / "verdict.json").read_text())
        (row,) = document["scenarios"]
        searched.rows[row["id"]] = as_of_one_run(row)
        searched.gone_on += any(SAID in note for note in row["notes"])
        assert not list((path / "kept").glob("*.journal")), "a finished search keeps nothing"
    return searched


WAYS: dict[str, Callable[[Projects, Path, Random], Searched]] = {
    "workers-2": with_options("--supercache-workers=2"),
    "workers-4": with_options("--supercache-workers=4"),
    "dask": on_dask,
    "shards": in_shards,
    "kills": with_kills,
}


def searched(
    projects: Projects, path: Path, way: str, flows: dict[int, dict[str, Any]]
) -> tuple[Rows, Searched]:
    """Search these flows in one process, and in a way."""
    write_project(path, flows)
    alone = projects.rows(path)
    (path / "parts.log").unlink(missing_ok=True)
    found = WAYS[way](projects, path, Random(f"{way} {list(flows)}"))
    with suppress(FileNotFoundError):
        found.parts = (path / "parts.log").read_text().count("part")
    return alone, found


def differences(alone: Rows, found: Rows) -> Iterator[str]:
    """Say of each row that is not that of one process what is other."""
    for name in sorted(alone.keys() | found.keys()):
        one, other = alone.get(name, {}), found.get(name, {})
        if one != other:
            parts = {part: (one.get(part), other.get(part)) for part in sorted(one.keys() | other)}
            told = (f"{part}: {a} {b}" for part, (a, b) in parts.items() if a != b)
            yield f"{name}: {'; '.join(told)}"


@dataclass
class Total:
    """What came of all flows so far."""

    flows: int = 0
    interleavings: int = 0
    parts: int = 0
    kills: int = 0
    gone_on: int = 0
    differ: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, alone: Rows, found: Searched) -> None:
        """Count the flows of a project."""
        self.flows += len(alone)
        self.interleavings += sum(row["interleavings"] or 0 for row in alone.values())
        self.parts += found.parts
        self.kills += found.kills
        self.gone_on += found.gone_on
        self.verdicts.update(row["verdict"] for row in alone.values())

    def __str__(self) -> str:
        verdicts = ", ".join(f"{number} {name}" for name, number in sorted(self.verdicts.items()))
        return (
            f"{self.flows} flows ({verdicts}), {self.interleavings} interleavings, {self.parts} "
            f"parts, {self.kills} kills, {self.gone_on} went on; {self.differ} differ"
        )


def search_many(way: str, seed: int, count: int) -> int:
    """Search flows in a way; print what differs, and after each run the total.

    Returns:
        The number of rows that differ.
    """
    has_kills = way == "kills"  # most of them shall come while a search is divided
    total = Total()
    with TemporaryDirectory(prefix="flows-") as folder:
        parents = Parents()
        projects = Projects(parents, Path(folder) / "output")
        try:
            while (total.kills if has_kills else total.flows) < count:
                numbers = range(total.flows, total.flows + _FLOWS_OF_A_RUN)
                flows = {one: drawn(seed, one, are_longer=has_kills) for one in numbers}
                path = Path(folder) / str(total.flows)
                alone, found = searched(projects, path, way, flows)
                total.add(alone, found)
                for difference in differences(alone, found.rows):
                    total.differ += 1
                    sys.stdout.write(f"seed {seed}, {difference}\n")
                sys.stdout.write(f"{way}: {total}\n")
                sys.stdout.flush()
                shutil.rmtree(path)
        finally:
            parents.close()
    return total.differ


def main() -> int:
    """Search as many flows as the command line says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    given = parser.parse_args()
    return int(bool(search_many(given.way, given.seed, given.count)))


if __name__ == "__main__":
    sys.exit(main())
