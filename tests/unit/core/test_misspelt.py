"""A key that is nearly another one is a misspelling of it, unless it differs as keys do."""

import pytest

from pytest_supercache.core.misspelt import meant

SLIPS = [
    ("product:42", "prodcut:42"),  # letters
    ("product:42", "product-42"),  # what stands between the words
    ("user_profile:7", "user:profile:7"),
    ("profile:marianna", "profile:mariana"),
    ("item:1234", "items:1234"),
]
OTHERS = [
    ("product:42", "product:43"),  # numbers
    ("page:home:en", "page:home:es"),  # languages
    ("profile:anna", "profile:anne"),  # users
    ("product:1234", "product:1234:en"),  # a part
    ("product:42", "account:42"),
]


@pytest.mark.parametrize(("key", "other"), SLIPS)
def test_a_slip_is_told(key: str, other: str) -> None:
    assert (meant(key, [other]), meant(other, [key])) == (other, key)


@pytest.mark.parametrize(("key", "other"), OTHERS)
def test_a_key_that_differs_on_purpose_is_not(key: str, other: str) -> None:
    assert (meant(key, [other]), meant(other, [key])) == (None, None)
