"""What cannot be ordered, for people: bounded however large it is, and readable in both forms."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

from pytest_supercache.oracle.linear.smallest import Core
from pytest_supercache.oracle.linear.zones import Reason
from pytest_supercache.report.lanes_svg import lanes_svg
from pytest_supercache.report.order_text import order_text
from pytest_supercache.report.timeline_svg import CHAR
from tests.calls import calls


def core(text, others="", **more):
    return Core(calls=tuple(calls(text)), others=tuple(calls(others)), **{"minimal": True, **more})


TWO = "a 3-4 write = 1 \n bob 5-6 cas 2 3 ok"


def test_a_core_that_is_the_whole_recording_claims_nothing_about_other_calls():
    assert order_text(core(TWO), Reason.NO_ORDER, 2) == (
        "  no order in which these calls fit (2 of 2):\n"
        "    lines 3-4  process a    write = 1\n"
        "    lines 5-6  process bob  cas 2 to 3: ok\n"
        "  whatever is put first, some answer does not fit"
    )


def test_what_was_left_out_is_accounted_for():
    text = order_text(core(TWO, since=3), Reason.NO_ORDER, 9)
    assert "fit, whatever the key held before line 3\n" in text
    assert text.endswith("  no other call could have had anything to do with it")
    text = order_text(core(TWO, "c 1-2 write = 2"), Reason.NO_ORDER, 9)
    assert text.endswith("and do not help:\n    line 1  process c  write = 2")


def test_a_core_that_may_be_too_large_says_so():
    text = order_text(core(TWO, minimal=False), Reason.NO_ORDER, 2)
    assert "some of these calls may be needless" in text
    assert "needless" not in order_text(core(TWO), Reason.NO_ORDER, 2)


def many(count):
    return "\n".join(f"p{at} {2 * at}-{2 * at + 1} read k -> {at}" for at in range(count))


def test_a_large_core_is_cut():
    text = order_text(core(many(100), many(100)), Reason.NO_ORDER, 300)
    assert "... and 60 more" in text
    assert "... and 95 more" in text
    assert len(text.splitlines()) < 55
    picture = lanes_svg(core(many(100), many(100)), "large")
    assert "135 more calls are not drawn" in picture


def test_a_long_value_is_cut_and_its_length_is_said():
    text = order_text(core(f'a 1-2 read -> "{"x" * 1_000}"'), Reason.FROM_NOWHERE, 1)
    assert "(1,000 characters)" in text
    assert max(map(len, text.splitlines())) < 140


def bars(picture):
    """Return (left, right or None, row) for each bar."""
    root = ET.fromstring(picture)
    whole = [
        (float(rect.get("x")), float(rect.get("x")) + float(rect.get("width")), rect.get("y"))
        for rect in root.findall(".//{*}rect[@x]")
    ]
    paths = [path.get("d") for path in root.findall(".//{*}path[@stroke-dasharray]")]
    starts = [re.search(r"M(\S+) (\S+)H(\S+)v", path).groups() for path in paths]
    return whole + [(float(left), None, row) for _, row, left in starts]


def test_bars_stand_as_the_calls_did():
    picture = lanes_svg(core("a 1-4 write = 1 \n b 2-3 write = 2 \n c 5-? write = 3"), "title")
    (a_left, a_right, a_row), (b_left, b_right, b_row), (c_left, c_right, _) = bars(picture)
    assert a_left < b_left < b_right < a_right < c_left
    assert c_right is None
    assert a_row != b_row


def test_calls_of_one_process_share_a_lane_and_no_label_reaches_the_next_bar():
    long = "v" * 40
    picture = lanes_svg(
        core(f'a 1-2 write = "{long}" \n a 3-4 write = "{long}" \n a 5-6 read -> 1'), "title"
    )
    found = bars(picture)
    assert len({row for _, _, row in found}) == 1
    texts = ET.fromstring(picture).findall(".//{*}text")
    labels = sorted(
        (float(text.get("x")), len(text.text) * CHAR)
        for text in texts
        if text.text.startswith(("write", "read"))
    )
    assert len(labels) == 3
    for (left, width), (next_left, _) in pairwise(labels):
        assert left + width < next_left


def test_what_was_given_every_freedom_has_a_lane_of_its_own():
    picture = lanes_svg(core("a 3-4 read -> 1", "a 1-2 write = 1"), "title")
    assert "process a, any time" in picture
    assert "may take effect at any time, or never" in picture
    assert "any time" not in lanes_svg(core("a 3-4 read -> 1"), "title")
