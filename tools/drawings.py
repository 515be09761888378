"""Makes the drawings of docs/ from runs of the product and from the pages themselves.

python -m tools.drawings [FOLDER]

``grains.svg`` has the steps of one operation, run at each grain; ``guarantees.svg`` the histories
of the page; ``faults.svg`` a conflict of the catalogue that a fault brings about. Diagrams of boxes
and arrows stand in the pages, as Mermaid.
"""

import asyncio
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from pytest_supercache import World, check, watch
from pytest_supercache.core.trace import Step
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.timeline_svg import timeline_svg
from tests.histories import history
from tools import svg

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DRAWINGS = DOCS / "drawings"
FAULT = "scenarios/conflicts/06-dropped-invalidation.supercache.yaml"
WIDTH = 450.0
_PAD, _GAP = 10.0, 12.0
_SHOWN = ("read_your_writes", "monotonic_reads", "linearizable")
_BLOCK = r"### `{name}`.*?```history\n(.*?)```.*?```history\n(.*?)```\n\n(.*?)\n\n"


# -- grains ---------------------------------------------------------------------------------------


class Shop:
    """A look-aside cache."""

    def __init__(self, redis: Any, db: Any) -> None:
        self.redis, self.db = redis, db

    def get(self, key: str) -> Any:
        """Look into the cache, load what is not there, and store it."""
        value = self.redis.get(key)
        if value is None:
            value = self.db.get(key)
            self.redis.set(key, value)
        return value


class AsyncShop:
    """The same with coroutines; the load is a task of its own."""

    def __init__(self, redis: Any, db: Any) -> None:
        self.redis, self.db = redis, db

    async def get(self, key: str) -> Any:
        """Look into the cache, load what is not there, and store it."""
        value = await self.redis.get(key)
        if value is None:
            value = await asyncio.create_task(self.db.get(key))
            await self.redis.set(key, value)
        return value


def _once(world: World) -> None:
    world.origin.set("k", 1)
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, "k")
    world.run()
    raise AssertionError("so that there is something to draw")


async def _once_with_coroutines(world: World) -> None:
    await world.origin.aio.set("k", 1)
    shop = AsyncShop(world.existing_cache.aclient(), world.origin.aio)
    world.actor("alice", shop.get, "k")
    await world.run()
    raise AssertionError("so that there is something to draw")


def _steps(grain: str, body: Callable[[World], Any]) -> list[str]:
    if grain == "line":
        watch(f"{__name__}:Shop.get", lines=True)
    found = check(body, grain=grain, memory="declared").counterexample
    assert found is not None
    return [_step(step) for step in found.execution.race]


def _step(step: Step) -> str:
    """Return what a step does; a line is shown as it is written."""
    line = re.fullmatch(r"\S+:(\d+) in Shop[.]get", step.label)
    if line is None:
        return re.sub(r"go on after await .*", "go on after await", step.label)
    return inspect.getsource(sys.modules[__name__]).splitlines()[int(line[1]) - 1].strip()


def grains() -> str:
    """Draw the steps of one operation at each grain, with the switch points between them."""
    panels = [
        ("command", _steps("command", _once)),
        ("wire", _steps("wire", _once)),
        ("await (with coroutines)", _steps("await", _once_with_coroutines)),
        ("line", _steps("line", _once)),
    ]
    width = (WIDTH - 2 * _PAD - _GAP) / 2
    body = svg.paragraph(
        _PAD,
        _PAD + svg.LINE,
        svg.lines_of(
            "One call of get(key) on a cold cache. Each dashed line is a switch point: here "
            "another user may come in.",
            WIDTH - 2 * _PAD,
        ),
        fill=svg.DIM,
    )
    top = _PAD + 3 * svg.LINE
    bottom = top
    for left, column in ((_PAD, panels[:2]), (_PAD + width + _GAP, panels[2:])):
        y = top
        for title, steps in column:
            drawn, y = _panel(left, y, width, title, steps)
            body += drawn
            y += _GAP
        bottom = max(bottom, y)
    return svg.document(WIDTH, bottom, "Where switch points are, at each grain", body)


def _panel(
    left: float, y: float, width: float, title: str, steps: list[str]
) -> tuple[list[str], float]:
    body = [svg.text(left, y + svg.LINE - 3, title, bold=True)]
    y += svg.LINE + 4
    for step in steps:
        body.append(svg.line(left, y, left + width, y, stroke=svg.ALERT, dash="4 3"))
        lines = svg.lines_of(step, width - 2 * _PAD)
        height = len(lines) * svg.LINE + 6
        body.append(svg.rect(left, y + 4, width, height, svg.FILLS[0]))
        body += svg.paragraph(left + _PAD, y + svg.LINE + 3, lines)
        y += height + 8
    return body, y


# -- guarantees -----------------------------------------------------------------------------------


class Bar(NamedTuple):
    """A call of a user, from one column to another."""

    user: str
    start: int
    end: int
    text: str


def guarantees() -> str:
    """Draw the pairs of histories of three guarantees as the page has them."""
    page = (DOCS / "guarantees.md").read_text(encoding="utf-8")
    body: list[str] = []
    y = _PAD
    for name in _SHOWN:
        match = re.search(_BLOCK.format(name=name), page, re.S)
        assert match is not None, name
        body.append(svg.text(_PAD, y + svg.LINE, name, bold=True))
        y += svg.LINE + 8
        why = match[3].rstrip(".")
        for text, said in ((match[1], "breaks it"), (match[2], f"does not: {_lowered(why)}")):
            drawn, y = _history(y, text, said, breaks=said == "breaks it")
            body += drawn
        y += 4
    title = "Histories that break a guarantee, and the nearest that do not"
    return svg.document(WIDTH, y, title, body)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _history(y: float, text: str, said: str, *, breaks: bool) -> tuple[list[str], float]:
    """Draw one history: a lane for each user and for the commits, time to the right."""
    recorded = history(text)
    bars = list(_bars(text))
    columns = max(bar.end for bar in bars)
    users = list(dict.fromkeys(bar.user for bar in bars))
    names = [*users, *(["origin"] if recorded.commits else [])]
    left = 2 * _PAD + 64
    step = (WIDTH - left - 2 * _PAD) / columns
    height = len(names) * 30 + 28
    fill, stroke = (svg.STALE, svg.ALERT) if breaks else (svg.HEAD, svg.RULE)
    body = [svg.rect(_PAD, y, WIDTH - 2 * _PAD, height, fill, stroke=stroke)]
    body.append(
        svg.text(2 * _PAD, y + 16, said, fill=svg.ALERT if breaks else svg.DIM, bold=breaks)
    )
    for at, name in enumerate(names):
        body.append(svg.text(2 * _PAD, y + 41 + at * 30, name, fill=svg.DIM))
    for bar in bars:
        at = users.index(bar.user)
        x, top = left + bar.start * step, y + 26 + at * 30
        shade = svg.FILLS[at % len(svg.FILLS)]
        width = (bar.end - bar.start) * step - 4
        body.append(svg.rect(x, top, width, 22, shade, stroke=svg.DIM))
        body.append(svg.text(x + 8, top + 15, bar.text))
    for commit in recorded.commits:
        x, top = left + commit.at * step - 2, y + 26 + len(users) * 30
        body.append(svg.line(x, y + 24, x, top + 22, stroke=svg.DIM, dash="3 3"))
        value = f"{commit.key}={commit.value}"
        place = x + 4 if commit.at < columns else x - 6 - 7.3 * len(value)
        body.append(svg.text(place, top + 15, value))
    return body, y + height + 6


def _bars(text: str) -> Iterator[Bar]:
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+) (\d+)-(\d+) (put|get|delete) (\S+)", line.strip())
        if match:
            verb = {"put": "write", "get": "read"}.get(match[4], match[4])
            said = match[5].replace("=", " -> ") if verb == "read" else match[5]
            yield Bar(match[1], int(match[2]), int(match[3]), f"{verb} {said}")


# -- faults ---------------------------------------------------------------------------------------


def faults() -> str:
    """Draw the conflict that a lost message brings about, as the product draws it."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "supercache", FAULT]
        command += ["-p", "no:cacheprovider", "--supercache-odds=0"]
        command += [f"--supercache-report={folder}"]
        where = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=ROOT, env=where, check=True, stdout=sys.stderr)
        document = json.loads((Path(folder) / "verdict.json").read_text(encoding="utf-8"))
    found = next(row for row in document["scenarios"] if row["counterexample"])
    return svg.with_dark(timeline_svg(timeline(found["counterexample"]), found["title"]))


def drawings() -> dict[str, str]:
    """Return every drawing by its name."""
    return {"grains.svg": grains(), "guarantees.svg": guarantees(), "faults.svg": faults()}


def main(folder: Path) -> None:
    """Write the drawings."""
    for name, drawn in drawings().items():
        (folder / name).write_text(drawn, encoding="utf-8")
        sys.stdout.write(f"written: {name}, {len(drawn):,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DRAWINGS)
