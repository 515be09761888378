"""Source lines in reports: the right line, paths without the machine, code that is gone."""

import threading
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_supercache.core.trace import SourceLine, Step
from pytest_supercache.report.sources import CODE_MAX, Sources, path_shown
from tests.searched import violation_of

HERE = Path(__file__)
LIBRARY = "/env/lib/python3.13/site-packages"
FAR = """\
    class Far:
        def __init__(self, client):
            self.client = client
        def get(self, key):
            return self.client.get(key)
        def set(self, key, value):
            self.client.set(key, value)
"""


class Counter:
    """Counts in a dict, without a lock."""

    def __init__(self) -> None:
        self.seen = {"all": 0}

    def add(self) -> None:
        found = self.seen["all"]  # thread reads
        self.seen["all"] = found + 1  # thread writes

    def meet(self, first: Any, second: Any) -> None:
        with first, second:  # waits
            pass

    async def add_later(self, client: Any) -> None:
        found = int(await client.get("all") or 0)  # task reads
        await client.set("all", found + 1)  # task writes


def of_threads(world: Any) -> None:
    counter = Counter()
    world.actor("alice", counter.add)
    world.actor("bob", counter.add)
    world.run()
    assert counter.seen["all"] == 2


async def of_tasks(world: Any) -> None:
    counter, client = Counter(), world.existing_cache.aclient()
    world.actor("alice", counter.add_later, client)
    world.actor("bob", counter.add_later, client)
    await world.run()
    assert int(await client.get("all")) == 2


def of_locks(world: Any) -> None:
    one, two = threading.Lock(), threading.Lock()
    world.actor("alice", Counter().meet, one, two)
    world.actor("bob", Counter().meet, two, one)
    world.run()


def code_of(source: SourceLine) -> str:
    return HERE.read_text().splitlines()[source.line - 1]


def steps_of(body: Any) -> list[Step]:
    found = violation_of(body).counterexample
    assert found is not None
    return [step for step in found.execution.race if step.sources]


@pytest.mark.parametrize(("body", "who"), [(of_threads, "thread"), (of_tasks, "task")])
def test_each_step_knows_the_line_that_takes_it(body: Any, who: str) -> None:
    steps = steps_of(body)
    lines = [code_of(step.sources[0]).partition("# ")[2] for step in steps]
    assert sorted(lines) == [f"{who} reads"] * 2 + [f"{who} writes"] * 2
    assert {step.sources[0].file for step in steps} == {str(HERE)}
    assert {step.sources[0].function for step in steps} <= {"Counter.add", "Counter.add_later"}


def test_who_waits_for_ever_knows_the_line_where() -> None:
    found = violation_of(of_locks).counterexample
    assert found is not None
    lines = [code_of(pending.sources[0]) for pending in found.execution.blocked]
    assert [line.strip() for line in lines] == ["with first, second:  # waits"] * 2


def test_a_line_of_a_library_comes_with_the_line_of_the_project_that_leads_there(
    tmp_path: Path,
) -> None:
    library = tmp_path / "site-packages" / "near_far"
    library.mkdir(parents=True)
    code = dedent(FAR)
    (library / "__init__.py").write_text(code)
    names: dict[str, Any] = {"__name__": "near_far"}
    exec(compile(code, str(library / "__init__.py"), "exec"), names)

    def add(far: Any) -> None:
        found = int(far.get("all") or 0)
        far.set("all", found + 1)

    def body(world: Any) -> None:
        far = names["Far"](world.existing_cache.client())
        world.actor("alice", add, far)
        world.actor("bob", add, far)
        world.run()
        assert far.get("all") == b"2"

    for step in steps_of(body):
        inside, outside = step.sources
        assert (path_shown(inside.file, None), inside.line) in {
            ("near_far/__init__.py", 5),
            ("near_far/__init__.py", 7),
        }
        assert (outside.file, "far." in code_of(outside)) == (str(HERE), True)


@pytest.mark.parametrize(
    ("file", "root", "shown"),
    [
        ("/home/ann/shop/cache.py", "/home/ann", "shop/cache.py"),
        ("/home/ann/shop/cache.py", "/other", "cache.py"),
        ("/home/ann/shop/cache.py", None, "cache.py"),
        (f"{LIBRARY}/django/core/cache.py", "/env", "django/core/cache.py"),
        ("/usr/lib/python3/dist-packages/redis/client.py", "/", "redis/client.py"),
        ("<string>", "/home/ann", "<string>"),
    ],
)  # fmt: skip
def test_no_path_of_the_machine_is_shown(file: str, root: str | None, shown: str) -> None:
    assert path_shown(file, None if root is None else Path(root)) == shown


def test_each_line_is_listed_once_with_the_code_around_it(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(
        "import a\n\n\ndef get():\n    with lock:\n        if found:\n            found = load()\n"
        "            keep(found)\n        return found\n\n\nx = '" + "y" * 500 + "'\n"
    )
    sources = Sources(tmp_path)
    lines = [SourceLine(str(file), line, "get") for line in (8, 1, 12)]
    assert sources.numbers(lines[:1]) == [0]
    assert sources.numbers(lines) == [0, 1, 2]
    rows: Any = sources.rows
    assert rows[0] == {
        "path": "shop.py", "line": 8, "function": "get", "first": 5,
        "code": [
            "with lock:", "    if found:", "        found = load()", "        keep(found)",
            "    return found", "", "",
        ],
    }  # fmt: skip
    assert (rows[1]["first"], rows[1]["code"]) == (1, ["import a", "", "", "def get():"])
    assert len(rows[2]["code"][-1]) == CODE_MAX


def test_code_that_cannot_be_read_is_left_out() -> None:
    sources = Sources(None)
    sources.numbers([SourceLine("/gone/shop.py", 3, "get")])
    rows: Any = sources.rows
    assert rows[0]["code"] == []
