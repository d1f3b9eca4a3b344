"""The linter names what is wrong, where, and what to do."""

from typing import Any

import msgspec
import pytest

from overture.agents import lint, reading
from overture.agents.lint import Finding
from overture.domain.agent import Ask, FlowSpec, Node, Prompt, PromptSpec, Variable
from overture.domain.model_budget import Limits, ModelBudget
from overture.domain.rules import Rules
from overture.domain.tool_address import Surroundings

ASKS = "nodes: {start: {say: A, ask: {slot: s}, goto: start"
CLEAN = """
nodes:
  start: {say: "Hi. Come?", ask: {slot: come, type: yes_no}, then: [{if: come, goto: done}, {goto: bye}]}
  done: {say: "Good.", end: completed}
  bye: {say: "Pity.", end: cancelled}
"""


def findings(text: str) -> list[Finding]:
    return lint.lint(reading.read_spec(f"kind: flow\nname: Test\n{text}"))


def test_a_sound_flow_has_no_findings() -> None:
    assert findings(CLEAN) == []


@pytest.mark.parametrize(
    ("text", "severity", "where", "sentence"),
    [
        ("start: nowhere" + CLEAN, "error", "start", "no node 'nowhere'"),
        ("nodes: {start: {say: A, goto: x}}", "error", "nodes.start.goto", "no node 'x'"),
        ("nodes: {start: {say: A, then: [{goto: x}]}}", "error", "nodes.start.then[0].goto", "no node 'x'"),
        ("nodes: {start: {say: A, end: completed}, b: {say: B, end: completed}}", "warning", "nodes.b", "No way leads"),
        ("nodes: {start: {say: A}}", "error", "nodes.start", "stops here"),
        ("nodes: {start: {say: A, ask: {slot: s}}}", "error", "nodes.start", "stops after the answer"),
        (
            "nodes: {start: {say: A, ask: {slot: s}, then: [{if: s, goto: start}]}}",
            "warning",
            "nodes.start.then",
            "no condition holds",
        ),
        ("nodes: {start: {say: A, goto: b}, b: {say: B, goto: start}}", "error", "nodes.start", "for ever"),
        ("nodes: {start: {say: A, goto: start}}", "error", "nodes.start", "for ever"),
        ("nodes: {start: {say: A, wait: {for: 1h}, goto: start}}", "error", "nodes.start", "for ever"),
        (f"{ASKS}, after: {{silence: 1d, goto: x}}}}}}", "error", "nodes.start.after.goto", "no node 'x'"),
        (f"{ASKS}, after: {{silence: soon, goto: start}}}}}}", "error", "nodes.start.after.silence", "'soon' is no"),
        (f"{ASKS}, after: {{silence: 5s, goto: start}}}}}}", "error", "nodes.start.after.silence", "'5s' is no"),
        (f"{ASKS}, after: {{silence: 3d, goto: start}}}}}}", "warning", "nodes.start.after.silence", "inactivity"),
        (
            "nodes: {start: {say: A, end: completed, after: {silence: 1d, goto: start}}}",
            "error",
            "nodes.start.after",
            "Nothing is asked",
        ),
        (f"{ASKS}, wait: {{for: 2h}}}}}}", "error", "nodes.start.wait", "does not wait"),
        (f"max_follow_ups: 0\n{ASKS}, after: {{silence: 1d, goto: start}}}}}}", "error", "max_follow_ups", "It is 0"),
        (
            "nodes: {start: {say: A, then: [{goto: b}, {goto: start}]}, b: {say: B, end: completed}}",
            "warning",
            "nodes.start.then[0]",
            "never reached",
        ),
        (
            "nodes: {start: {say: A, goto: b, end: completed}, b: {say: B, end: completed}}",
            "warning",
            "nodes.start.goto",
            "never reached",
        ),
        (
            'nodes: {start: {say: "That is {count * 5 + 20} dollars", end: completed}}',
            "warning",
            "nodes.start.say",
            "'{count * 5 + 20}' is no placeholder",
        ),
        ('nodes: {start: {say: "A } B", end: completed}}', "warning", "nodes.start.say", "'}' is no placeholder"),
        ('nodes: {start: {say: "Hi {name}", end: completed}}', "error", "nodes.start.say", "'name' is not declared"),
        ("nodes: {start: {say: A, hand_over: 'x {name}'}}", "error", "nodes.start.hand_over", "'name'"),
        ("not_understood: 'x {name}'" + CLEAN, "error", "not_understood", "'name'"),
        ("hand_over_message: ''" + CLEAN, "error", "hand_over_message", "empty"),
        ("fallback: ' '" + CLEAN, "error", "fallback", "empty"),
        ("nodes: {start: {ask: {slot: s}, end: completed}}", "error", "nodes.start.ask", "without a question"),
        ("nodes: {start: {say: A, ask: {slot: now}, end: completed}}", "error", "nodes.start.ask.slot", "the system"),
        (
            "nodes: {start: {say: A, ask: {slot: s, type: choice}, end: completed}}",
            "error",
            "nodes.start.ask.choices",
            "nothing to choose",
        ),
        (
            "nodes: {start: {say: A, ask: {slot: s, type: choice, choices: {a: [x], b: [X!]}}, end: completed}}",
            "error",
            "nodes.start.ask.choices.b",
            "'x' already means 'a'",
        ),
        (
            "nodes: {start: {say: A, ask: {slot: s, type: choice, choices: [a, '?']}, end: completed}}",
            "error",
            "nodes.start.ask.choices.?",
            "Nobody can say it",
        ),
        (
            "nodes: {start: {say: A, ask: {slot: s, choices: [a, b]}, end: completed}}",
            "error",
            "nodes.start.ask.choices",
            "has no choices",
        ),
        (
            "nodes: {start: {say: A, ask: {slot: s, type: number, min: 3, max: 1}, end: completed}}",
            "error",
            "nodes.start.ask",
            "between 3 and 1",
        ),
        (
            "nodes: {start: {say: A, ask: {slot: s, type: choice, choices: [a, b], weak: [c]}, end: completed}}",
            "error",
            "nodes.start.ask.choices",
            "weak label 'c'",
        ),
        (
            "globals: [{phrases: [a]}]" + CLEAN,
            "error",
            "globals[0]",
            "Nothing follows",
        ),
        ("globals: [{phrases: ['!'], say: Hi}]" + CLEAN, "error", "globals[0].phrases", "nothing to listen for"),
        ("globals: [{phrases: [a], goto: x}]" + CLEAN, "error", "globals[0].goto", "no node 'x'"),
        (
            """
globals: [{phrases: [beard], say: Hi}]
nodes: {start: {say: A, ask: {slot: s, type: choice, choices: [cut, beard trim]}, end: completed}}""",
            "warning",
            "nodes.start.ask.choices.beard trim",
            "caught by a global phrase",
        ),
        (
            "nodes: {start: {say: A, then: [{if: 'x ==', goto: start}], end: completed}}",
            "error",
            "nodes.start.then[0].if",
            "cannot be read",
        ),
        (
            "nodes: {start: {say: A, then: [{if: x, goto: start}], end: completed}}",
            "error",
            "nodes.start.then[0].if",
            "neither a slot nor a variable",
        ),
        (
            "nodes: {start: {say: A, ask: {slot: s, type: choice, choices: [KEEP, Cancel]}, end: completed}}",
            "error",
            "nodes.start.ask.choices.Cancel",
            "never reaches the agent",
        ),
        ("nodes: {start: {say: 'Reply CANCEL to call it off.', end: completed}}", "error", "nodes.start.say", "CANCEL"),
        ("nodes: {start: {say: 'Reply YES to come or CANCEL.', end: completed}}", "error", "nodes.start.say", "CANCEL"),
        ("nodes: {start: {say: 'Reply 1, QUIT or KEEP', end: completed}}", "error", "nodes.start.say", "QUIT"),
        (
            "nodes: {start: {say: 'What now? 1 Confirm, 2 Cancel', end: completed}}",
            "error",
            "nodes.start.say",
            "Cancel",
        ),
        ("globals: [{phrases: [quit, bye], say: Bye}]" + CLEAN, "warning", "globals[0].phrases", "never reaches"),
        ("nodes: {start: {say: 'Antworten Sie mit END.', end: completed}}", "error", "nodes.start.say", "END"),
        (f"nodes: {{start: {{say: {'x' * 321}, end: completed}}}}", "warning", "nodes.start.say", "321 characters"),
        ("nodes: {start: {say: It’s me, end: completed}}", "warning", "nodes.start.say", "'’' (U+2019)"),
        ("timezone: Mars/Base" + CLEAN, "error", "timezone", "no time zone"),
        (
            "rules: {quiet_hours: {start: 20:00, time_zone: Mars/Base}}" + CLEAN,
            "error",
            "rules.quiet_hours.time_zone",
            "no time zone",
        ),
        ("language: english" + CLEAN, "error", "language", "no language tag"),
        ("language: fi" + CLEAN, "warning", "language", "only in English"),
        ("variables: {now: {}}" + CLEAN, "error", "variables.now", "system"),
        ("variables: {a: {required: true, default: x}}" + CLEAN, "warning", "variables.a", "default"),
        ("variables: {a: {max_length: 0}}" + CLEAN, "error", "variables.a", "no room"),
    ],
)
def test_a_flaw_is_found(text: str, severity: str, where: str, sentence: str) -> None:
    found = [one for one in findings(text) if one.where == where and sentence in one.sentence]
    assert [one.severity for one in found] == [severity]
    assert all(one.hint.endswith((".", "x", "4")) for one in found)


@pytest.mark.parametrize(
    "say",
    [
        "Reply STOP to unsubscribe.",
        "Text STOP to opt out, HELP for help.",
        "Reply YES to come or STOP to unsubscribe.",
        "Reply 1 to come or cancel by phone.",
        "Choose: 1 the end of May, 2 June.",
        "Answer YES to come.",  # YES is a keyword only for those who opted out
        "Antworten Sie mit 1.",
        "Grüße aus Köln: schön, dass Sie da sind!",
        "The end is near. Cancel culture.",
    ],
)
def test_what_is_fine_is_not_found(say: str) -> None:
    assert findings(f"nodes: {{start: {{say: '{say}', end: completed}}}}") == []


@pytest.mark.parametrize(
    ("spec", "severity", "where"),
    [
        (PromptSpec(name="P", instructions=" ", greeting="Hi", purpose="p"), "error", "instructions"),
        (PromptSpec(name="P", instructions="I {x}", greeting="Hi", purpose="p"), "warning", "instructions"),
        (PromptSpec(name="P", instructions="I", greeting="Hi {x}", purpose="p"), "error", "greeting"),
        (PromptSpec(name="P", instructions="I", purpose="p"), "warning", "greeting"),
        (PromptSpec(name="P", instructions="I", greeting="Hi"), "warning", "purpose"),
        (
            PromptSpec(name="P", instructions="I", greeting="Hi", purpose="p", end_reasons=["a]"]),
            "error",
            "end_reasons[0]",
        ),
        (PromptSpec(name="P", instructions="I", greeting="Hi", purpose="p", disclosure="{x}"), "error", "disclosure"),
        (PromptSpec(name=" ", instructions="I", greeting="Hi", purpose="p"), "error", "name"),
    ],
)
def test_a_flaw_of_a_prompt_agent_is_found(spec: PromptSpec, severity: str, where: str) -> None:
    assert [(one.severity, one.where) for one in lint.lint(spec)] == [(severity, where)]


def test_tags_and_json_in_instructions_are_no_flaw() -> None:
    instructions = '<rules>Be kind to {guest}.</rules> {"a": {"b": 1}} {color: red}'
    spec = PromptSpec(name="P", instructions=instructions, greeting="Hi", purpose="p", variables={"guest": Variable()})
    assert lint.lint(spec) == []


@pytest.mark.parametrize(
    ("earliest", "latest", "told"),
    [
        ("18:00", "09:00", "No time is between 18:00 and 09:00."),
        ("00:00", "23:59", 'Some times mean two times of day, as "at 8" does; they are asked again.'),
        ("08:00", "20:00", 'Some times mean two times of day, as "at 8" does; they are asked again.'),
        ("09:00", "18:00", None),
        ("13:00", "23:00", None),
    ],
)
def test_hours_that_leave_no_time_or_two_are_told(earliest: str, latest: str, told: str | None) -> None:
    ask = Ask(slot="at", type="time", earliest=earliest, latest=latest)
    spec = FlowSpec(name="x", nodes={"start": Node(say="When?", ask=ask, end="completed")})
    said = {finding.sentence for finding in lint.lint(spec) if finding.where == "nodes.start.ask"}
    assert said == ({told} if told else set())


@pytest.mark.parametrize(
    ("asked", "models", "told"),
    [
        (None, set(), ["model: The settings name no model."]),
        ("large", set(), ["model: The settings name no model."]),
        ("large", {"small"}, ["model: There is no model endpoint 'large'."]),
        ("large", {"large"}, []),
        (None, {"small"}, []),
        ("large", None, []),
    ],
)
def test_a_prompt_agent_whose_model_is_not_there_is_warned_of(
    asked: str | None, models: set[str] | None, told: list[str]
) -> None:
    spec = PromptSpec(name="N", purpose="To try.", greeting="Hi.", instructions="Answer.", model=asked)
    known = Surroundings(models=None if models is None else frozenset(models))
    assert [f"{one.where}: {one.sentence}" for one in lint.lint(spec, known)] == told


COSTLY, DAILY = Limits(cost_per_conversation=1_000), Rules(model_budget=ModelBudget(cost_per_day=1_000))
UNPRICED = "has no price, so the agent stops before its first question to it."


@pytest.mark.parametrize(
    ("asked", "priced", "told"),
    [
        (None, set(), [f"The first model endpoint {UNPRICED}"]),
        ("large", set(), [f"The model endpoint 'large' {UNPRICED}"]),
        ("large", {None, "small"}, [f"The model endpoint 'large' {UNPRICED}"]),
        ("large", {"large"}, []),
        (None, {None, "small"}, []),
    ],
)
@pytest.mark.parametrize(
    ("given", "where"),
    [({"limits": COSTLY}, "limits.cost_per_conversation"), ({"rules": DAILY}, "rules.model_budget.cost_per_day")],
)
def test_a_limit_on_cost_without_a_price_is_warned_of(
    asked: str | None, priced: set[str | None], told: list[str], given: dict[str, Any], where: str
) -> None:
    spec = PromptSpec(name="N", purpose="To try.", greeting="Hi.", instructions="Answer.", model=asked, **given)
    asks = {
        "start": Node(say="Hi?", ask=Ask(slot="a"), goto="b"),
        "b": Node(prompt=Prompt(instructions="Go", model=asked), goto="start"),
    }
    known = Surroundings(models=frozenset({"small", "large"}), priced=frozenset(priced))
    for one in (spec, FlowSpec(name="F", nodes=asks, **given)):
        found = [(finding.where, finding.severity, finding.sentence) for finding in lint.lint(one, known)]
        assert found == [(where, "warning", sentence) for sentence in told]
        assert lint.lint(one) == []


def test_who_limits_tokens_or_asks_no_model_needs_no_price() -> None:
    known = Surroundings(models=frozenset({"small"}))
    spec = PromptSpec(name="N", purpose="To try.", greeting="Hi.", instructions="Answer.")
    assert lint.lint(msgspec.structs.replace(spec, limits=Limits(tokens_per_conversation=1_000)), known) == []
    flow = FlowSpec(name="F", nodes={"start": Node(say="Hi?", ask=Ask(slot="a"), goto="start")}, limits=COSTLY)
    assert lint.lint(flow, known) == []
