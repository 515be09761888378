"""What several rooms' tests share."""

import sys
from types import ModuleType

import pytest


@pytest.fixture
def module():
    """A module of code under test, imported as far as anybody can tell."""
    made = ModuleType("shop_under_test")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]
