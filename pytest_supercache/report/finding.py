"""The input of every report: one item, what it stated, and what the check found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_supercache.core.result import CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finished item; ``as_stated`` decides whether it passes.

    ``stated`` is ``holds``, ``violated`` or None; without a statement, only HOLDS is as stated.
    ``links`` maps a kind (``issue``, ``tms``, anything else) to an address or a ticket.
    """

    item: str  # "PRICE-07[reference.naive]"
    title: str
    result: CheckResult
    as_stated: bool
    story: str = ""
    words: str = ""  # the scenario as Given, When, Then; Markdown
    node_id: str = ""
    path: str = ""
    line: int | None = None
    root: Path | None = None  # from which files of the project are named
    system: str = ""
    stated: str | None = None
    stated_class: str | None = None  # the conflict class or family, beside `violated`
    stated_label: str | None = None  # likewise
    replay_command: str = ""  # "pytest FILE --supercache-replay='TOKEN'"
    severity: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    flow: Mapping[str, Any] | None = None  # how a reproducer finds the flow; None: there is none
