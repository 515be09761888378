"""An error in a hook of ours never becomes one of the code under test."""

import functools
import subprocess
import sys
import threading
from collections import defaultdict
from types import SimpleNamespace

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.memory import hooks
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.hook_calls import called_safely

SOLD = "tea"


class Shop:
    def __init__(self):
        self.rates = {"tea": 1}
        self.errors = []
        self.lock = threading.Lock()

    def rate(self, key):
        try:
            return self.rates[key]
        except TypeError as error:  # as careful code handles what it does not expect
            self.errors.append(error)

    @functools.cached_property
    def offer(self):
        self.sold_out()

    def sold_out(self):
        raise LookupError

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


def test_a_thread_that_was_left_in_an_earlier_execution_meets_no_error_and_tells_of_none(
    monkeypatch,
):
    """It hung, and goes on while another execution runs; what it touched is let go by then."""
    noted = []
    running = SimpleNamespace(is_of=lambda one: one == "running", note_error=noted.append)
    hook = called_safely(lambda _: Accesses.actor(object()))
    for controller, execution, told in (
        ("earlier", running, 0), ("earlier", None, 0), ("running", running, 1), (None, running, 1),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(Current, "execution", execution)
            patch.setattr(here, "controller", controller)
            noted.clear()
            assert hook("operand") == "operand"
            assert len(noted) == told, (controller, execution)


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (lambda shop: shop.rate("coffee"), "KeyError"),
        (lambda shop: shop.rates[[]], "TypeError"),
        (lambda shop: defaultdict(list)[[]], "TypeError"),
        (lambda shop: shop.name, "AttributeError"),
        (lambda shop: shop.offer, "LookupError"),
        (lambda shop: defaultdict(shop.sold_out)["tea"], "LookupError"),
        (Shop.depth, "RecursionError"),
    ],
)
def test_an_error_of_the_code_is_its_own(work, error):
    result = check(_body(work))

    assert result.verdict is Verdict.VIOLATED
    assert error in str(result.counterexample.violation.summary)


def test_code_without_an_error_holds():
    assert check(_body(lambda shop: shop.rate("tea"))).verdict is Verdict.HOLDS


def test_an_audit_hook_that_hears_of_what_a_hook_does_is_not_rewritten_code_of_the_flow():
    """Python calls it for each event, also those that our looking at frames raises."""
    body = (
        "import sys\n"
        "from pytest_supercache import check\n"
        "from tests.unit.runtime.test_hook_calls import Shop\n"
        "HEARD = frozenset({'os.fork'})\n"
        "def guard(event, _given, heard=HEARD):\n"
        "    if event in heard or event in HEARD:\n"
        "        raise RuntimeError('no forks')\n"
        "sys.addaudithook(guard)\n"
        "def body(world):\n"
        "    shop, cache = Shop(), world.existing_cache.client()\n"
        "    def count():\n"
        "        cache.get('tea')\n"
        "        shop.rates['tea'] = shop.rates['tea'] + 1\n"
        "    def count_under_a_lock():\n"
        "        with shop.lock:\n"
        "            count()\n"
        "    for name in 'ab':\n"
        "        world.actor(name, count_under_a_lock if LOCKED else count)\n"
        "    world.run()\n"
        "    assert shop.rates['tea'] == 3\n"
        "for LOCKED in (True, False):\n"
        "    print(check(body).verdict.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", body], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["HOLDS", "VIOLATED"]
