"""An error in a hook of ours never becomes one of the code under test."""

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.runtime.memory import hooks

SOLD = "tea"


class Shop:
    def __init__(self):
        self.rates = {"tea": 1}
        self.errors = []

    def rate(self, key):
        try:
            return self.rates[key]
        except TypeError as error:  # as careful code handles what it does not expect
            self.errors.append(error)

    def depth(self):
        return 1 + self.depth()


def _body(work):
    def body(world):
        shop = Shop()
        cache = world.existing_cache.client()
        world.actor("a", lambda: (cache.get("tea"), shop.rate(SOLD), work(shop)))
        world.actor("b", lambda: (cache.get("tea"), shop.rates.get("tea")))
        world.run()
        assert not shop.errors

    return body


@pytest.mark.parametrize("hook", ["touch_item", "touch_attribute", "touch_global"])
def test_an_error_of_ours_is_a_reason_for_unknown_and_the_code_goes_on(hook, monkeypatch):
    monkeypatch.setattr(hooks, hook, len)  # which takes no such arguments

    result = check(_body(lambda shop: shop.rate("tea")))

    assert result.verdict is Verdict.UNKNOWN
    assert any(
        "pytest-supercache itself has failed" in reason and "TypeError: len()" in reason
        for reason in result.reasons
    )


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (lambda shop: shop.rate("coffee"), "KeyError"),
        (lambda shop: shop.rates[[]], "TypeError"),
        (lambda shop: shop.name, "AttributeError"),
        (Shop.depth, "RecursionError"),
    ],
)
def test_an_error_of_the_code_is_its_own(work, error):
    result = check(_body(work))

    assert result.verdict is Verdict.VIOLATED
    assert error in str(result.counterexample.violation.summary)


def test_code_without_an_error_holds():
    assert check(_body(lambda shop: shop.rate("tea"))).verdict is Verdict.HOLDS
