"""Variables are filled in one pass, and nothing but known names is touched."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.agents import variables
from overture.agents.variables import Missing
from overture.domain.agent import FlowSpec, Json, Node, Variable
from overture.domain.channel import Channel
from overture.domain.errors import Invalid
from overture.domain.time_zones import find_zone

VALUES: dict[str, Json] = {"name": "Ana", "n": 3, "half": 0.5, "two": 2.0, "yes": True, "none": None, "map": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hi {name}!", "Hi Ana!"),
        ("Hi {{name}}!", "Hi Ana!"),
        ("Hi {{ name }}!", "Hi Ana!"),
        ("Hi <name>!", "Hi Ana!"),
        ("Hi {name|there}!", "Hi Ana!"),
        ("Hi {none|there}!", "Hi there!"),
        ("Hi {{none|there}}!", "Hi there!"),
        ("{n} {half} {two} {yes} {map}", '3 0.5 2 true {"a":1}'),
        ("[{none}]", "[]"),
        ("{unknown} {unknown|x} <unknown> {{unknown}}", "{unknown} {unknown|x} <unknown> {{unknown}}"),
        ('{"name": {"a": [1, {}]}}', '{"name": {"a": [1, {}]}}'),
        ('{"who":{name}}', '{"who":Ana}'),
        ('{"who":{"is":"{{name}}"}}', '{"who":{"is":"Ana"}}'),
        ("a { color: red } b{name:1}", "a { color: red } b{name:1}"),
        ("<b>x</b> </name> < name >", "<b>x</b> </name> < name >"),
        ("{{{name}}}", "{Ana}"),
        ("{name", "{name"),
        ("{NAME}", "{NAME}"),
        ("", ""),
    ],
)
def test_instructions_keep_everything_but_known_names(text: str, filled: str) -> None:
    assert variables.fill_instructions(text, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hi {late}, welcome", "Hi, welcome"),
        ("Hi {late|you}, welcome", "Hi you, welcome"),
        ("Thank you {late}.", "Thank you."),
        ("{late} hello", " hello"),
        ("Code {json} {name}", "Code {json} Ana"),
        ("Ends {late}", "Ends"),
        ("Nul \x00 {late}", "Nul  "),
    ],
)
def test_a_message_never_shows_a_known_name_without_a_value(text: str, filled: str) -> None:
    assert variables.fill_message(text, VALUES, {"late"}) == filled


@pytest.mark.parametrize("hostile", ["{name}", "{{other}}", "<name>", "{other|x}", "{{{name}}}", "{na{other}me}"])
def test_a_value_is_never_expanded_and_never_leaves_as_a_placeholder(hostile: str) -> None:
    filled = variables.fill_message(
        "To {name}: {other}", {"name": hostile, "other": "secret" if hostile != "{{other}}" else ""}
    )
    assert filled.count("secret") <= 1
    assert variables.raw_placeholders(filled, {"name", "other"}) == []


def test_instructions_do_not_expand_values_either() -> None:
    assert variables.fill_instructions("{a}", {"a": "{b}", "b": "secret"}) == "{b}"


@given(
    text=st.text(alphabet="{}<>|ab\n ", max_size=60),
    values=st.dictionaries(st.sampled_from(["a", "b", "ab"]), st.text(alphabet="{}<>|ab", max_size=8), max_size=3),
)
def test_no_placeholder_of_a_known_name_ever_leaves(text: str, values: dict[str, Json]) -> None:
    filled = variables.fill_message(text, values, {"a", "b"})
    assert variables.raw_placeholders(filled, {"a", "b", *values}) == []


@given(st.text())
def test_a_text_without_known_names_stays_byte_for_byte(text: str) -> None:
    assert variables.fill_instructions(text, {}) == text


@pytest.mark.parametrize("piece", ["{", "{{", "{a", "{a|", "<", "<a", "{{a|x}", "{ ", "}"])
def test_a_hostile_text_is_filled_in_linear_time(piece: str) -> None:
    """Quadratic work on 140 kB would take minutes; the test's own time limit is the judge."""
    text = piece * (140_000 // len(piece))
    assert isinstance(variables.fill_message(text, {"a": "x"}, {"b"}), str)


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("Ana", "Ana"),
        ("  Ana\r\nBo\tC  ", "Ana Bo C"),
        ("a\x00b\x1b[0mc", "ab[0mc"),
        ("\u202eevil\u2066", "evil"),
        ("a\u2028b\x85c", "a b c"),
        ("👩‍👧 ü", "👩‍👧 ü"),
        ("\ud800x", "x"),
    ],
)
def test_a_value_is_cleaned(value: str, cleaned: str) -> None:
    assert variables.clean(value) == cleaned


def spec_with(**declared: Variable) -> FlowSpec:
    return FlowSpec(name="Test", nodes={"start": Node(say="Hi", end="completed")}, variables=declared)


def test_values_come_from_the_caller_then_the_default_and_the_system_wins() -> None:
    spec = spec_with(
        a=Variable(default="x"), b=Variable(default=2), c=Variable(max_length=3), d=Variable(required=True)
    )
    resolved = variables.resolve(
        spec, {"b": 5, "c": "longer", "d": "y\nz", "more": [1], "now": "lie"}, {"now": "12:00"}
    )
    assert resolved == {"a": "x", "b": 5, "c": "lon", "d": "y z", "more": [1], "now": "12:00"}


@pytest.mark.parametrize("value", [None, "", "   ", "\x00"])
def test_a_required_variable_without_a_value_is_missing(value: Json) -> None:
    spec = spec_with(a=Variable(required=True), b=Variable(required=True), c=Variable())
    assert variables.resolve(spec, {"a": value}, {}) == Missing(names=("a", "b"))


def test_zero_and_false_are_values() -> None:
    spec = spec_with(a=Variable(required=True), b=Variable(required=True))
    assert variables.resolve(spec, {"a": 0, "b": False}, {}) == {"a": 0, "b": False}


def test_the_systems_times_stand_in_the_agents_zone() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    values = variables.system_variables(
        now=late,
        timezone="Europe/Berlin",
        language="de-DE",
        channel=Channel.WHATSAPP,
        contact_number="+15559876543",
        agent_number="+15551234567",
        conversation_id="c1",
    )
    assert values.keys() == variables.SYSTEM
    assert (values["now"], values["today"], values["weekday"]) == ("2026-11-23 00:30", "2026-11-23", "Montag")
    assert (values["from_phone_number"], values["to_phone_number"]) == ("+15551234567", "+15559876543")
    assert values["user_phone_number"] == values["contact_number"] == "+15559876543"


@pytest.mark.parametrize("name", ["Nowhere/City", "", "../etc/passwd", "Europe", "\x00", "x" * 500])
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert find_zone(name) is None
    values = variables.system_variables(
        now=datetime(2026, 1, 1, tzinfo=UTC),
        timezone=name,
        language="xx",
        channel=Channel.SMS,
        contact_number="1",
        agent_number="2",
        conversation_id="3",
        opened_by_contact=True,
    )
    assert (values["now"], values["weekday"], values["from_phone_number"]) == ("2026-01-01 00:00", "Thursday", "1")


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        (None, {}),
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        ([{"key": "a", "value": 1}, {"key": "b", "value": None}], {"a": 1, "b": None}),
        ([{"key": "a", "value": 1}, {"key": "a", "value": 2}], {"a": 2}),
        (["Company: Blue Salon"], {"Company": "Blue Salon"}),
    ],
)
def test_custom_variables_come_in_three_shapes(given: Json, normal: dict[str, Json]) -> None:
    assert variables.normalise_custom(given) == normal


@pytest.mark.parametrize("given", ["x", 1, True, [1], [{"key": 1, "value": 2}], [{"value": 2}], [[]], ["no colon"]])
def test_other_shapes_of_custom_variables_are_refused(given: Json) -> None:
    with pytest.raises(Invalid) as refused:
        variables.normalise_custom(given)
    assert (refused.value.field or "").startswith("custom_variables")
