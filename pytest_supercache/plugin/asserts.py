"""Asserts of the project that say nothing: the gate does not decide by them."""

import sys

import pytest


def refuse_without_asserts(config: pytest.Config) -> None:
    """Refuse to decide where asserts of the project do nothing, or do not say what failed.

    Raises:
        UsageError: Python or pytest was told so.
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
    """Say whether failed asserts do not tell what was compared; so it is without their plugin."""
    return bool(config.getoption("assertmode", "plain") == "plain")
