"""The project's rules for the gate, as a run has them."""

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.plugin.unread import known_issues_of

if TYPE_CHECKING:
    from pytest_supercache.gate.policy import Rules


def rules_of(config: pytest.Config, project: dict[str, Any], today: date) -> "Rules":
    """Read the rules of a run.

    Raises:
        SupercacheError: a file or a setting is wrong.
    """
    from pytest_supercache.gate.project import read_rules

    return read_rules(config.rootpath, project, today, known_issues_of(config))


def rules_that_there_are(config: pytest.Config, project: dict[str, Any]) -> dict[str, Any] | None:
    """Return the rules by which a run without the gate has to be judged later, at least.

    Its known issues are those of that day: this run has not been judged by any.
    """
    from pytest_supercache.gate.rules_apart import rules_part

    with suppress(SupercacheError):  # as a gate run would say
        found = rules_part(rules_of(config, project, datetime.now(UTC).date()))
        return {name: told for name, told in found.items() if name != "known_issues_digest"}
    return None
