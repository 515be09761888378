"""The static picture."""

from xml.etree import ElementTree as ET

import pytest

from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.timeline_svg import timeline_svg
from pytest_supercache.report.verdict_json import counterexample_to_json
from tests.unit.report.report_stories import counterexample_of, held, stale_set

NS = "{http://www.w3.org/2000/svg}"


def svg_of(execution, title="PRICE-07"):
    return timeline_svg(timeline(counterexample_to_json(counterexample_of(execution))), title)


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{NS}text")]


def test_svg_shows_the_values_and_answers_of_the_grid():
    shown = texts(svg_of(stale_set(old=777, new=888)))
    assert "-> 777" in shown
    assert shown.count("777") == 3 + 2  # the origin until the write, then two layers are stale


def test_svg_marks_the_step_from_which_the_layers_never_agree_again():
    assert any("stay inconsistent" in text for text in texts(svg_of(stale_set())))
    execution = stale_set()
    execution.steps[-1].layers = execution.start
    assert not any("stay inconsistent" in text for text in texts(svg_of(execution)))


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "a\nb\x00\x1b", "]]>&amp;", "\U0001f600" * 30, "x" * 9000],
)
def test_hostile_values_stay_text_in_a_well_formed_file(hostile):
    svg = svg_of(stale_set(old=hostile, key=hostile), title=hostile)
    root = ET.fromstring(svg)
    assert {element.tag.removeprefix(NS) for element in root.iter()} <= {
        "svg", "title", "rect", "line", "text",
    }  # fmt: skip


def test_svg_needs_nothing_from_outside_and_paints_its_own_background():
    svg = svg_of(stale_set())
    assert "href" not in svg
    assert "url(" not in svg
    assert '<rect width="100%" height="100%" fill="#ffffff"/>' in svg


def test_every_text_begins_inside_the_picture():
    root = ET.fromstring(svg_of(stale_set()))
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter(f"{NS}text"):
        assert 0 <= float(element.get("x")) < width
        assert 0 < float(element.get("y")) <= height


def test_what_is_stale_has_another_colour_than_what_only_changed():
    def colours(execution):
        drawn = timeline(counterexample_to_json(counterexample_of(execution)))
        root = ET.fromstring(timeline_svg(drawn, "PRICE-07"))
        return {element.get("fill") for element in root.iter(f"{NS}rect")}

    changed, stale = "#ffe69c", "#fbe0dd"
    assert {changed, stale} <= colours(stale_set())
    assert changed in colours(held())
    mended = held()
    for step in mended.steps:
        step.layers["existing_cache"] = step.layers["super_cache@a"] = {}
    assert stale not in colours(mended)
