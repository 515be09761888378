"""One table of conflict classes, for the texts and for the page."""

import re
import runpy
from pathlib import Path

from pytest_supercache.oracle.catalogue import CATALOGUE

ROOT = Path(__file__).parents[3]


def test_the_numbered_classes_and_those_without_an_answer() -> None:
    numbered = [each.number for each in CATALOGUE.values() if each.number]
    assert len(numbered) == len(set(numbered)) == 43
    others = {each.slug for each in CATALOGUE.values() if not each.number}
    assert others == {"deadlock", "lost-wakeup", "crash", "partial-read"}


def test_the_page_shows_the_table() -> None:
    table = runpy.run_path(str(ROOT / "tools" / "conflicts_page.py"))["table"]()
    assert table in (ROOT / "docs" / "conflicts.md").read_text()


def test_the_table_of_classes_that_were_given_has_each_class_and_no_other_one_of_it() -> None:
    """The command that makes it is ``python -m tests.confusion``."""
    page = (ROOT / "docs" / "confusion.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (.*?) ?\|$", page, flags=re.MULTILINE)
    found = {slug: int(count) for slug, count, others in rows if not others}
    assert found.keys() == {each.slug for each in CATALOGUE.values() if each.number}
    assert min(found.values()) > 0
    assert "contradict it" not in page
