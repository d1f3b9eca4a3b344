"""A flow drawn: everything in it is in the picture, nothing covers anything, and no text can break it."""

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.agents import drawing, layout, reading
from overture.domain.agent import After, Ask, Branch, FlowSpec, GlobalPhrase, Node, Wait
from tests.architecture.tree import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def drawn(spec: FlowSpec) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.draw(spec))


def texts(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", ["booking.yaml", "appointment-reminder.yaml", "appointment-desk.yaml"])
def test_a_shipped_flow_is_drawn_with_each_node_and_each_way(name: str) -> None:
    spec = reading.read_spec((ROOT / "agents" / name).read_text(), file=name)
    assert isinstance(spec, FlowSpec)
    picture = drawn(spec)
    named = [text.text for text in picture.iter(f"{SVG}text") if text.get("class") == "name"]
    assert sorted(map(str, named)) == sorted([*spec.nodes, "anywhere"])
    ways = {(at, b.goto) for at, node in spec.nodes.items() for b in node.then or ()}
    ways |= {(at, node.goto) for at, node in spec.nodes.items() if node.goto is not None}
    ways |= {(at, node.after.goto) for at, node in spec.nodes.items() if node.after is not None}
    ways |= {("", phrase.goto) for phrase in spec.globals if phrase.goto is not None}
    assert len([path for path in picture.iter(f"{SVG}path") if path.get("marker-end")]) == len(ways)


@pytest.mark.parametrize("name", ["booking", "support", "appointment-desk"])
def test_the_pictures_in_the_documents_are_those_that_the_command_draws(name: str) -> None:
    spec = reading.read_spec((ROOT / "agents" / f"{name}.yaml").read_text(), file=name)
    assert isinstance(spec, FlowSpec)
    assert (ROOT / "docs" / "images" / f"{name}-flow.svg").read_text() == drawing.draw(spec)


def test_conditions_stand_at_their_ways_and_questions_in_their_boxes() -> None:
    asks = Node(say="Shall we?", ask=Ask(slot="wanted", type="yes_no"), then=[Branch(goto="a", when="wanted == true")])
    spec = FlowSpec(name="x", nodes={"start": asks, "a": Node(say="Good.", end="completed")})
    assert {"wanted = true", "? wanted: yes or no", "■ ends: completed", "Good."} <= set(texts(drawn(spec)))


def test_silence_is_a_way_and_a_wait_stands_in_its_box() -> None:
    nodes = {
        "start": Node(say="Hi?", ask=Ask(slot="a"), after=After(silence="24h", goto="rests"), goto="done"),
        "rests": Node(wait=Wait(length="2h"), goto="done"),
        "done": Node(say="Bye.", end="completed"),
    }
    assert {"silent for 24h", "◷ waits 2h"} <= set(texts(drawn(FlowSpec(name="x", nodes=nodes))))


def test_a_way_to_a_node_that_is_not_there_is_drawn_to_a_red_box() -> None:
    spec = FlowSpec(name="x", nodes={"start": Node(say="Hi", goto="nowhere")})
    picture = drawn(spec)
    assert "There is no such node." in texts(picture)
    assert [rect.get("class") for rect in picture.iter(f"{SVG}rect")].count("box missing") == 1


@pytest.mark.parametrize(
    "text",
    [
        "</text><script>alert(1)</script>",
        "a & b < c",
        "\x00\x07\x1b[31m",
        "\u202eabc\u2066",
        "\ud800",
        "x" * 10_000,
        "",
    ],
)
def test_no_text_breaks_the_picture(text: str) -> None:
    spec = FlowSpec(
        name=text,
        nodes={"start": Node(say=text, hand_over=text), text: Node(say="y", goto="start")},
        globals=[GlobalPhrase(phrases=[text], goto="start")],
    )
    picture = drawn(spec)
    assert not list(picture.iter(f"{SVG}script"))
    assert len(drawing.draw(spec).encode()) < 20_000


NAMES = [f"n{n}" for n in range(9)]


@given(ways=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=25))
def test_no_box_covers_another_and_each_way_down_leads_down(ways: list[tuple[str, str]]) -> None:
    placed = layout.lay_out({name: (100.0 + 10 * n, 30.0 + n) for n, name in enumerate(NAMES)}, ways)
    for one, other in combinations(placed.boxes.values(), 2):
        beside = one.x + one.width <= other.x + 1e-6 or other.x + other.width <= one.x + 1e-6
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    for start, end in {way for way in ways if way not in placed.back}:
        assert placed.boxes[start].y + placed.boxes[start].height < placed.boxes[end].y
        rising = [placed.boxes[start].y, *(y for _, y in placed.bends[start, end]), placed.boxes[end].y]
        assert rising == sorted(rising)
    assert all(box.x >= 0 and box.x + box.width <= placed.width + 1e-6 for box in placed.boxes.values())
