"""The page in a real browser: every button, what the layers show, and what it must never do."""

from dataclasses import replace
from itertools import combinations

import pytest

from pytest_supercache import check
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.result import StoryPart
from pytest_supercache.core.schedule import read_token
from pytest_supercache.core.trace import SourceLine
from tests.browser.pages import opened
from tests.unit.report.report_stories import Recorder, compared, holds, stale_set, violated
from tests.unit.report.test_page import HOSTILE

pytestmark = pytest.mark.chromium

NOTHING = {"super cache @a": ("nothing", False)}
OLD = {**NOTHING, "existing cache": ("nothing", False), "origin": ("100", False)}
NEW = {**OLD, "origin": ("120", False)}
STALE = {
    **NEW, "super cache @a": ("100", True), "existing cache": ("100", True),
}  # fmt: skip
FAILS = [OLD, OLD, OLD, NEW, NEW, STALE]
PASSES = [OLD, OLD, OLD, NEW, NEW, STALE]
"""What the other one holds at the same event: DEL comes after SET there."""

STEPS = ["start", "GET", "origin: read", "origin: write", "DEL", "SET"]
BREAKS = 5


def test_it_opens_where_it_breaks_and_buttons_step_through_what_each_layer_holds(context, tmp_path):
    with opened(context, tmp_path, compared(), holds()) as watched:
        for scheme, _ in watched.looks():
            steps_through(watched)
            background = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
            red = int(background.partition("(")[2].partition(",")[0])
            assert (red > 128) is (scheme == "light")
        assert watched.is_quiet()


def steps_through(watched):
    """Press the buttons of both players from the step that breaks to the start."""
    assert "from this step on the layers stay inconsistent" in watched.step("fails")
    assert watched.cells("fails") == STALE
    assert watched.is_in_sight("fails")
    assert watched.page.locator(".fails .live").inner_text().startswith("5. alice @a: SET")
    for at in range(BREAKS, -1, -1):
        assert (watched.cells("fails"), watched.cells("passes")) == (FAILS[at], PASSES[at])
        assert STEPS[at] in watched.step("fails")
        assert watched.is_in_sight("fails")
        if at:
            watched.press("fails", "back")
    assert watched.page.locator(".fails [data-act=back]").is_disabled()
    watched.press("passes", "forward")  # both go together, whichever is asked
    assert "GET" in watched.step("fails")
    watched.press("fails", "part")
    assert watched.cells("fails") == STALE


def test_what_plays_no_part_is_folded_away_and_shown_when_asked_for(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        heads = watched.page.locator(".fails .head")
        assert heads.all_inner_texts() == [
            "alice @a", "bob @b", "super cache @a", "existing cache", "origin",
        ]  # fmt: skip
        assert watched.page.locator(".fails .rows li:visible").count() == 6
        watched.page.locator(".fails [data-act=all]").check()
        assert heads.count() == 7
        assert watched.page.locator(".fails .rows li:visible").count() == 7
        assert watched.cells("fails") == {**STALE, "super cache @b": ("nothing", False)}
        watched.press("fails", "forward")
        assert "deliver invalidation of" in watched.step("fails")
        watched.page.locator(".fails [data-act=all]").uncheck()
        watched.press("fails", "back")
        assert watched.page.locator(".fails [data-act=forward]").is_disabled()
        assert watched.is_quiet()


def test_a_link_opens_the_conflict_that_it_names_at_its_step(context, tmp_path):
    other = violated(item="OTHER-1[shop]", node_id="z")
    with opened(context, tmp_path, compared(), other) as watched:
        assert watched.page.locator(".scenario[open]").count() == 1
        for hash_, step in (("OTHER-1/shop", "SET"), ("OTHER-1/shop/step-3", "origin: write")):
            watched.page.evaluate("where => { window.location.hash = where }", hash_)
            watched.page.clock.run_for(500)
            assert watched.page.locator(".scenario[open]").count() == 2
            row = watched.page.locator("[id='OTHER-1/shop'] .fails [aria-current=step]")
            assert step in row.inner_text()
        for mistyped in ("100%", "NOWHERE/x/step-3"):
            watched.page.evaluate("where => { window.location.hash = where }", mistyped)
            watched.page.clock.run_for(500)
        assert watched.page.locator("[id='OTHER-1/shop'] .anchor").get_attribute("href") == (
            "#OTHER-1/shop"
        )
        assert watched.is_quiet()


def test_many_scenarios_are_found_by_their_words_and_by_what_came_of_them(context, tmp_path):
    findings = [holds(item=f"HOLDS-{at}", node_id=f"h{at}") for at in range(9)]
    findings += [compared(), violated(item="KNOWN-1", node_id="k", as_stated=True, owner="zoe")]
    with opened(context, tmp_path, *findings) as watched:
        shown = watched.page.locator(".scenario:visible")
        assert shown.count() == 11
        assert shown.locator("h2").first.inner_text().startswith("PRICE-07")
        watched.page.locator(".filter input").fill("zoe")
        assert shown.locator("h2").all_inner_texts() == [
            "KNOWN-1 After a price change nobody is charged the old price"
        ]
        watched.page.locator(".filter input").fill("")
        watched.page.locator(".filter select").select_option("not as expected")
        assert shown.count() == 1
        watched.page.locator(".filter select").select_option("holds")
        assert watched.page.locator(".filter span").inner_text() == "9 of 11 scenarios"
        assert watched.is_quiet()
    with opened(context, tmp_path, compared(), holds()) as watched:
        assert watched.page.locator(".filter").count() == 0


def test_the_strip_tells_the_key_steps_and_leads_to_them(context, tmp_path):
    finding = compared()
    told = (
        StoryPart("alice reads 100 from the origin", number=2, position=1, actor="alice"),
        StoryPart("bob writes 120 to the origin", number=3, position=2, actor="bob"),
        StoryPart("alice stores 100: stale", number=5, position=4, actor="alice"),
        StoryPart("in the end node a still holds 100"),
    )
    found = replace(finding.result.counterexample, story=told)
    finding = replace(finding, result=replace(finding.result, counterexample=found))
    with opened(context, tmp_path, finding) as watched:
        cards = watched.page.locator(".strip li")
        assert [text.lstrip("0123456789 ") for text in cards.all_inner_texts()] == [
            part.text for part in told
        ]
        assert cards.last.locator("button").count() == 0
        cards.nth(1).locator("button").click()
        assert "origin: write" in watched.step("fails")
        assert watched.is_quiet()
    with opened(context, tmp_path, compared()) as watched:
        assert watched.page.locator(".strip").count() == 0


def with_code(folder):
    """Return a finding whose steps are known to read, and whose second step has code."""
    file = folder / "prices.py"
    file.write_text("def get(key):\n    value = load(key)\n    return value\n")
    finding = compared(root=folder)
    for execution in (
        finding.result.counterexample.execution,
        finding.result.counterexample.passing.execution,
    ):
        execution.steps[1].footprint = Footprint(reads=frozenset({"origin:product:42"}))
        execution.steps[1].sources = (SourceLine(str(file), 2, "get"),)
    return finding


def test_a_step_shows_its_code_and_the_way_of_its_value(context, tmp_path):
    with opened(context, tmp_path, with_code(tmp_path)) as watched:
        for _ in watched.looks():
            tells_where_values_come_from(watched.page)
        assert watched.is_quiet()


def tells_where_values_come_from(page):
    """Step to the read, then point at what was written, and away."""
    way, code = page.locator(".fails .way"), page.locator(".fails .code")
    assert way.inner_text() == (
        "Where 100 comes from: 5. alice @a writes it to super cache @a \u2190 "
        "2. alice @a reads it from origin \u2190 origin holds it at the start"
    )
    assert page.locator(".fails .cell.lit:visible").all_inner_texts() == [
        "100",
        "100",
        "100 stale",
    ]
    assert "No line of your code" in code.inner_text()
    page.locator(".fails").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert code.locator("figcaption").inner_text() == "prices.py:2 get"
    assert code.locator(".line").all_inner_texts() == [
        "def get(key):",
        "    value = load(key)",
        "    return value",
    ]
    assert code.locator(".here").inner_text().strip() == "value = load(key)"
    assert way.inner_text() == (
        "Where 100 comes from: 2. alice @a reads it from origin \u2190 origin holds it at the start"
    )
    written = page.locator(".fails .rows li").nth(3).locator(".cell[data-place=origin]")
    written.hover()
    assert way.inner_text() == (
        "Where 120 comes from: 3. bob @b writes it to origin \u2190 3. bob @b is called with it"
    )
    assert page.locator(".fails .cell.lit:visible").all_inner_texts() == ["120"]
    page.mouse.move(0, 0)
    assert way.inner_text().startswith("Where 100 comes from: 2. alice")


def test_both_interleavings_are_compared_line_by_line(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        for _ in watched.looks():
            compares_line_by_line(watched.page)
        assert watched.is_quiet()
    with opened(context, tmp_path, violated()) as watched:
        assert watched.page.locator(".comparison").count() == 0


def compares_line_by_line(page):
    """Open the comparison by a key, and read it."""
    page.locator(".comparison summary").focus()
    page.keyboard.press("Enter")
    rows = page.locator(".comparison tbody tr")
    texts = [" | ".join(row.locator("td").all_inner_texts()) for row in rows.all()]
    told = [text.replace("\n", " ").strip() for text in texts]
    assert told == [
        "start",
        "1. alice @a: GET product:42",
        "2. alice @a: origin: read product:42",
        "3. bob @b: origin: write product:42 = 120",
        "| 4. alice @a: SET product:42, answers 100",
        "bob @b: DEL product:42, done",
        "5. alice @a: SET product:42, answers 100 "
        "\u2717 from this step on the layers stay inconsistent |",
        "6. messages to b: deliver invalidation of product:42",
    ]


def look_aside(world):
    client, origin = world.existing_cache.client(), world.origin
    origin.set("k", 1)

    def reads():
        if client.get("k") is None:
            client.set("k", origin.get("k"))

    def writes():
        origin.set("k", 2)
        client.delete("k")

    world.actor("alice", reads)
    world.actor("bob", writes)
    world.run()
    assert client.get("k") in {None, b"2"}


def found_in(body):
    """Return the finding of a check that has executed everything."""
    result = check(body)
    return replace(violated(), result=result, replay_command="pytest 't'")


ORDERED = """(wanted) => {
    const rows = () => [...document.querySelectorAll(".order li")];
    const names = () => rows().map((row) => row.querySelector("span").textContent
        .replace(/^[^:]*: /, "").split(/ =| ->/)[0]);
    wanted.forEach((name, at) => {
        for (let place = names().indexOf(name, at); place > at; place -= 1) {
            rows()[place].querySelector("[data-act=earlier]").click();
        }
    });
}"""


@pytest.fixture(scope="module")
def tried():
    """A finding of a check that has executed everything."""
    return found_in(look_aside)


def ordered(page, wanted):
    """Bring the steps into an order, by clicking buttons."""
    page.evaluate(ORDERED, wanted)


def test_another_order_says_what_its_execution_did(context, tmp_path, tried):
    """A look-aside leaves an old value when it reads before the write and stores after the DEL."""
    alice, bob = ("GET k", "origin read k", "SET k"), ("origin write k", "DEL k")
    with opened(context, tmp_path, tried) as watched:
        page = watched.page
        page.locator(".reorder summary").click()
        became = page.locator(".became")
        assert became.inner_text() == "It fails: this is the order that was found."
        for places in combinations(range(5), 3):
            mine, yours = iter(alice), iter(bob)
            order = [next(mine) if at in places else next(yours) for at in range(5)]
            ordered(page, order)
            fails = order.index("origin read k") < order.index("origin write k") and (
                order.index("DEL k") < order.index("SET k")
            )
            assert became.inner_text().startswith("It fails" if fails else "It passes"), order
        page.locator("[data-act=reset]").click()
        assert became.inner_text() == "It fails: this is the order that was found."
        first = page.locator(".order li").first
        assert first.locator("[data-act=earlier]").is_disabled()
        assert first.locator("[data-act=later]").is_disabled()  # her own steps keep their order
        assert watched.is_quiet()


def test_an_order_that_nobody_executed_comes_with_its_command(context, tmp_path, tried):
    finding = tried
    found = finding.result.counterexample
    none = replace(found.tried, interleavings=1, failing=1, are_all=False)
    none = replace(none, orders=tuple((pair, 1, 0) for pair, _, _ in none.orders))
    command = f"pytest t --supercache-replay='{found.token}'"
    for are_all, said in ((False, "Not executed."), (True, "It cannot happen")):
        known = replace(found, tried=replace(none, are_all=are_all))
        shown = replace(
            finding, result=replace(finding.result, counterexample=known), replay_command=command
        )
        with opened(context, tmp_path, shown) as watched:
            page = watched.page
            page.locator(".reorder summary").click()
            assert page.locator(".reorder code").count() == 0
            ordered(page, ["origin write k", "DEL k", "GET k", "origin read k", "SET k"])
            assert page.locator(".became").inner_text().startswith(said)
            texts = page.locator(".reorder code").all_inner_texts()
            assert bool(texts) is not are_all
            for text in texts:
                _, schedule = read_token(text.split("'")[1])
                assert schedule.choices == ("bob", "bob", "alice", "alice", "alice")


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
        for key, told in (
            ("End", "80. alice @a: SET 79"), ("ArrowLeft", "79. alice @a: SET 78"),
            ("Home", "start."),
        ):  # fmt: skip
            watched.page.locator(".fails").focus()
            watched.page.keyboard.press(key)
            assert watched.page.locator(".fails .live").inner_text().startswith(told)
            assert watched.is_in_sight("fails")


def test_players_go_alone_when_nobody_wants_them_together(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        watched.page.locator(".both input").first.uncheck()
        for _ in range(3):
            watched.press("fails", "back")
        assert "read product:42" in watched.step("fails")
        assert "SET" in watched.step("passes")
        watched.page.locator(".passes .rows li").nth(0).click()
        assert watched.step("passes").startswith("start")
        assert watched.cells("fails") == OLD
        watched.page.locator(".forced button").last.click()
        assert watched.cells("fails") == STALE


def test_keys_step_and_play_runs_to_the_end_and_stops(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        player = watched.page.locator(".fails")
        player.focus()
        for key, told in (
            ("ArrowLeft", "4. bob @b: DEL"), ("End", "5. alice @a: SET"), ("Home", "start."),
        ):  # fmt: skip
            watched.page.keyboard.press(key)
            assert player.locator(".live").inner_text().startswith(told)
        watched.page.keyboard.press("Space")
        assert player.locator("[data-act=play]").inner_text() == "Pause"
        assert player.locator(".live").get_attribute("aria-live") == "off"
        watched.page.clock.run_for(2_500)
        assert player.locator(".live").inner_text().startswith("2. alice @a: origin: read")
        watched.page.clock.run_for(60_000)
        assert player.locator(".live").inner_text().startswith("5. alice @a: SET")
        assert player.locator("[data-act=play]").inner_text() == "Play"
        reached = set()
        for _ in range(40):
            watched.page.keyboard.press("Tab")
            reached.add(watched.page.evaluate(
                "document.activeElement.dataset.act || document.activeElement.tagName"
            ))  # fmt: skip
        assert {
            "back", "play", "all", "INPUT", "part", "copy-command", "copy-token", "copy-markdown",
        } <= reached  # fmt: skip
        assert watched.is_quiet()


CONTROLS = {
    "all", "back", "both", "copy-command", "copy-markdown", "copy-token", "earlier", "forward",
    "INPUT.range", "INPUT.search", "later", "part", "play", "reset", "SELECT", "show", "strip",
    "A", "SUMMARY",
}  # fmt: skip
"""Every kind of control that a page can have."""

IN_REACH = """() => {
    const found = {}, missed = [];
    for (const one of document.querySelectorAll("button, input, select, summary, main a")) {
        if (!one.getClientRects().length) { continue; }
        const kind = one.dataset.act || (one.closest(".both") ? "both" : one.matches(".to") ? "show"
            : one.tagName + (one.tagName === "INPUT" ? "." + one.type : ""));
        one.scrollIntoView({ block: "center", inline: "center" });
        const box = one.getClientRects()[0], x = (box.left + box.right) / 2;
        const hit = document.elementFromPoint(x, (box.top + box.bottom) / 2);
        one.focus();
        const isFocused = one.disabled || document.activeElement === one;
        if (!(one.contains(hit) && isFocused && x < innerWidth)) { missed.push(kind); }
        found[kind] = true;
    }
    return [Object.keys(found).sort(), missed];
}"""


def all_controls(tried):
    """Return findings whose page has every kind of control."""
    found = tried.result.counterexample
    told = (
        StoryPart(
            "alice reads 1",
            number=1,
            position=found.execution.steps.index(
                next(step for step in found.execution.steps if step.choice == 0)
            ),
        ),
    )
    found = replace(found, story=told)
    whole = replace(tried, item="TRIED-1", result=replace(tried.result, counterexample=found))
    more = [holds(item=f"H-{at}", node_id=f"h{at}") for at in range(8)]
    return [compared(), whole, *more]


def opens_everything(page):
    for _ in range(2):  # what is inside of a scenario is made when it is opened
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        page.clock.run_for(100)


def test_every_control_is_in_reach_of_pointer_and_key_at_every_size(context, tmp_path, tried):
    """The twin: a control under something else is noticed, and one that takes no focus."""
    gate = {"verdict": "NO-GO", "exit_status": 1, "reasons": ["because"], "limits": ["one"]}
    with opened(context, tmp_path, *all_controls(tried), gate=gate) as watched:
        page = watched.page
        for _ in watched.looks():
            opens_everything(page)
            kinds, missed = page.evaluate(IN_REACH)
            assert (set(kinds), missed) == (CONTROLS, [])
        page.locator(".fails [data-act=play]").first.evaluate(
            "one => { one.style.zIndex = -1; one.style.position = 'relative' }"
        )
        page.locator(".fails [data-act=back]").first.evaluate("one => { one.focus = () => {} }")
        assert page.evaluate(IN_REACH)[1] == ["back", "play"]
        assert watched.is_quiet()


def test_every_control_does_by_key_what_it_does_by_pointer(context, tmp_path, tried):
    with opened(context, tmp_path, *all_controls(tried)) as watched:
        page = watched.page
        live, order = page.locator(".fails .live").first, page.locator(".order")

        def key(where, name):
            page.locator(where).first.focus()
            page.keyboard.press(name)

        def told():
            return live.inner_text().partition(".")[0]

        opens_everything(page)
        pressed = (
            (".fails [data-act=back]", "Enter", "4"), (".fails [data-act=forward]", "Space", "5"),
            (".fails input[type=range]", "ArrowLeft", "4"),
            (".fails [data-act=part]", "Enter", "5"),
            (".forced .to", "Enter", "2"), (".fails .steps", "Home", "start"),
        )  # fmt: skip
        for where, name, step in pressed:
            key(where, name)
            assert told() == step, where
        key(".fails [data-act=play]", "Enter")
        page.clock.run_for(2_500)
        assert told() == "2"
        key(".fails [data-act=play]", "Space")
        key(".fails [data-act=all]", "Space")
        assert page.locator(".fails .head").count() >= 7
        key(".both input", "Space")
        key(".fails [data-act=back]", "Enter")
        assert told() == "1"
        assert "2." in page.locator(".passes .live").first.inner_text()
        first = order.inner_text()
        key(".order [data-act=later]:enabled", "Enter")
        assert order.inner_text() != first
        key(".order [data-act=earlier]:enabled", "Space")
        key("[data-act=reset]", "Enter")
        assert order.inner_text() == first
        for where in (".stepping > summary", ".comparison summary", ".reorder summary",
                      ".card summary", ".scenario > summary"):  # fmt: skip
            for is_open in (False, True):
                key(where, "Enter")
                box = page.locator(where).first.locator("..")
                assert box.evaluate("one => one.open") is is_open, where
        key(".filter select", "ArrowDown")
        assert page.locator(".filter select").input_value() == "not as expected"
        page.locator(".filter input").focus()
        page.keyboard.type("tried")
        assert page.locator(".filter span").inner_text() == "1 of 10 scenarios"
        key(".filter select", "Home")
        key("[id=TRIED-1] [data-act=strip]", "Enter")
        assert page.locator("[id=TRIED-1] .fails .live").inner_text().startswith("1.")
        assert watched.is_quiet()


def test_what_is_copied_is_the_exact_command_and_token(context, tmp_path):
    with opened(context, tmp_path, compared()) as watched:
        watched.page.evaluate("""() => {
            window.copied = [];
            navigator.clipboard.writeText = async (text) => copied.push(text);
        }""")
        for what in ("command", "token", "markdown"):
            watched.page.locator(f"[data-act=copy-{what}]").click()
        finding = compared()
        command, token, markdown = watched.page.evaluate("copied")
        assert (command, token) == (
            finding.replay_command, finding.result.counterexample.token,
        )  # fmt: skip
        assert "sequenceDiagram" in markdown
        assert finding.replay_command in markdown


def test_a_checker_of_accessibility_finds_nothing_and_would_find_what_is_wrong(context, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    waiver = {"id": "KI-1", "match": "f", "workaround": "w", "expires": "2026-03-20"}
    gate = {"verdict": "NO-GO", "exit_status": 1, "reasons": ["because of it"], "limits": ["one"]}
    axe, gate = Axe(), gate | {"waivers": [waiver]}
    findings = compared(), violated(item="OTHER-1", node_id="o"), holds()
    with opened(context, tmp_path, *findings, gate=gate) as watched:
        for _ in range(2):  # what is inside of a scenario is made when it is opened
            watched.page.locator("details").evaluate_all(
                "all => all.forEach(one => one.open = true)"
            )
        watched.page.clock.run_for(1_000)
        watched.page.locator("[data-act=part]").evaluate_all("all => all.forEach(b => b.click())")
        assert watched.page.locator(".player").count() == 3
        for scheme in ("light", "dark"):
            watched.page.emulate_media(color_scheme=scheme)
            found = axe.run(watched.page).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        watched.page.locator(".passes [data-act=play]").evaluate("one => { one.textContent = '' }")
        only = {"runOnly": ["button-name"]}
        found = axe.run(watched.page, options=only).response["violations"]
        assert [(one["id"], one["impact"]) for one in found] == [("button-name", "critical")]


def test_what_is_open_is_printed_with_every_step_and_no_buttons(context, tmp_path):
    findings = compared(), violated(item="OTHER-1", node_id="z")
    with opened(context, tmp_path, *findings) as watched:
        watched.page.emulate_media(media="print")
        watched.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert watched.page.locator(".player").count() == 2  # the other scenario is closed
        assert watched.page.locator(".rows li:visible").count() == 2 * 6
        assert watched.page.locator("button:visible").count() == 0
        stale = watched.page.locator(".fails .breaks .cell.stale:visible")
        assert stale.evaluate_all("all => all.map(one => one.dataset.place)") == [
            "super cache @a", "existing cache",
        ]  # fmt: skip
        assert 1 <= pages_of(watched.page) <= 2


def pages_of(page):
    margin = dict.fromkeys(("top", "bottom", "left", "right"), "1cm")
    return page.pdf(format="A4", margin=margin).count(b"/Type /Page\n")


def test_a_conflict_of_many_steps_is_printed_on_two_pages_both_runs_side_by_side(context, tmp_path):
    """The twin: where there are a hundred steps, the pages are as many as they need."""
    for steps, fits in ((24, True), (100, False)):
        finding = with_more_steps(steps)
        with opened(context, tmp_path, finding) as watched:
            page = watched.page
            page.emulate_media(media="print")
            page.set_viewport_size({"width": 718, "height": 1000})
            page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
            tops = page.locator(".pair .player").evaluate_all(
                "all => all.map(one => one.getBoundingClientRect().top)"
            )
            assert len(set(tops)) == 1 < len(tops)
            assert (pages_of(page) <= 2) is fits


def with_more_steps(count):
    """Return a finding beside a passing run whose reader looks often."""
    finding = compared()
    found = finding.result.counterexample
    for execution in (found.execution, found.passing.execution):
        first = execution.steps[0]
        looks = [replace(first, index=first.index + 50 + at) for at in range(count)]
        execution.steps[1:1] = looks
        moved = [
            replace(one, called_at=one.called_at and one.called_at + count,
                    returned_at=one.returned_at + count)
            for one in execution.history.operations
        ]  # fmt: skip
        execution.history.operations = tuple(moved)
    return finding


def test_what_was_not_to_be_expected_is_filled_and_an_empty_run_is_not_green(context, tmp_path):
    def colours(one):
        return one.evaluate("one => [getComputedStyle(one).backgroundColor, one.textContent]")

    stated = violated(item="DOC-1", node_id="d", as_stated=True, stated="violated")
    with opened(context, tmp_path, stated, compared(), holds()) as watched:
        badges = [colours(one) for one in watched.page.locator(".verdicts .badge").all()]
        assert [text for _, text in badges] == [
            "reference.naive VIOLATED, not as expected", "reference.fixed HOLDS", "VIOLATED",
        ]  # fmt: skip
        assert len({colour for colour, _ in badges}) == 3
        said = watched.page.locator(".card").first.inner_text()
        assert "Expected to hold, but violated: caches stay inconsistent after settling" in said
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
        for _ in range(2):
            watched.page.locator("details").evaluate_all(
                "all => all.forEach(one => one.open = true)"
            )
            watched.page.clock.run_for(1_000)
        assert watched.page.locator(".player").count() == len(HOSTILE)
        watched.page.locator("[data-act=part]").evaluate_all("all => all.forEach(b => b.click())")
        assert watched.page.locator(".breaks .cell.stale").count() == 2 * len(HOSTILE)
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
