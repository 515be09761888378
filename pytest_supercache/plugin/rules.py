"""Reads the gate's rules for a run."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.plugin.unread import known_issues_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_supercache.gate.rules import Rules


def rules_of(config: pytest.Config, project: dict[str, Any], today: date) -> "Rules":
    """Read the rules of a run.

    Raises:
        SupercacheError: a file or a setting is wrong.
    """
    from pytest_supercache.gate.project import read_rules

    return read_rules(config.rootpath, project, today, known_issues_of(config))


def judged_without_gate(
    config: pytest.Config,
    project: dict[str, Any],
    document: "Mapping[str, Any]",
    *,
    is_shard: bool = False,
) -> dict[str, Any]:
    """Return the part of ``verdict.json`` for a run without the gate: the rules and a NO-GO.

    A later judgement of the run must be by these rules or stricter ones. Its known issues are those
    of today, unless it is a shard, whose known issues must be those of the others. A NO-GO rules
    out a GO of later runs of its id, whatever pytest's status is: a conflict that a scenario states
    ends with exit status 0.
    """
    from pytest_supercache.gate.policy import GateVerdict, decide
    from pytest_supercache.gate.rules_apart import rules_part

    try:
        rules = rules_of(config, project, datetime.now(UTC).date())
    except SupercacheError:  # as a gate run would say
        return {"rules": None}
    found = rules_part(rules)
    if not is_shard:
        del found["known_issues_digest"]
    verdict = decide(document, rules).verdict
    own = {"own_verdict": verdict.value} if verdict is GateVerdict.NO_GO else {}
    return {"rules": found, **own}
