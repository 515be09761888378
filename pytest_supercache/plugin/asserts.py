"""Detects disabled or plain asserts of the project: the gate does not decide by them."""

import sys

import pytest


def refuse_without_asserts(config: pytest.Config) -> None:
    """Refuse the gate if the project's asserts are disabled or do not say what failed.

    Raises:
        UsageError: an option of Python or pytest has that effect.
    """
    if sys.flags.optimize:
        raise pytest.UsageError(
            "gate: -O or PYTHONOPTIMIZE has switched off asserts, so what they state was not "
            "checked; leave it out"
        )
    if are_plain(config):
        raise pytest.UsageError(
            "gate: --assert=plain (or -p no:assertion) takes from failed asserts what was "
            "compared, and failures look alike that are not; leave it out"
        )


def are_plain(config: pytest.Config) -> bool:
    """Say whether failed asserts do not show their values, as without the assertion plugin."""
    return bool(config.getoption("assertmode", "plain") == "plain")
