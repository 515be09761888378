"""docs/compatibility.md is true of what is installed, and says all of it."""

import inspect
import re

import pytest

from tests.compatibility import (
    asyncio_checks,
    fakeredis_checks,
    interpreter_checks,
    redis_checks,
    thread_checks,
    tool_checks,
)
from tests.compatibility.private_names import Used, overridden_names, used_names
from tests.compatibility.rows import PAGE, ROOT, rows

ROWS = rows()
CHECKS = {
    **thread_checks.CHECKS, **interpreter_checks.CHECKS, **asyncio_checks.CHECKS,
    **redis_checks.CHECKS, **fakeredis_checks.CHECKS, **tool_checks.CHECKS,
}  # fmt: skip


@pytest.fixture
def request_of_the_check(request):
    """What a check may ask about the item that runs it."""
    return request


@pytest.mark.parametrize("row", ROWS, ids=[row.used for row in ROWS])
def test_what_is_installed_is_as_a_row_says(row, request_of_the_check):
    check = CHECKS.get(row.used)
    assert check is not None, f"the row has no check: {row.used}"
    try:
        check(*[request_of_the_check][: len(inspect.signature(check).parameters)])
    except BaseException as error:
        error.add_note(row.told)
        raise


def test_every_check_has_a_row_and_no_row_is_there_twice():
    assert CHECKS.keys() - {row.used for row in ROWS} == set(), "a check without a row"
    assert len({row.used for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row.used for row in ROWS])
def test_a_row_says_where_it_is_used(row):
    assert row.modules, "a row names modules of the package"
    for module in row.modules:
        words = re.findall(r"\w+", (ROOT / "pytest_supercache" / module).read_text("utf-8"))
        assert row.names & set(words), f"{module} uses nothing of what the row names"
    assert all((row.purpose, row.guard, row.seen)), "no cell is empty"


def test_the_page_mentions_every_private_name_of_others_that_the_package_uses():
    page = PAGE.read_text(encoding="utf-8")
    missing = [used for used in (*used_names(), *overridden_names()) if not used.is_in(page)]
    assert missing == [], f"a use that {PAGE.name} does not mention; it needs a row and a check"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pool._connections.append(1)", ["_connections"]),
        ("getattr(pool, '_made', None)", ["_made"]),
        ("vars(thread)['_args']", ["_args"]),
        ("from asyncio import _get_running_loop as running", ["_get_running_loop"]),
        ("from anyio._core import streams", ["_core"]),
        ("WATCHED = 'shop.cache:Cache._entries'", ["_entries"]),
        ("import _thread", ["_thread"]),
        ("self._mine = 1; self._mine", []),
        ("class Kept:\n    _mine = 1\n\nKept()._mine", []),
        ("def read(one):\n    '''_nothing'''\n    return one.public", []),
    ],
)
def test_a_private_name_is_found_unless_it_is_our_own(tmp_path, line, found):
    (tmp_path / "module.py").write_text(line, encoding="utf-8")
    assert [used.name for used in used_names(tmp_path)] == found


def test_a_name_is_mentioned_only_as_a_whole():
    used = Used(name="_lock", place="module.py:1")
    assert used.is_in("| `Pool._lock`, `_other` |")
    assert not used.is_in("| `_locks`, `a_lock` |")
