"""What callables of a declaration are called with: those arguments of the call that they want."""

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.observe.call_footprint import ask

ARGUMENTS = {"self": "shop", "key": "k", "value": 1}


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        (lambda key: key, "k"),
        (lambda self, key: (self, key), ("shop", "k")),
        (lambda **rest: sorted(rest), ["key", "value"]),
        (lambda self, **rest: (self, sorted(rest)), ("shop", ["key", "value"])),
        (lambda: "always", "always"),
    ],
)
def test_it_is_called_with_what_it_wants(wanted, answer):
    assert ask(wanted, ARGUMENTS) == answer


def test_it_is_refused_if_it_wants_what_the_call_does_not_have():
    with pytest.raises(SupercacheError) as refused:
        ask(lambda item: item, ARGUMENTS)
    assert "takes (item), but the call that it is about has self, key, value" in str(refused.value)
