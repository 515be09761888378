"""Draws the story of a conflict as a strip: one box per step, who did it by place and colour.

The steps are those of the strip on the report page. A conflict without a told story (nobody ends a
wait, an error) has the steps of the picture that call, answer or change something.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_supercache.report.player_data import players
from pytest_supercache.report.values import short
from tools import svg

Json = Mapping[str, Any]

WIDTH = 410.0
ROWS_MAX = 9
CLOCK = "clock"
_BOX = 0.68  # of the width: boxes of different users overlap, so that three fit a phone
_PAD, _NUMBER, _GAP = 10.0, 34.0, 6.0
_ROOT = str(Path(__file__).parents[1])
_TEMPORARY = re.compile(r"/\S*?/supercache-[^/\s']+/")
_DIGEST = re.compile(r"\b[0-9a-f]{28}([0-9a-f]{4})\b")
_PLACE = re.compile(r" \(line \d+ of the scenario file\)$")
_MOMENT = "after everything settled, |before the race, "
_CALL = re.compile(rf"^(?:\S+'s \S+(?: \S+)?|(?:{_MOMENT})\S+(?: \S+)? on node \S+): ")
_MECHANICAL = re.compile(
    r"start|call .*|answer of .*|go on after .*|sleep .*|[+]\d+ ms|.* is done|"
    r"receive the reply .*|run a callback of asyncio|__call__ .*"
)
_OBJECT = re.compile(r"<(\w+) .*>")


class Step(NamedTuple):
    """One box; ``number`` is that of the picture, ``actor`` the title of its lane."""

    number: int | None
    actor: str
    text: str

    @property
    def user(self) -> str:
        """The user who has begun the task or thread that takes the step."""
        return self.actor.partition("/")[0]


def steps_of(found: Json) -> list[Step]:
    """Return the steps that tell a ``counterexample``."""
    drawn: Any = players(found, short)
    lanes = [title.split(" @")[0] for title, _ in drawn["player"]["lanes"]]
    if drawn["strip"]:
        return [
            Step(number, "" if lane is None else lanes[lane], steady(text))
            for text, number, _, lane, _ in drawn["strip"]
        ]
    return list(_of_picture(drawn["player"]["rows"], lanes))[-ROWS_MAX:]


def outcome_of(found: Json) -> str:
    """Return what users got, without what differs from run to run."""
    said = _PLACE.sub("", steady(found["violation"]["summary"]))
    if found["violation"]["guarantee"] == "expect":
        said = _CALL.sub("", said)
    return re.sub(r"^\[\d+\]: |[: ]+$", "", said)


def steady(text: str) -> str:
    """Return text without folders and digests of one run."""
    text = _TEMPORARY.sub("", text).replace(f"{_ROOT}/", "")
    return _OBJECT.sub(r"<\1>", _DIGEST.sub(r"...\1", text))


def _of_picture(rows: list[Json], lanes: list[str]) -> Iterator[Step]:
    """Yield the rows that call, answer or change something, those of one step as one."""
    last: Step | None = None
    for row in rows:
        said = list(dict.fromkeys([*row["calls"], *_deed(row), *row["answers"]]))
        if row["lane"] is None or row["phase"] or not said:
            continue
        actor, text = lanes[row["lane"]], steady("; ".join(said))
        if last and last.number == row["number"] and last.actor == actor:
            last = Step(last.number, actor, f"{last.text}; {text}")
            continue
        if last:
            yield last
        last = Step(row["number"], actor, f"{actor}: {text}")
    if last:
        yield last


def _deed(row: Json) -> list[str]:
    """Return what the step did, unless the call says it, or it is only how Python gets there."""
    if row["number"] is None and row["text"].startswith("waits for: "):
        return [row["text"].replace("waits for: wait for", "waits for")]
    if any(row["text"].startswith(f"{call} ") for call in row["calls"]):
        return []
    return [] if _MECHANICAL.fullmatch(row["text"]) else [row["text"]]


def strip_svg(steps: list[Step], outcome: str, title: str) -> str:
    """Draw the boxes from top to bottom, then in red what came of it."""
    actors = list(dict.fromkeys(step.user for step in steps))
    room = WIDTH - 2 * _PAD - _NUMBER
    box = room * (_BOX if len(actors) > 1 else 1)
    shift = (room - box) / max(1, len(actors) - 1)
    body: list[str] = []
    y = _PAD
    for step in steps:
        at = actors.index(step.user)
        lines = svg.lines_of(step.text, box - 2 * _PAD)
        height = len(lines) * svg.LINE + 10
        left = _PAD + _NUMBER + at * shift
        fill = svg.NEUTRAL if step.actor in {"", CLOCK} else svg.FILLS[at % len(svg.FILLS)]
        if step.number is not None:
            body.append(svg.text(_PAD, y + svg.LINE + 1, f"{step.number:>3}", fill=svg.DIM))
        body.append(svg.rect(left, y, box, height, fill))
        body += svg.paragraph(left + _PAD, y + svg.LINE + 1, lines)
        y += height + _GAP
    lines = svg.lines_of(outcome, WIDTH - 4 * _PAD)
    height = len(lines) * svg.LINE + 10
    body.append(svg.rect(_PAD, y, WIDTH - 2 * _PAD, height, svg.STALE, stroke=svg.ALERT))
    body += svg.paragraph(2 * _PAD, y + svg.LINE + 1, lines, fill=svg.ALERT, bold=True)
    return svg.document(WIDTH, y + height + _PAD, title, body)
