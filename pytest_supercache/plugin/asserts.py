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
    if config.getoption("assertmode") == "plain":
        raise pytest.UsageError(
            "gate: --assert=plain takes from failed asserts what was compared, and failures look "
            "alike that are not; leave it out"
        )
