"""State that is read or written by functions of the standard library, which nobody rewrites."""

import copy
import json
import pickle
from dataclasses import asdict, dataclass, replace
from operator import attrgetter, itemgetter
from types import SimpleNamespace

import pytest

from tests.soundness.truth import broken, right, systems_of


def _together(world, *flows):
    for number, flow in enumerate(flows):
        world.actor(f"user-{number}", flow)
    world.run()


@dataclass
class _Account:
    here: int = 5
    there: int = 0

    def move(self):
        self.here = 0
        self.there = 5

    @property
    def total(self):
        return self.here + self.there


def _seen_while_it_moves(world, seen_by):
    """Let one user move the money, and another look at the account in one call."""
    account, seen = _Account(), []
    _together(world, account.move, lambda: seen.append(seen_by(account)))
    return seen[0]


def _seen_of_a_copy(world, seen_by):
    account, seen = _Account(), []
    frozen = _Account(account.here, account.there)
    _together(world, account.move, lambda: seen.append(seen_by(frozen)))
    return seen[0]


@broken("the account is copied between the two writes")
def a_shallow_copy_of_an_account(world):
    assert _seen_while_it_moves(world, copy.copy).total == 5


@right("another account is copied")
def a_shallow_copy_of_another_account(world):
    assert _seen_of_a_copy(world, copy.copy).total == 5


@broken("the account is copied between the two writes")
def a_deep_copy_of_an_account(world):
    assert _seen_while_it_moves(world, copy.deepcopy).total == 5


@right("another account is copied")
def a_deep_copy_of_another_account(world):
    assert _seen_of_a_copy(world, copy.deepcopy).total == 5


@broken("the account is taken apart between the two writes")
def a_dict_of_an_account(world):
    assert sum(_seen_while_it_moves(world, asdict).values()) == 5


@right("another account is taken apart")
def a_dict_of_another_account(world):
    assert sum(_seen_of_a_copy(world, asdict).values()) == 5


@broken("both replace a field of the same account, and the second loses what the first did")
def an_account_replaced(world):
    book = {"account": _Account(0, 0)}

    def change(**fields):
        book["account"] = replace(book["account"], **fields)

    _together(world, lambda: change(here=1), lambda: change(there=1))
    assert book["account"].total == 2


@broken("a field is read by replace between the two writes")
def an_account_replaced_while_it_moves(world):
    assert _seen_while_it_moves(world, replace).total == 5


@right("each replaces the account of its own")
def two_accounts_replaced(world):
    book = {"a": _Account(0, 0), "b": _Account(0, 0)}

    def change(name):
        book[name] = replace(book[name], here=1)

    _together(world, lambda: change("a"), lambda: change("b"))
    assert sum(account.total for account in book.values()) == 2


@broken("the account is pickled between the two writes")
def a_pickled_account(world):
    assert pickle.loads(_seen_while_it_moves(world, pickle.dumps)).total == 5


@right("another account is pickled")
def another_account_pickled(world):
    assert pickle.loads(_seen_of_a_copy(world, pickle.dumps)).total == 5


@broken("the account is written as text between the two writes")
def an_account_in_a_format(world):
    text = _seen_while_it_moves(world, "{0.here}{0.there}".format)
    assert text in ("50", "05")


@right("another account is written as text")
def another_account_in_a_format(world):
    assert _seen_of_a_copy(world, "{0.here}{0.there}".format) == "50"


@broken("both fields are got between the two writes")
def two_fields_got_at_once(world):
    assert sum(_seen_while_it_moves(world, attrgetter("here", "there"))) == 5


@right("both fields are got of another account")
def two_fields_of_another_got_at_once(world):
    assert sum(_seen_of_a_copy(world, attrgetter("here", "there"))) == 5


@broken("the field behind a dot is read twice, and written in between")
def a_field_behind_a_dot(world):
    bank, seen = SimpleNamespace(account=_Account()), []
    get = attrgetter("account.here")

    def pay():
        bank.account.here = 4

    _together(world, pay, lambda: seen.append((get(bank), get(bank))))
    assert seen[0][0] == seen[0][1]


@right("the field behind a dot is read once")
def a_field_behind_a_dot_once(world):
    bank, seen = SimpleNamespace(account=_Account()), []
    get = attrgetter("account.here")

    def pay():
        bank.account.here = 4

    _together(world, pay, lambda: seen.append(get(bank)))
    assert seen[0] in (4, 5)


@broken("the inner dict is written between the two that are dumped: one write of two is seen")
def a_nested_dict_dumped(world):
    state, seen = {"account": {"here": 5, "there": 0}}, []

    def move():
        state["account"]["here"] = 0
        state["account"]["there"] = 5

    _together(world, move, lambda: seen.append(json.dumps(state)))
    assert sum(json.loads(seen[0])["account"].values()) == 5


@right("the inner dict is replaced as a whole")
def a_nested_dict_replaced(world):
    state, seen = {"account": {"here": 5, "there": 0}}, []

    def move():
        state["account"] = {"here": 0, "there": 5}

    _together(world, move, lambda: seen.append(json.dumps(state)))
    assert sum(json.loads(seen[0])["account"].values()) == 5


@broken("the text of the outer list is made between the two writes to the inner one")
def a_nested_list_as_text(world):
    rows, seen = [[5, 0]], []

    def move():
        rows[0][0] = 0
        rows[0][1] = 5

    _together(world, move, lambda: seen.append(f"{rows}"))
    assert seen[0] in ("[[5, 0]]", "[[0, 5]]")


@right("the inner list is replaced by one assignment")
def a_nested_list_replaced(world):
    rows, seen = [[5, 0]], []

    def move():
        rows[0] = [0, 5]

    _together(world, move, lambda: seen.append(f"{rows}"))
    assert seen[0] in ("[[5, 0]]", "[[0, 5]]")


@broken("the nested lists are compared while the left one holds neither value")
def nested_lists_compared(world):
    rows, seen = ([5, 0],), []

    def move():
        rows[0][0] = 0
        rows[0][1] = 5

    _together(world, move, lambda: seen.append(rows in (([5, 0],), ([0, 5],))))
    assert seen == [True]


@right("one slice assignment moves the money")
def nested_lists_compared_after_a_slice(world):
    rows, seen = ([5, 0],), []

    def move():
        rows[0][:] = [0, 5]

    def look():
        first = rows[0].copy()
        seen.append(first in ([5, 0], [0, 5]))

    _together(world, move, look)
    assert seen == [True]


@broken("the highest price is asked for between the two writes, which leave nobody dear")
def the_highest_by_a_getter(world):
    rows, seen = [{"price": 5}, {"price": 0}], []
    price = itemgetter("price")

    def move():
        rows[0]["price"] = 0
        rows[1]["price"] = 5

    _together(world, move, lambda: seen.append(max(map(price, rows))))
    assert seen == [5]


@right("in the other order somebody is dear at any time, and max runs at once")
def the_highest_by_a_getter_in_the_other_order(world):
    rows, seen = [{"price": 5}, {"price": 0}], []
    price = itemgetter("price")

    def move():
        rows[1]["price"] = 5
        rows[0]["price"] = 0

    _together(world, move, lambda: seen.append(max(map(price, rows))))
    assert seen == [5]


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
