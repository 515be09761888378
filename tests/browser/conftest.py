"""One browser for the tests of a module: to start it takes longer than most of them.

It ends with them, because its event loop would be in the way of tests that run one.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.pages import browser


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made
