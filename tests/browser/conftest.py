"""One browser for all tests of a worker: to start it takes longer than most of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.pages import browser


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made
