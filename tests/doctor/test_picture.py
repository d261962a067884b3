"""The drawing: fits its width, says in words what colour says, and does nothing that the evidence asks for."""

import re
from xml.etree import ElementTree

import pytest

from gatepost.doctor.path.stations import Station
from gatepost.doctor.path.told import How, Told
from gatepost.doctor.picture import STYLE, drawn, in_words, svg

HOSTILE = '\x1b[31m</svg><script>alert(1)</script>" onload="x" &lt; \u202e' + "long " * 100


def told(value, how=How.SEEN):
    return Told(value=value, how=how)


PATH = (
    Station(role="Sender", side="", known=(told("a sender outside", How.ASSUMED),)),
    Station(
        role="Your mail server",
        side="sender",
        known=(told("ex01 (Exchange)"), told(HOSTILE, How.CLAIMED)),
        repair="to be fixed here",
        stops_after=f"550 5.7.64 {HOSTILE}",
    ),
    Station(role="Relay", side="tenant", known=(told("relay.example.net", How.INFERRED),)),
)


@pytest.mark.parametrize("width", [40, 80, 132])
def test_no_line_is_wider_than_the_terminal(width):
    lines = list(drawn(PATH, width))
    assert max(map(len, lines)) <= width
    boxes = [line for line in lines if line.startswith("  │")]
    assert len({len(line) for line in boxes}) == 1
    assert "\x1b" not in "".join(lines)


def test_the_broken_link_and_the_place_of_the_repair_are_words():
    text = "\n".join(drawn(PATH, 80))
    assert text.index("Your mail server: to be fixed here") < text.index("✕  The mail stops here: 550 5.7.64")
    assert text.index("The mail stops here") < text.index("─ Relay ")
    assert re.search(r"a sender outside +assumed │", text)
    assert re.search(r"relay\.example\.net +inferred │", text)


def test_the_svg_is_well_formed_named_and_inert():
    (root,) = ElementTree.fromstring(svg(PATH))
    assert root.attrib["role"] == "img"
    labels = root.attrib["aria-labelledby"].split()
    assert [root.find(f"*[@id='{each}']").tag for each in labels] == ["title", "desc"]
    tags = {each.tag for each in root.iter()}
    assert tags == {"svg", "title", "desc", "g", "rect", "text", "line", "path"}
    names = {name for each in root.iter() for name in each.attrib}
    assert not names & {"style", "href", "src", "onload"}, "styles stand in the page's one style sheet"
    assert any("The mail stops here: 550 5.7.64" in (each.text or "") for each in root.iter("text"))


def test_no_text_runs_over_its_box():
    (root,) = ElementTree.fromstring(svg(PATH))
    assert max(len(each.text or "") for each in root.iter("text")) <= 84


def test_who_does_not_see_it_reads_it():
    words = in_words(PATH)
    assert words.startswith(
        "Sender: a sender outside (assumed). Your mail server: to be fixed here: ex01 (Exchange) (seen)"
    )
    assert "The mail stops here: 550 5.7.64" in words


def test_every_colour_has_its_twin_for_a_dark_page():
    light, _, dark = STYLE.partition("@media(prefers-color-scheme:dark)")
    for part in ("rect", "text", ".how", "line", ".fix rect", ".fix .role", ".stop line", ".stop text", ".stop path"):
        assert f".path {part}" in light, part
        assert f".path {part}" in dark, part


def test_without_stations_nothing_is_drawn():
    assert svg(()) == ""
    assert list(drawn((), 80)) == []
