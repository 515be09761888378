"""No folder of one machine stands in a report, and no key of a cache is taken for one."""

import json
import sysconfig
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_supercache.report.machine_paths import without_folders
from pytest_supercache.report.text import failure_text
from pytest_supercache.report.verdict_json import finding_row
from tests.unit.report.report_stories import stale_set, violated

ROOT = Path("/home/karim/shop")
OURS = f"{tempfile.gettempdir()}/supercache-ab12"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"no such file: '{ROOT}/shop/cache.py'", "no such file: 'shop/cache.py'"),
        (f"open {OURS}/0af9.djcache", "open 0af9.djcache"),
        ("at /opt/python/lib/site-packages/redis/client.py:12", "at redis/client.py:12"),
        (f"in {sysconfig.get_path('stdlib')}/threading.py", "in threading.py"),
        ("read /products/42", "read /products/42"),  # keys
        ("read /home/karim/shopping/x", "read /home/karim/shopping/x"),
        ("GET http://shop/site-packages/x", "GET http://shop/site-packages/x"),
        (f"{tempfile.gettempdir()}/other/x", f"{tempfile.gettempdir()}/other/x"),
    ],
)
def test_only_folders_of_the_machine_are_left_out(text, told):
    assert without_folders(text, ROOT) == told


@pytest.mark.parametrize("root", [None, Path("/")])
def test_a_project_without_a_folder_of_its_own_changes_no_address(root):
    assert without_folders("GET http://shop/x", root) == "GET http://shop/x"


def test_a_report_and_the_terminal_name_files_from_the_root_and_the_token_is_exact():
    key = f"{OURS}/k.djcache"
    finding = violated(stale_set(key=key), root=ROOT)
    found = finding.result.counterexample
    violation = replace(found.violation, summary=f"alice raised OSError: '{ROOT}/a.py'", key=key)
    found = replace(found, violation=violation, violations=(violation,), token=f"sc1:{key}:alice")
    finding = replace(finding, result=replace(finding.result, counterexample=found))
    row = finding_row(finding)
    shown = row["counterexample"]
    assert shown.pop("token") == f"sc1:{key}:alice"
    assert OURS not in json.dumps(shown)
    assert shown["violation"]["summary"] == "alice raised OSError: 'a.py'"
    assert shown["violation"]["key"] == shown["history"][0]["key"] == "k.djcache"
    text = failure_text(finding)
    assert "alice raised OSError: 'a.py'" in text
    assert OURS not in text
