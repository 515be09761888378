"""Programs whose number of interleavings is known, as bodies for ``check``.

Each is written with ``world.step`` and runs on real threads. Sources: Abdulla et al. (POPL 2014,
JACM 2017), the test suites of Concuerror and Nidhugg; formulas as printed there.
"""

import threading
from collections.abc import Callable
from typing import Any

from pytest_supercache.world.world import World

Body = Callable[[World], None]
Memory = dict[str, Any]
Flow = Callable[["Cells"], Any]


class Cells:
    """Shared variables; every access is a step of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._memory: Memory = {}

    def read(self, name: str) -> Any:
        self._world.step(f"read {name}", reads=name, writes=())
        return self._memory.get(name, 0)

    def write(self, name: str, value: Any = 1) -> None:
        self._world.step(f"write {name}", reads=(), writes=name)
        self._memory[name] = value

    def claim(self, name: str, value: Any) -> bool:
        """Write unless somebody has: one step that reads and writes."""
        self._world.step(f"claim {name}", reads=name, writes=name)
        if self._memory.get(name):
            return False
        self._memory[name] = value
        return True


def flows(**each: Flow) -> Body:
    """Make a body that runs these flows on fresh cells."""

    def body(world: World) -> None:
        cells = Cells(world)
        for name, flow in each.items():
            world.actor(name, flow, cells)
        world.run()

    return body


def writes(*names: str) -> Flow:
    return lambda cells: [cells.write(name) for name in names]


def reads(*names: str) -> Flow:
    return lambda cells: [cells.read(name) for name in names]


def writers(n: int, k: int) -> Body:
    return flows(**{f"w{i}": writes(*["x"] * k) for i in range(n)})


def readers(n: int) -> Body:
    return flows(w=writes("x"), **{f"r{i}": reads("x") for i in range(n)})


def writers_and_reader(n: int) -> Body:
    return flows(r=reads("x"), **{f"w{i}": writes("x") for i in range(n)})


def hairbrush(w: int, r: int, m: int) -> Body:
    return flows(w=writes(*["x"] * w), **{f"r{i}": reads(*["x"] * r) for i in range(m)})


def lastzero(n: int) -> Body:
    def reader(cells: Cells) -> None:
        at = n
        while cells.read(f"a{at}"):
            at -= 1

    def writer(j: int) -> Flow:
        return lambda cells: cells.write(f"a{j}", cells.read(f"a{j - 1}") + 1)

    return flows(r=reader, **{f"w{j}": writer(j) for j in range(1, n + 1)})


def indexer(n: int, size: int = 128, most: int = 4) -> Body:
    def thread(t: int) -> Flow:
        def flow(cells: Cells) -> None:
            for m in range(1, most + 1):
                slot = ((m * 11 + t) * 7) % size
                while not cells.claim(f"t{slot}", m * 11 + t):
                    slot = (slot + 1) % size

        return flow

    return flows(**{f"t{t}": thread(t) for t in range(n)})


def filesystem(n: int, blocks: int = 26, inodes: int = 32) -> Body:
    def thread(t: int) -> Flow:
        def flow(cells: Cells) -> None:
            block = (t % inodes) * 2 % blocks
            while not cells.claim(f"busy{block}", 1):
                block = (block + 1) % blocks

        return flow

    return flows(**{f"t{t}": thread(t) for t in range(1, n + 1)})


def mutex(n: int) -> Body:
    def body(world: World) -> None:
        lock = threading.Lock()

        def flow() -> None:
            with lock:
                pass

        for i in range(n):
            world.actor(f"a{i}", flow)
        world.run()

    return body


def opposite_locks() -> Body:
    def body(world: World) -> None:
        one, two = threading.Lock(), threading.Lock()

        def flow(first: Any, second: Any) -> None:
            with first, second:
                pass

        world.actor("a", flow, one, two)
        world.actor("b", flow, two, one)
        world.run()

    return body


def independent(n: int) -> Body:
    return flows(**{f"p{i}": writes(f"k{i}") for i in range(n)})


def _checks(*wanted: tuple[str, int]) -> Callable[[Cells], bool]:
    """Read cells in turn and stop at the first with another value."""
    return lambda cells: all(cells.read(name) == value for name, value in wanted)


def popl_example() -> Body:
    def r(cells: Cells) -> None:
        if not cells.read("y"):
            cells.write("z")

    def s(cells: Cells) -> None:
        if cells.read("z") and not cells.read("y"):
            cells.write("x")

    return flows(p=writes("x"), q=writes("y"), r=r, s=s)


def manywrite() -> Body:
    return flows(**{f"p{i}": writes(f"c{i}", name) for i, name in enumerate("wxyxyzzw")})


def depend(variant: int) -> Body:
    def u(cells: Cells) -> None:
        if _checks(("x", 1), ("y", 1))(cells):
            cells.read("z")

    def v(cells: Cells) -> None:
        if _checks(("y", 1))(cells):
            cells.read("z")

    def again(cells: Cells) -> None:
        cells.write("x", 2)

    more: dict[str, Flow] = {"x2": again} if variant == 4 else {}
    return flows(z=writes("z"), x=writes("x"), y=writes("y"), u=u, v=v, **more)


def two_writers_readers() -> Body:
    return flows(w=writes("x", "x"), r1=reads("y", "x"), r2=reads("y", "x"))


def redundant_co(n: int) -> Body:
    return flows(a=writes(*["x"] * n), b=writes(*["x"] * n), c=reads("x", "x"))


def sleeping_races() -> Body:
    def d(cells: Cells) -> None:
        cells.write("c4")
        cells.read("y")
        cells.write("c4")
        cells.write("z")

    def e(cells: Cells) -> None:
        for name in "yzx":
            cells.write("c5")
            if cells.read(name) != 1:
                return
        cells.write("c5")
        cells.read("w")

    return flows(a=writes("c1", "w"), b=writes("c2", "x"), c=writes("c3", "y"), d=d, e=e)
