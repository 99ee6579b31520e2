"""Charts and the graph of stages: what they draw, not how it looks."""

from __future__ import annotations

import math
import re

import matplotlib
import numpy as np
import pytest

from baro.pipeline.report import charts, graph
from baro.pipeline.report.glossary import name
from baro.pipeline.report.marks import OWN, SHAPES, marks


def point(model, kl, value, **more):
    label = name(model, short=True)
    return charts.Point(model=model, label=label, tip=label, mark=marks([model])[model], kl=kl, value=value, **more)


POINTS = [
    point("sft", 0.0, 0.62, low=0.59, high=0.65),
    point("dpo", 11.8, 0.91, low=0.89, high=0.93, path=((0, 0.62), (4, 0.8), (11.8, 0.91))),
    point("ppo_no_kl", 96.5, 0.37, flagged=True),
]


def test_every_colour_is_a_variable_of_the_page():
    svg = charts.frontier(POINTS, name="f")
    assert not re.search(r"#[0-9a-f]{3,6}\b(?!\")", re.sub(r'(href="|url\()#[^")]*', "", svg))
    assert {"var(--m-1)", "var(--m-4)", "var(--m-6)", "var(--alarm)", "var(--line)"} <= set(
        re.findall(r"var\([^)]*\)", svg)
    )


def test_names_stand_in_both_languages_and_are_escaped():
    svg = charts.frontier([point("ppo_no_kl", 3.0, 1.0), point('<b>&"', 5.0, 2.0)], name="f")
    assert '<tspan class="en">PPO, no KL</tspan><tspan class="ko">PPO, KL 없음</tspan>' in svg
    assert "&lt;b&gt;&amp;&#34;" in svg
    assert "<b>" not in svg


def test_a_name_that_looks_like_a_placeholder_is_left_alone():
    svg = charts.frontier([point("x #fe0000 1.23456 url(#a)", 3.0, 1.0)], name="f")
    assert ">x #fe0000 1.23456 url(#a)<" in svg


def test_only_the_hacked_model_has_a_ring():
    assert charts.frontier(POINTS, name="f").count("stroke: var(--alarm)") == 2  # the shape and its use
    assert "stroke: var(--alarm)" not in charts.frontier(POINTS[:2], name="f")


def test_ids_differ_between_charts_of_one_page():
    ids = [set(re.findall(r' id="([^"]+)"', charts.frontier(POINTS, name=title))) for title in ("a", "b")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_settings_of_the_user_neither_matter_nor_change():
    plain = charts.frontier(POINTS, name="f")
    with matplotlib.rc_context({"font.size": 30.0, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert charts.frontier(POINTS, name="f") == plain
        assert matplotlib.rcParams["font.size"] == 30.0


def test_one_point_and_a_negative_estimate_can_be_drawn():
    assert "<svg" in charts.frontier([point("sft", -0.3, 0.5)], name="f")


def test_long_curves_become_means_of_neighbours():
    x, y = charts.thin(range(600), [float(step) for step in range(600)])
    assert len(x) == 300
    assert x[:3].tolist() == [0.5, 2.5, 4.5]
    assert y[:3].tolist() == [0.5, 2.5, 4.5]


def test_what_is_not_finite_leaves_a_gap():
    _, y = charts.thin([0, 1, 2, 3], [1.0, math.nan, None, math.inf])
    assert np.isnan(y).tolist() == [False, True, True, True]
    _, y = charts.thin(range(600), [math.nan, 4.0] + [1.0] * 598)
    assert y[0] == 4.0
    assert "nan" not in charts.curve({"training": ([0, 1, 2], [1.0, math.nan, 2.0])}, name="c")


def test_training_and_held_out_differ_in_colour_and_dashes():
    svg = charts.curve({"training": ([0, 1], [2.0, 1.0]), "held_out": ([0, 1], [2.1, 1.2])}, name="c")
    assert "var(--m-1)" in svg
    assert "stroke-dasharray" in svg


def test_known_models_always_look_alike_and_no_two_the_same():
    one, two = marks(["ppo", "mine"]), marks(["mine", "other", "sft", "ppo"])
    assert one["ppo"] == two["ppo"]
    assert len({(mark.colour, mark.marker) for mark in marks([*OWN, "a", "b", "c", "d", "e"]).values()}) == 17
    assert {mark.marker for mark in marks([*OWN, "a", "b", "c", "d", "e"]).values()} <= set(SHAPES)


STAGES = [
    ("data", "prepare", []),
    ("base", "pretrain", ["data"]),
    ("sft", "sft", ["base", "data"]),
    ("reward", "reward", ["sft", "data", "https://nowhere.example/file"]),
    ("ppo", "ppo", ["sft", "reward"]),
]


def test_stages_stand_right_of_all_they_take():
    assert graph.columns(STAGES) == {"data": 0, "base": 1, "sft": 2, "reward": 3, "ppo": 4}


def test_the_graph_has_a_box_per_stage_and_an_arrow_per_input():
    svg = graph.draw(STAGES)
    assert svg.count("<rect") == 5
    assert svg.count("marker-end") == 7  # unknown inputs are not drawn
    assert graph.draw([]) == ""


def test_boxes_do_not_overlap():
    svg = graph.draw(STAGES)
    boxes = [tuple(map(float, box)) for box in re.findall(r'<rect class="box" x="([\d.]+)" y="([\d.]+)"', svg)]
    for index, (x, y) in enumerate(boxes):
        for u, v in boxes[index + 1 :]:
            assert abs(x - u) >= graph.BOX_WIDTH or abs(y - v) >= graph.BOX_HEIGHT


def test_an_input_that_comes_later_is_no_arrow():
    assert graph.draw([("a", "sft", ["b"]), ("b", "sft", ["a"])]).count("marker-end") == 1


@pytest.mark.parametrize("stage", ["<script>", 'a"b', "\x00"])
def test_names_of_stages_are_escaped(stage):
    svg = graph.draw([(stage, stage + "x", [])])
    assert "<script>" not in svg
    assert "\x00" not in svg
