"""The page in a real browser: every button, what the layers show, and what it must never do."""

import pytest

from tests.browser.pages import SIZES, browser, opened
from tests.unit.report.report_stories import Recorder, compared, holds, stale_set, violated
from tests.unit.report.test_page import HOSTILE

pytestmark = pytest.mark.chromium

NOTHING = {"super_cache@a": ("nothing", False), "super_cache@b": ("", False)}
OLD = {**NOTHING, "existing_cache": ("nothing", False), "origin": ("100", False)}
NEW = {**OLD, "origin": ("120", False)}
STALE = {
    **NEW, "super_cache@a": ("100", True), "existing_cache": ("100", True),
}  # fmt: skip
FAILS = [OLD, OLD, OLD, NEW, NEW, STALE, STALE]
PASSES = [OLD, OLD, OLD, NEW, STALE, NEW, NEW]
STEPS = [
    "before the first step",
    "GET",
    "origin: read",
    "origin: write",
    "DEL",
    "SET",
    "deliver invalidation of",
]


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_buttons_step_through_what_each_layer_holds(context, tmp_path, scheme, size):
    with opened(context, tmp_path, compared(), holds(), scheme=scheme, size=size) as watched:
        for at, (fails, passes) in enumerate(zip(FAILS, PASSES, strict=True)):
            assert (watched.tiles("fails"), watched.tiles("passes")) == (fails, passes)
            assert STEPS[at] in watched.step("fails")
            assert watched.is_in_sight("fails")
            if at < len(FAILS) - 1:
                watched.press("fails", "forward")
        assert (
            watched.page.locator(".fails .live")
            .inner_text()
            .startswith("Step 6 of 6. messages to b:")
        )
        assert watched.page.locator(".fails [data-act=forward]").is_disabled()
        for at in range(5, -1, -1):
            watched.press("passes", "back")  # both go together, whichever is asked
            assert (watched.tiles("fails"), watched.tiles("passes")) == (FAILS[at], PASSES[at])
        watched.press("fails", "part")
        assert "from here on the layers never agree again" in watched.step("fails")
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        background = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
        red = int(background.partition("(")[2].partition(",")[0])
        assert (red > 128) is (scheme == "light")
        assert watched.is_quiet()


def test_the_present_step_is_kept_in_sight_among_many(context, tmp_path):
    run = Recorder({"existing_cache": {}, "origin": {"product:42": 1}})
    for number in range(80):
        run.step("alice", f"SET {number}", existing_cache=("product:42", number))
    execution = stale_set()
    execution.start, execution.steps = (
        {"existing_cache": {}, "origin": {"product:42": 1}},
        run.steps,
    )
    with opened(context, tmp_path, violated(execution)) as watched:
        assert watched.is_in_sight("fails")
        for key, at in (("End", 80), ("ArrowLeft", 79), ("Home", 0)):
            watched.page.locator(".fails").focus()
            watched.page.keyboard.press(key)
            assert watched.page.locator(".fails .live").inner_text().startswith(f"Step {at} of 80.")
            assert watched.is_in_sight("fails")


def test_players_go_alone_when_nobody_wants_them_together(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        watched.page.locator(".both input").uncheck()
        watched.press("fails", "forward")
        watched.press("fails", "forward")
        assert "read product:42" in watched.step("fails")
        assert watched.step("passes").startswith("before the first step")
        watched.page.locator(".passes .rows li").nth(4).click()
        assert watched.tiles("passes") == STALE
        assert watched.tiles("fails") == OLD
        watched.page.locator(".forced button", has_text="step 5").click()
        assert watched.tiles("fails") == STALE


def test_keys_step_and_play_runs_to_the_end_and_stops(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        player = watched.page.locator(".fails")
        player.focus()
        for key, at in (("ArrowRight", 1), ("End", 6), ("ArrowLeft", 5), ("Home", 0)):
            watched.page.keyboard.press(key)
            assert player.locator(".live").inner_text().startswith(f"Step {at} of 6.")
        watched.page.keyboard.press("Space")
        assert player.locator("[data-act=play]").inner_text() == "Pause"
        assert player.locator(".live").get_attribute("aria-live") == "off"
        watched.page.clock.run_for(2_500)
        assert player.locator(".live").inner_text().startswith("Step 2 of 6.")
        watched.page.clock.run_for(60_000)
        assert player.locator(".live").inner_text().startswith("Step 6 of 6.")
        assert player.locator("[data-act=play]").inner_text() == "Play"
        reached = set()
        for _ in range(30):
            watched.page.keyboard.press("Tab")
            reached.add(watched.page.evaluate(
                "document.activeElement.dataset.act || document.activeElement.tagName"
            ))  # fmt: skip
        assert {"back", "play", "INPUT", "part", "copy-command", "copy-token"} <= reached
        assert watched.is_quiet()


def test_what_is_copied_is_the_exact_command_and_token(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        watched.page.evaluate("""() => {
            window.copied = [];
            navigator.clipboard.writeText = async (text) => copied.push(text);
        }""")
        for what in ("command", "token"):
            watched.page.locator(f"[data-act=copy-{what}]").click()
        finding = compared()
        assert watched.page.evaluate("copied") == [
            finding.replay_command, finding.result.counterexample.token,
        ]  # fmt: skip


def test_a_checker_of_accessibility_finds_nothing_and_would_find_what_is_wrong(context, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    axe, gate = Axe(), {"verdict": "NO-GO", "exit_status": 1, "reasons": ["because of it"]}
    findings = compared(), violated(item="OTHER-1", node_id="o"), holds()
    with opened(context, tmp_path, *findings, gate=gate) as watched:
        watched.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        watched.page.locator("[data-act=part]").evaluate_all("all => all.forEach(b => b.click())")
        assert watched.page.locator(".player").count() == 3
        for scheme in ("light", "dark"):
            watched.page.emulate_media(color_scheme=scheme)
            found = axe.run(watched.page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        watched.page.locator(".passes [data-act=play]").evaluate("one => { one.textContent = '' }")
        found = axe.run(watched.page).response["violations"]
        assert [(one["id"], one["impact"]) for one in found] == [("button-name", "critical")]


def test_what_is_printed_has_every_step_of_every_conflict_and_no_buttons(context, tmp_path):
    findings = compared(), violated(item="OTHER-1", node_id="o")
    with opened(context, tmp_path, *findings) as watched:
        assert watched.page.locator(".player").count() == 1  # the other conflict is closed
        watched.page.emulate_media(media="print")
        watched.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert watched.page.locator(".player").count() == 3
        assert watched.page.locator(".rows li:visible").count() == 3 * 7
        assert watched.page.locator("button:visible").count() == 0
        assert [tile for tile in watched.tiles("fails") if watched.tiles("fails")[tile][1]] == [
            "super_cache@a", "existing_cache",
        ]  # fmt: skip
        assert watched.page.locator("summary:visible").count() == 0
        assert len(watched.page.pdf()) > 10_000


def test_what_was_not_to_be_expected_is_filled_and_an_empty_run_is_not_green(context, tmp_path):
    def colours(one):
        return one.evaluate("one => [getComputedStyle(one).backgroundColor, one.textContent]")

    stated = violated(item="DOC-1", node_id="d", as_stated=True, stated="violated")
    with opened(context, tmp_path, stated, compared(), holds()) as watched:
        badges = [colours(one) for one in watched.page.locator("nav .badge").all()]
        assert [text for _, text in badges] == ["VIOLATED, not as stated", "HOLDS", "VIOLATED"]
        assert len({colour for colour, _ in badges}) == 3
        assert "NOT as stated: holds" in watched.page.locator(".card").first.inner_text()
        assert watched.page.locator(".banner.bad").count() == 1
        assert watched.is_quiet()
    with opened(context, tmp_path) as watched:
        assert "So nothing was proved." in watched.page.locator(".banner.open").inner_text()
        assert watched.is_quiet()


def test_a_conflict_without_its_steps_says_where_they_are(context, tmp_path, monkeypatch):
    monkeypatch.setattr("pytest_supercache.report.page_data.PLAYERS_MAX", 10)
    with opened(context, tmp_path, compared()) as watched:
        conflict = watched.page.locator("article.conflict").inner_text()
        assert "They are in verdict.json" in conflict
        assert "alice's SET product:42" in conflict
        assert watched.page.locator(".player, button.to").count() == 0
        watched.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert watched.is_quiet()


def hostile(text, at):
    execution = stale_set(old=text, new=f"{text}2", users=(f"{text}a", f"{text}b"), key=text)
    return violated(
        execution, item=text, title=text, story=text, owner=text, tags=(text,), system=text,
        path=text, node_id=str(at), links={text: f"javascript:{text}"}, replay_command=text,
    )  # fmt: skip


def test_hostile_text_is_shown_and_does_nothing(context, tmp_path):
    findings = [hostile(text, at) for at, text in enumerate(HOSTILE)]
    with opened(context, tmp_path, *findings, size="phone", commit=HOSTILE[0]) as watched:
        watched.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        watched.page.clock.run_for(1_000)
        assert watched.page.locator(".player").count() == len(HOSTILE)
        watched.page.locator("[data-act=part]").evaluate_all("all => all.forEach(b => b.click())")
        assert watched.page.locator(".tile.stale").count() == 2 * len(HOSTILE)
        assert HOSTILE[0] in watched.page.locator("h2").nth(0).inner_text()
        assert watched.page.locator("script").count() == 2
        assert watched.page.locator("main a:not([href^='#'])").count() == 0
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert watched.is_quiet()


def test_the_policy_of_the_page_stops_whatever_found_a_way_in(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        assert watched.is_quiet()
        watched.page.evaluate("""() => {
            const box = document.createElement("div");
            box.innerHTML = "<img src='https://example.invalid/x.png' onerror='window.pwned = 1'>";
            const script = document.createElement("script");
            script.textContent = "window.pwned = 2";
            document.body.append(box, script);
        }""")
        watched.page.clock.run_for(1_000)
        assert watched.page.evaluate("window.pwned") is None
        assert len(watched.requests) == 1  # the picture was not even asked for
        assert len(watched.complaints) >= 2
