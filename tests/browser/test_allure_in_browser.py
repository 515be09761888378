"""What Allure 3 and Allure 2 make of our results, looked at in a browser."""

import pytest

from pytest_supercache.report.evidence import PLAYER
from tests.browser.allures import ALLURES, HOSTILE_KEY, HOSTILE_TITLE, STATUSES, render, run
from tests.browser.pages import watched

pytestmark = [pytest.mark.chromium, pytest.mark.npm, pytest.mark.java]

ATTACHMENTS = [
    "timeline", "layers after each step", "explanation", PLAYER, "history", "reproducer",
    "verdict", "verdict.json",
]  # fmt: skip
STEPS = [
    "the failing interleaving: 5 steps",
    "1. alice @a: GET product:42 -> nothing (read product:42)",
    "2. alice @a: origin read product:42 -> 100",
    "3. bob @a: origin write product:42 = 120 (write product:42 = 120)",
    "4. bob @a: DEL product:42 done",
    "5. alice @a: SET product:42 = 100 -> 100 (here the wrong value is stored, and it stays)",
]
CATEGORIES = {
    "Documented conflict, as its scenario states": "DOCUMENTED-1[shop]",
    "Conflict: stale-set": "CONFLICT-1[shop]",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = tmp_path_factory.mktemp("project")
    run(made)
    return made


def long_but_for(name, shown="allure-3"):
    return pytest.param(name, marks=[] if name == shown else pytest.mark.long)


@pytest.fixture(scope="module", params=map(long_but_for, ALLURES))
def report(request, project, tmp_path_factory):
    """An Allure, and what it has made of the run."""
    allure = ALLURES[request.param]
    return allure, render(project, tmp_path_factory.mktemp(request.param), allure.lock)


def test_a_conflict_is_red_a_proof_is_green_and_a_broken_file_is_neither(context, report):
    allure, file = report
    with watched(context, file) as tab:
        for name, status in STATUSES.items():
            allure.open(tab.page, file, name)
            assert tab.page.locator(allure.status).first.inner_text().lower() == status, name
        assert tab.complaints == []
        assert set(tab.requests) == {file.as_uri()}


def test_a_conflict_has_its_steps_its_evidence_and_its_picture(context, report):
    allure, file = report
    with watched(context, file) as tab:
        allure.open(tab.page, file, "CONFLICT-1[shop]")
        assert allure.told_in_steps(tab.page)[: len(STEPS)] == STEPS
        found = tab.page.locator(allure.attachments).all_inner_texts()
        assert [name for text in found for name in ATTACHMENTS if name in text.split("\n")] == (
            ATTACHMENTS
        )
        shown = tab.page.inner_text("body")
        for said in ("node a still serves 100 for product:42", "stale-set", "karim", "pricing"):
            assert said in shown
        width, source = allure.drawn(tab.page)
        assert width > 300
        assert "here the wrong value is stored, and it stays" in source
        assert tab.is_quiet()


def test_a_documented_conflict_has_its_category_and_no_other(context, report):
    allure, file = report
    with watched(context, file) as tab:
        for category, name in CATEGORIES.items():
            [title] = allure.in_category(tab.page, file, category)
            assert title.startswith(f"{name}: "), category
        assert tab.is_quiet()


def test_the_history_of_a_result_shows_the_run_before(context, report):
    allure, file = report
    with watched(context, file) as tab:
        allure.open(tab.page, file, "CONFLICT-1[shop]")
        assert len(allure.earlier_runs(tab.page)) == 1
        assert tab.is_quiet()


def test_hostile_text_is_shown_as_it_is_and_does_nothing(context, report):
    allure, file = report
    with watched(context, file) as tab:
        allure.open(tab.page, file, "HOSTILE-1")
        told = allure.told(tab.page)
        assert f"HOSTILE-1: {HOSTILE_TITLE} \\u202e\\x1b[31m" in told
        assert f"the origin holds {HOSTILE_KEY} = </svg><script>pwned=6</script>" in told
        assert len(told) < 10_000, "what is too long to read is cut"
        width, _ = allure.drawn(tab.page)
        assert width > 300
        links = tab.page.locator("a[href*='pwned']").evaluate_all("all => all.map(a => a.protocol)")
        assert set(links) <= {"file:"}
        assert tab.page.evaluate("window.pwned") is None
        assert tab.is_quiet()
