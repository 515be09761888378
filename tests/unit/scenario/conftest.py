"""The file that the tests of scenario reading change, and the words a project has registered."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from pytest_supercache.scenario.grammar import Field, Kind, VerbSignature, Vocabulary
from pytest_supercache.scenario.scenario import Scenario
from pytest_supercache.scenario.signatures import signature_of
from pytest_supercache.scenario.validate import load

GOOD = """\
# yaml-language-server: $schema=../scenario.schema.json
# Karim sees the new price.
# Alice must not be charged the old one.
scenario: After a price change nobody is charged the old price
id: PRICE-07
system: shop
owner: karim
severity: critical
tags: [pricing, gate]
links: {issue: CACHE-412}
given:
  origin: {"product:42": {price: 100}}
before:
  - read: product:42
    node: all
users:
  alice:
    - read: product:42
      as: shown
    - checkout: {item: product:42}
      expect: {charged: {one_of: [$shown.price, 120]}}
  bob:
    node: b
    steps:
      - write: {key: product:42, value: {price: 120}}
        id: publish
  carol:
    - wait_for: bob.publish
    - read: product:42
      expect: {price: 120}
finally:
  - read: product:42
    expect: {price: 120}
guarantees: [coherent, {monotonic_reads: {for: alice}}]
explore: {search: auto, ticks: auto, executions: 20000, time: 120s}
assume: {pause: 500ms}
cases:
  cold: {}
  warm: {given: {existing_cache: {"product:42": {price: 100}}}}
"""


def pay(
    shop: Any,
    user: Any,
    amount: float,
    times: int = 1,
    how: Literal["card", "cash"] = "card",
    again: bool = False,
    to: list[str] = [],  # noqa: B006 - nobody calls it
    note: str | None = None,
    extra: dict[str, Any] = {},  # noqa: B006
) -> None:
    """Pay for the order.

    Args:
        amount: how much.
        note: what the bank prints.
    """


VOCABULARY = Vocabulary(
    systems=("shop", "reference.naive", "reference.fixed"),
    verbs={
        "checkout": VerbSignature(parameters={"item": True, "coupon": False}),
        "transfer": VerbSignature(parameters={"source": True, "target": True}),
        "log_out": VerbSignature(parameters={}),
        "pay": signature_of(pay),
    },
    classes={"stale-set": "A fill is late.", "late-fill": "One of stale-set."},
    guarantees={
        "coherent": {},
        "isolated_users": {},
        "read_your_writes": {},
        "coherent_when_settled": {},
        "monotonic_reads": {"for": Field(kind=Kind.TEXT, description="Only this user.")},
        "max_loads": {
            "loads": Field(kind=Kind.COUNT, description="How many.", is_required=True),
            "window": Field(kind=Kind.DURATION, description="Within so long."),
        },
    },
)


@pytest.fixture(scope="session")
def good() -> str:
    return GOOD


@pytest.fixture(scope="session")
def read() -> Callable[[str | bytes], Scenario]:
    return lambda content: load("price.supercache.yaml", content, VOCABULARY)
