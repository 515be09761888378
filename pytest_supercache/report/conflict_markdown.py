"""Writes one conflict as Markdown for an issue tracker, with its order as a Mermaid diagram."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_supercache.core.places import place_title
from pytest_supercache.report.aside import without_aside
from pytest_supercache.report.markdown import escaped
from pytest_supercache.report.timeline import Timeline, TimelineRow, timeline
from pytest_supercache.report.values import pasted, short

Json = Mapping[str, Any]

ROWS_MAX = 60
_TEXT_MAX = 100


def conflict_markdown(row: Json, found: Json) -> str:
    """Return the Markdown of a conflict: what happened, the diagram, how to replay it."""
    lines = [f"### {escaped(row['id'])}: {escaped(found['violation']['summary'])}", ""]
    for part in found.get("story") or ():
        number = "-" if part["number"] is None else f"- step {part['number']}:"
        lines.append(f"{number} {escaped(part['text'])}{_place(found, part['position'])}")
    lines += [
        "",
        "```mermaid",
        *_diagram(without_aside(timeline(found), with_silent=True)[0]),
        "```",
    ]
    command = pasted(row.get("replay"))
    lines += ["", "Replay:", "", f"    {command}"] if command else []
    return "\n".join(lines) + "\n"


def _place(found: Json, position: int | None) -> str:
    """Return the line of the project that takes a step, in brackets."""
    steps, sources = found["steps"], found.get("sources") or []
    step = steps[position] if position is not None and position < len(steps) else {}
    places = [sources[at] for at in step.get("source") or () if at < len(sources)]
    if not places:
        return ""
    path, line = places[-1]["path"], places[-1]["line"]
    return f" ({escaped(f'{path}:{line}')})"


def _diagram(drawn: Timeline) -> Iterator[str]:
    places = list(dict.fromkeys(column.place for column in drawn.columns))
    actors = {at: f"A{at}" for at in range(len(drawn.lanes))}
    layers = {place: f"L{at}" for at, place in enumerate(places)}
    yield "sequenceDiagram"
    yield from (
        f"  participant {actors[at]} as {_mermaid(lane.title)}"
        for at, lane in enumerate(drawn.lanes)
    )
    yield from (
        f"  participant {name} as {_mermaid(place_title(place))}" for place, name in layers.items()
    )
    raced = [row for row in drawn.rows if row.lane is not None]
    for row in raced[:ROWS_MAX]:
        yield from _message(row, actors, layers)
        yield from _lost(row, drawn, actors)
        if row.breaks:
            yield f"  Note over {actors[row.lane or 0]}: {_mermaid(drawn.breaks)}"
    if len(raced) > ROWS_MAX:
        yield f"  Note over A0: {len(raced) - ROWS_MAX:,} more steps"


def _message(
    row: TimelineRow, actors: Mapping[int, str], layers: Mapping[str, str]
) -> Iterator[str]:
    actor = actors[row.lane or 0]
    number = "" if row.number is None else f"{row.number}. "
    text = f"{number}{''.join(row.text)}"
    arrows = [arrow for arrow in row.arrows if arrow.to in layers]
    for arrow in arrows[:1]:
        yield f"  {actor}->>{layers[arrow.to]}: {_mermaid(text)}"
    if not arrows:
        yield f"  Note over {actor}: {_mermaid(text)}"


def _lost(row: TimelineRow, drawn: Timeline, actors: Mapping[int, str]) -> Iterator[str]:
    """Yield an arrow with a cross at its end for each message of a row that never arrives."""
    lanes = {lane.actor: actors[at] for at, lane in enumerate(drawn.lanes)}
    for arrow in row.arrows:
        if arrow.is_lost and arrow.to in lanes:
            yield f"  {actors[row.lane or 0]}-x{lanes[arrow.to]}: never arrives"


def _mermaid(text: str) -> str:
    """Return text without what ends a statement or begins markup there."""
    text = text.replace("->", "\u2192")
    harmless = re.sub(r"[;#<>`%]|:{2,}", " ", short(text, _TEXT_MAX))
    return re.sub(r"\bend\b", "End", harmless)
