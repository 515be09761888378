"""Lists the values that a timeline shows deserialized, each with its stored form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.places import place_title
from pytest_supercache.report.columns import Column, content_at_start, content_of
from pytest_supercache.report.values import as_stored, form_of, held, short, shown

Json = Mapping[str, Any]

TITLES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SerializedValue:
    """A text of a timeline, and the value that it stands for.

    ``place`` is empty for what a user gave or got.
    """

    place: str
    text: str
    form: str
    stored: str


def serialized_values(
    recordings: Sequence[Json], columns: Sequence[Column]
) -> tuple[SerializedValue, ...]:
    """Return each value once, in the order in which it appears."""
    return tuple(
        dict.fromkeys(
            one
            for recorded in recordings
            for one in (*_in_layers(recorded, columns), *_of_users(recorded))
        )
    )


def note_of(values: Sequence[SerializedValue]) -> list[str]:
    """Say in a line for each form which layers hold it, since the values look plain."""
    places: dict[str, list[str]] = {}
    for one in values:
        if one.place:
            places.setdefault(one.form, []).append(place_title(one.place))
    return [
        f"{short(', '.join(dict.fromkeys(titles)), TITLES_MAX)}: {form}, shown deserialized; "
        "verdict.json has the values as they are stored"
        for form, titles in places.items()
    ]


def _in_layers(recorded: Json, columns: Sequence[Column]) -> Iterator[SerializedValue]:
    for content in (content_at_start(recorded), *map(content_of, recorded["steps"])):
        layers = content or {}
        for column in columns:
            value = (layers.get(column.place) or {}).get(column.key)
            form = form_of(value)
            if form:
                yield SerializedValue(
                    place=column.place, text=held(value), form=form, stored=as_stored(value)
                )


def _of_users(recorded: Json) -> Iterator[SerializedValue]:
    for operation in recorded["history"]:
        for value in (operation["value"], operation["answer"]):
            form = form_of(value)
            if form:
                yield SerializedValue(
                    place="", text=shown(value), form=form, stored=as_stored(value)
                )
