"""What users import: the names, that each is documented, and that loading them costs nothing."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_supercache

NAMES = {
    "LINEARIZABLE",
    "BOUNDED_STALENESS", "CAP_HOLDS", "COHERENT_WHEN_SETTLED", "DURABLE_WRITES", "ISOLATED_USERS",
    "MAX_LOADS", "MONOTONIC_READS", "MONOTONIC_WRITES", "NO_DIRTY_READS", "NO_LOST_FIELD",
    "NO_LOST_INVALIDATION", "NO_RESURRECTION", "READ_ATOMIC", "READ_YOUR_WRITES",
    "REVOCATION_HOLDS", "SEQUENTIALLY_CONSISTENT",
    "TTL_RESPECTED", "Assume", "CheckResult", "Commit", "Counterexample", "DaskExecutor", "Faults",
    "Guarantee", "History", "Label", "Operation", "SupercacheError", "Verdict", "Violation",
    "World", "check", "check_history", "explore", "reproduce", "system", "verb", "watch",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(pytest_supercache.__all__) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(pytest_supercache, name)
    assert isinstance(value, pytest_supercache.Guarantee) or value.__doc__


def test_the_manual_names_what_check_takes() -> None:
    page = Path(__file__).parent.parent / "docs" / "python.md"
    told = re.search(r"`check\((body[^)]*)\)`", page.read_text(encoding="utf-8"))
    assert told is not None
    parameters = [name for name in re.split(r",\s+", told[1]) if name != "*"]
    assert parameters == list(inspect.signature(pytest_supercache.check).parameters)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        pytest_supercache.chekc  # noqa: B018


def test_importing_the_package_imports_no_other_library() -> None:
    heavy = ("hypothesis", "allure", "redis", "fakeredis", "freezegun", "ruamel", "jinja2", "rich")
    code = (
        "import sys, pytest_supercache, pytest_supercache.plugin; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
