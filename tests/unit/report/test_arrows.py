"""The arrows of a step: a value stands on one only where it is certain."""

from typing import Any

import pytest

from pytest_supercache.report.arrows import Arrow, arrows_of

PLACES = ("super_cache@a", "existing_cache", "origin")
ACTORS = ("alice", "bob", "messages@a")


def step(kind: str = "command", **more: Any) -> dict[str, Any]:
    layers = {"existing_cache": {"k": 100}, "origin": {"k": 120}}
    return {"actor": "alice", "kind": kind, "layers": layers, "reads": [], "writes": [], **more}


def arrows(of: dict[str, Any], before: dict[str, Any] | None = None) -> tuple[Arrow, ...]:
    return arrows_of(of, before, PLACES, ACTORS)


def read(**more: Any) -> dict[str, Any]:
    return step(reads=["existing_cache:k"], **more)


def write(**more: Any) -> dict[str, Any]:
    return step(reads=["existing_cache:k"], writes=["existing_cache:k"], **more)


def test_a_read_shows_what_the_layer_holds_and_a_miss_that_it_holds_nothing() -> None:
    assert arrows(read()) == (Arrow(to="existing_cache", key="k", value="100"),)
    (miss,) = arrows(step(reads=["existing_cache:other"]))
    assert miss.value == "-"


def test_a_write_shows_what_it_changed_and_nothing_if_all_stays_as_it_was() -> None:
    (changed,) = arrows(write(), {"existing_cache": {"k": 90}})
    assert (changed.is_written, changed.value) == (True, "100")
    (same,) = arrows(write(), {"existing_cache": {"k": 100}})
    assert (same.is_written, same.value) == (True, None)


@pytest.mark.parametrize(
    "uncertain",
    [
        read(is_struck=True),
        read(layers=None),
        step(kind="watched", reads=["existing_cache:k"]),
        step(reads=["existing_cache:k", "existing_cache:other"]),
        step(reads=["existing_cache:*"]),
        step(reads=["existing_cache"]),
        step(reads=["super_cache@a:k"]),
    ],
    ids=[
        "a fault struck it", "content that was not recorded", "a call that is only declared",
        "several keys", "all keys", "a whole layer", "a layer that nothing shows",
    ],
)  # fmt: skip
def test_an_arrow_has_no_value_where_it_is_not_certain(uncertain: dict[str, Any]) -> None:
    (arrow,) = arrows(uncertain)
    assert arrow.value is None


@pytest.mark.parametrize(
    "label", ["WATCH k", "TTL k", "SISMEMBER k", "LLEN k", "HGET k", "LRANGE k"]
)
def test_a_command_that_answers_something_else_shows_no_value(label: str) -> None:
    (arrow,) = arrows(read(label=label))
    assert arrow.value is None


@pytest.mark.parametrize("label", ["GET k", "HGETALL k", "SMEMBERS k"])
def test_a_command_that_answers_the_value_shows_it(label: str) -> None:
    (arrow,) = arrows(read(label=label))
    assert arrow.value == "100"


def test_a_part_of_a_value_that_is_not_there_is_nothing() -> None:
    (arrow,) = arrows(step(reads=["existing_cache:other"], label="HGET other"))
    assert arrow.value == "-"


def test_a_value_that_the_text_of_the_step_has_already_is_not_told_again() -> None:
    (told,) = arrows(read(text="read Shop.near['k'] -> 100", memory={"Shop.near": {"k": 100}}))
    assert (told.value, told.is_told) == ("100", True)
    (untold,) = arrows(read())
    assert not untold.is_told


def test_messages_that_a_step_sends_lead_to_who_delivers_them_and_a_delivery_to_no_actor() -> None:
    (sent,) = arrows(step(reads=["messages@a"], writes=["messages@a"]))
    assert sent == Arrow(to="messages@a", is_to_actor=True, is_written=True)
    assert arrows(step(actor="messages@a", reads=["messages@a"], writes=["messages@a"])) == ()
