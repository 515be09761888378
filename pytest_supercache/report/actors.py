"""Gives actors the titles that people read: ``alice @a``, ``messages to b``, ``clock``."""

from pytest_supercache.core.messages import MESSAGES
from pytest_supercache.core.schedule import CLOCK, CUT_CLOCK, is_fault
from pytest_supercache.report.values import short

TITLE_MAX = 300


def actor_title(actor: str, node: str | None = None) -> str:
    """Return the title of an actor: ``alice @a``, ``messages to b``, ``clock``."""
    if actor == CLOCK or actor.startswith(CUT_CLOCK):
        return actor.replace("@", " ").strip()
    if is_fault(actor):
        return "fault"
    if actor.startswith(MESSAGES):
        return short(f"messages to {actor.removeprefix(MESSAGES)}", TITLE_MAX)
    return short(f"{actor} @{node}" if node and "@" not in actor else actor, TITLE_MAX)
