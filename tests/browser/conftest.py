"""One browser for both files: starting it takes longer than most of their tests."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.pages import browser


@pytest.fixture(scope="package")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The browser of the system, with a profile of its own."""
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made
