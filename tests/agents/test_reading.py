"""An agent's text becomes a specification, or a sentence that says where and what to do."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overture.agents import reading
from overture.domain.agent import FlowSpec, PromptSpec
from overture.domain.errors import Invalid

FLOW = "kind: flow\nname: N\nnodes: {start: {say: Hi, end: completed}}\n"


def test_yaml_and_json_read_the_same() -> None:
    spec = reading.read_spec(FLOW)
    assert isinstance(spec, FlowSpec)
    raw = {"kind": "flow", "name": "N", "nodes": {"start": {"say": "Hi", "end": "completed"}}}
    assert (
        reading.read_spec(json.dumps(raw))
        == reading.read_spec(json.dumps(raw, indent=2))
        == reading.to_spec(raw)
        == spec
    )
    assert isinstance(reading.read_spec("kind: prompt\nname: P\ninstructions: Be kind."), PromptSpec)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "n", "12:30", "2026-11-22", "010", "1_000", "0x1F"])
def test_words_that_people_answer_with_stay_words(word: str) -> None:
    spec = reading.read_spec(f"{FLOW}globals: [{{phrases: [{word}], goto: start}}]")
    assert isinstance(spec, FlowSpec)
    assert spec.globals[0].phrases == [word]


@pytest.mark.parametrize(
    ("text", "field", "part"),
    [
        ("", None, "no fields"),
        ("[]", None, "no fields"),
        ("kind: bot\nname: N", "kind", "'bot'"),
        ("name: N", "kind", "None"),
        ("kind: flow\nname: N", None, "missing required field `nodes`"),
        ("kind: flow\nname: N\nnodes: {start: {sayy: Hi}}", "nodes.start", "unknown field `sayy`"),
        (
            "kind: flow\nname: N\nnodes: {a: {say: Hi}, b: {ask: {slot: 1}}}",
            "nodes.b.ask.slot",
            "Expected `str`, got `int`",
        ),
        ("kind: flow\nname: N\nnodes: {a: {say: Hi, end: never}}", "nodes.a.end", "Invalid enum value"),
        ("kind: flow\nname: N\nnodes: {a: {ask: {slot: 'a b'}}}", "nodes.a.ask.slot", "regex"),
        (f"{FLOW}variables: {{x: {{required: maybe}}}}", "variables.x.required", "Expected `bool`"),
        (f"{FLOW}colour: red", None, "unknown field `colour`"),
        (f"{FLOW}max_turns: 0", "max_turns", "Expected `int` >= 1"),
        (f"{FLOW}on_uncertain: retry", "on_uncertain", "Invalid enum value 'retry'"),
        (f"{FLOW}name: M", None, "'name' stands twice"),
        ("kind: flow\n  name: N", None, "line 2"),
        ("a: {", None, "line 1"),
        ("a: !!python/object/apply:os.system [x]", None, "python"),
        ("a: &x [1]\nb: *x", None, "aliases"),
        ("a: " + "[" * 50_000, None, "nested deeper"),
        ("x" * 200_001, None, "more than 200000 characters"),
        ("\x00", None, "not YAML"),
        ("? [a, b]\n: c", None, "unhashable"),
        ("kind: flow\nmax_turns: " + "9" * 5_000, None, "not YAML"),
        ("--- a\n--- b", None, "found another document"),
    ],
)
def test_a_text_that_is_no_agent_is_refused_with_place_and_reason(text: str, field: str | None, part: str) -> None:
    with pytest.raises(Invalid) as refused:
        reading.read_spec(text, file="salon.yaml")
    assert refused.value.code == "agent_invalid"
    assert refused.value.field == field
    assert refused.value.description.startswith("salon.yaml")
    assert part in refused.value.description
    assert refused.value.hint


@settings(deadline=None)
@given(st.text(alphabet="abk:{}[]-*&!|>\"'# \n\t?,0", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(Invalid):
        reading.read_spec(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "kind: flow\nname: N\nnodes: {a: {ask: {slot: x, type: colour}}}",
            "It is one of text, yes_no, choice, number",
        ),
        ("kind: flow\nname: N\nnodes: {a: {end: never}}", "It is one of completed, cancelled."),
        (
            "kind: flow\nname: N\nnodes: {a: {prompt: {instructions: x, type: date}}}",
            "It is one of text, yes_no, choice.",
        ),
        (f"{FLOW}on_uncertain: retry", "It is one of resend, hold."),
        (f"{FLOW}hand_over: {{otherwise: cry}}", "It is one of wait, resume, message, end."),
        ("kind: flow\nname: N\nnodes: {start: {sayy: Hi}}", "Did you mean `say`? Fields are"),
        ("kind: flow\nname: N\nnods: {}", "Did you mean `nodes`? Fields are"),
        (f"{FLOW}zzzz: red", "Correct its spelling or indentation. Fields are"),
    ],
)
def test_who_mistypes_a_word_is_told_which_there_are(text: str, hint: str) -> None:
    with pytest.raises(Invalid) as refused:
        reading.read_spec(text)
    assert str(refused.value.hint).startswith(hint)
