"""What the tests of the command share with those of scenario files."""

from tests.unit.scenario.conftest import read

__all__ = ["read"]
