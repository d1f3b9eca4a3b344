"""The linter names what is wrong with tools: two of a name, what nobody declared, addresses that would be refused."""

import pytest

from overture.agents import lint, reading
from overture.agents.lint import Finding
from overture.domain.errors import Invalid
from overture.domain.tool_address import Reach, Surroundings

FLOW = """
kind: flow
name: T
tools: [{tool}]
nodes:
  start: {{say: "Day?", ask: {{slot: day}}, goto: call}}
  call: {{call: {call}, then: [{{if: tool.ok and ref, goto: done}}, {{goto: done}}]}}
  done: {{say: "Good {{ref}}.", end: completed}}
"""
TOOL = (
    '{kind: http, name: book, method: POST, url: "https://a.example/{day}", headers: {Authorization: "{secret:CRM}"},'
    ' parameters: {day: {required: true}, phone: {bound: "{contact_number}"}}, body: {phone: "{phone}"},'
    " save: {ref: $.ref}}"
)
CALL = '{tool: book, with: {day: "{day}"}}'
PROMPT = "kind: prompt\nname: P\ninstructions: I\ngreeting: Hi\npurpose: To help\n"
HERE = Surroundings(secrets=frozenset({"CRM"}), reach=Reach.read(("crm.internal",)))


def findings(tool: str = TOOL, call: str = CALL, surroundings: Surroundings | None = HERE) -> list[Finding]:
    return lint.lint(reading.read_spec(FLOW.format(tool=tool, call=call)), surroundings)


def test_sound_tools_have_no_findings() -> None:
    assert findings() == []


def changed(before: str, after: str) -> str:
    assert before in TOOL
    return TOOL.replace(before, after)


@pytest.mark.parametrize(
    ("tool", "severity", "where", "sentence"),
    [
        (f"{TOOL}, {TOOL}", "error", "tools[1].name", "two tools 'book'"),
        (changed("{day}", "{other}"), "error", "tools[0].url", "'other' is no parameter"),
        (changed("{required: true}", "{}"), "error", "tools[0].url", "not required"),
        (changed('"{phone}"', '"{x}"'), "error", "tools[0].body.phone", "'x' is no parameter"),
        (changed('"{phone}"', "5"), "warning", "tools[0].parameters.phone", "goes nowhere"),
        (changed('"{phone}"', '"{{phone}}"'), "error", "tools[0].body.phone", "one pair of braces"),
        (changed('"{phone}"', '"{secret:CRM}{phone}"'), "error", "tools[0].body.phone", "belongs into a header"),
        (changed("{contact_number}", "{nobody}"), "error", "tools[0].parameters.phone.bound", "'nobody'"),
        (changed("secret:CRM", "secret:OTHER"), "warning", "tools[0].headers", "no secret 'OTHER'"),
        (changed("{secret:CRM}", "Bearer abc"), "warning", "tools[0].headers.Authorization", "in the agent itself"),
        (changed("{secret:CRM}", "{secret:crm}"), "error", "tools[0].headers.Authorization", "secrets alone"),
        (changed("{secret:CRM}", "{day}"), "error", "tools[0].headers.Authorization", "secrets alone"),
        (changed("Authorization", "Host"), "error", "tools[0].headers.Host", "ours to set"),
        (changed("https://a.example", "https://{day}.example"), "error", "tools[0].url", "must be fixed"),
        (changed("https://a.example", "http://a.example"), "error", "tools[0].url", "not https"),
        (changed("https://a.example", "https://127.0.0.1"), "error", "tools[0].url", "private network"),
        (changed("https://a.example", "https://u:p@a.example"), "error", "tools[0].url", "login"),
        (changed("method: POST", "method: GET"), "error", "tools[0].body", "no body"),
        (changed("{ref: $.ref}", "{ref: $.ref, now: $.now}"), "error", "tools[0].save.now", "name of the system"),
        (f"{TOOL}, {{kind: hand_over}}", "error", "tools[1]", "by its nodes"),
    ],
)
def test_what_is_wrong_with_a_tool_is_named(tool: str, severity: str, where: str, sentence: str) -> None:
    found = [one for one in findings(tool) if sentence in one.sentence]
    assert [(one.severity, one.where) for one in found] == [(severity, where)]
    assert found[0].hint


@pytest.mark.parametrize(
    ("notify", "severity", "where", "sentence"),
    [
        ("{url: https://a.example/h, secret: OTHER}", "warning", "hand_over.notify.secret", "no secret 'OTHER'"),
        ("{url: https://a.example/h}", "warning", "hand_over.notify", "Nothing is signed"),
        ("{url: http://a.example/h, secret: CRM}", "error", "hand_over.notify.url", "not https"),
        ("{url: https://10.0.0.1/h, secret: CRM}", "error", "hand_over.notify.url", "private network"),
        ("{url: https://u:p@a.example, secret: CRM}", "error", "hand_over.notify.url", "login"),
        ("{url: 'https://{day}.example', secret: CRM}", "error", "hand_over.notify.url", "must be fixed"),
        ("{url: file:///etc/passwd, secret: CRM}", "error", "hand_over.notify.url", "does not begin with https"),
    ],
)
def test_what_is_wrong_with_who_is_told_is_named(notify: str, severity: str, where: str, sentence: str) -> None:
    found = lint.lint(reading.read_spec(f"{PROMPT}hand_over: {{notify: {notify}}}"), HERE)
    assert [(one.severity, one.where) for one in found] == [(severity, where)]
    assert sentence in found[0].sentence


@pytest.mark.parametrize(
    "notify", ["{url: https://a.example/h, secret: CRM}", "{url: http://crm.internal:8080, secret: CRM}"]
)
def test_who_is_told_may_be_outside_or_whom_the_operator_named(notify: str) -> None:
    assert lint.lint(reading.read_spec(f"{PROMPT}hand_over: {{notify: {notify}}}"), HERE) == []


def test_what_the_operator_named_may_be_reached() -> None:
    assert findings(changed("https://a.example", "http://crm.internal:8080")) == []


def test_where_the_server_is_not_known_its_settings_are_no_error() -> None:
    found = findings(changed("https://a.example", "http://crm.internal"), surroundings=None)
    assert [one.severity for one in found] == ["warning"]


@pytest.mark.parametrize(
    ("call", "where", "sentence"),
    [
        ("{tool: other}", "nodes.call.call.tool", "no tool 'other'"),
        ("{tool: book}", "nodes.call.call.with", "'day' is missing"),
        ('{tool: book, with: {day: "{nobody}"}}', "nodes.call.call.with.day", "'nobody'"),
        ('{tool: book, with: {day: "{day}", phone: "1"}}', "nodes.call.call.with.phone", "no parameter"),
    ],
)
def test_what_is_wrong_with_a_call_is_named(call: str, where: str, sentence: str) -> None:
    assert (where, True) in [(one.where, sentence in one.sentence) for one in findings(call=call)]


def test_a_flow_that_calls_before_it_asked_is_refused() -> None:
    spec = reading.read_spec(FLOW.format(tool=TOOL, call=CALL).replace("ask: {slot: day}, ", ""))
    assert ("error", "nodes.call.call") in [(one.severity, one.where) for one in lint.lint(spec)]


def test_a_flow_that_does_not_ask_how_the_call_went_is_warned() -> None:
    spec = reading.read_spec(FLOW.format(tool=TOOL, call=CALL).replace("tool.ok and ", ""))
    assert ("warning", "nodes.call.then") in [(one.severity, one.where) for one in lint.lint(spec)]


def test_the_result_of_a_call_is_a_name_only_where_something_is_called() -> None:
    node = 'start: {say: "A?", ask: {slot: a}, then: [{if: tool.ok, goto: start}], end: completed}'
    [finding] = lint.lint(reading.read_spec(f"kind: flow\nname: T\nnodes:\n  {node}\n"))
    assert "tool.ok" in finding.sentence


@pytest.mark.parametrize(
    ("tool", "severity", "sentence"),
    [
        ("{kind: http, name: look, url: 'https://a.example/'}", "warning", "has to guess"),
        ("{kind: end_conversation}", "warning", "may end"),
        ("{kind: extract, name: x, slot: now, description: d}", "error", "name of the system"),
        ("{kind: extract, name: x, slot: x, description: d, question: choice}", "error", "nothing to choose"),
        ("{kind: extract, name: x, slot: x, description: d, choices: [a]}", "error", "has none"),
    ],
)
def test_what_is_wrong_with_a_prompt_agents_tool_is_named(tool: str, severity: str, sentence: str) -> None:
    [finding] = lint.lint(reading.read_spec(f"{PROMPT}tools: [{tool}]"), HERE)
    assert finding.severity == severity
    assert sentence in finding.sentence


@pytest.mark.parametrize(
    "tool",
    [
        "{kind: shell, name: x}", "{kind: http, name: x}", "{kind: http, name: 'a b', url: 'https://a.b/'}",
        "{kind: http, name: x, url: 'https://a.b/', timeout_seconds: 16}", "5",
        "{kind: http, name: x, url: 'https://a.b/', method: TRACE}",
        "{kind: http, name: x, url: 'https://a.b/', save: {a: '$..a'}}",
        "{kind: http, name: x, url: 'https://a.b/', parameters: {a: {type: object}}}",
        "{kind: http, name: x, url: 'https://a.b/', wirtes: true}",
    ],
)  # fmt: skip
def test_a_tool_that_cannot_be_read_is_refused(tool: str) -> None:
    with pytest.raises(Invalid):
        reading.read_spec(f"{PROMPT}tools: [{tool}]")
