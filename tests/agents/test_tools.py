"""What a model or a flow gives a tool is checked before anything is sent, and what comes back is data."""

import json
from typing import Any

import pytest

from overture.agents import tools
from overture.domain.agent import Json
from overture.domain.tool import SHOWN, ExtractTool, HttpAnswer, HttpTool, Parameter

SYSTEM: dict[str, Json] = {"contact_number": "+15550100001", "conversation_id": "c1"}
BOOK = HttpTool(
    name="book",
    method="POST",
    url="https://api.example.com/v1/{salon}/bookings?lang={lang}",
    parameters={
        "salon": Parameter(required=True),
        "day": Parameter(required=True, max_length=20),
        "people": Parameter(type="integer"),
        "deposit": Parameter(type="number"),
        "pets": Parameter(type="boolean"),
        "lang": Parameter(enum=["en", "de"]),
        "phone": Parameter(bound="{contact_number}", required=True),
    },
    query={"people": "{people}", "day": "{day}"},
    body={"day": "{day}", "people": "{people}", "by": {"phone": "{phone}"}, "note": "For {people} on {day}", "n": [1]},
    save={"reference": "$.booking.ref", "first": "$.slots[0]", "all": "$"},
)


def prepared(**given: Any) -> Any:
    return tools.prepare(BOOK, {"salon": "main", "day": "Monday", **given}, SYSTEM)


def test_a_call_is_built_from_its_declaration_and_checked_values() -> None:
    request = prepared(people=4.0)
    assert (request.method, request.headers) == ("POST", {"Content-Type": "application/json"})
    assert request.url == "https://api.example.com/v1/main/bookings?lang=&people=4&day=Monday"
    assert json.loads(request.body) == {
        "day": "Monday",
        "people": 4,
        "by": {"phone": "+15550100001"},
        "note": "For 4 on Monday",
        "n": [1],
    }


def test_what_was_not_given_is_left_out_not_sent_empty() -> None:
    assert "people" not in json.loads(prepared(people=None).body)
    assert "people=" not in prepared().url


HOSTILE = [
    "a b", "a?b=c", "a#b", "a&b=c;d", "a@b:c", "日本", "\N{FULLWIDTH SOLIDUS}", "{day}", "<day>", "{secret:CRM}",
    "\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}", "javascript:alert(1)", '"}, "admin": {"x": "', "…",
]  # fmt: skip


@pytest.mark.parametrize("value", [*HOSTILE, "a\r\nHost: evil", "a\nb", "\x00"])
def test_no_value_leaves_its_place_in_the_query_or_the_body(value: str) -> None:
    request = tools.prepare(BOOK, {"salon": "main", "day": value[:20]}, SYSTEM)
    assert request.url.startswith("https://api.example.com/v1/main/bookings?")
    assert request.url.count("?") == 1
    assert request.url.count("&") == 1
    assert request.url.isascii()
    assert request.url.isprintable()
    assert json.loads(request.body or "")["day"] == value[:20]
    assert json.loads(request.body or "").keys() == {"day", "by", "note", "n"}


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_leaves_its_place_in_the_path(value: str) -> None:
    request = tools.prepare(BOOK, {"salon": value, "day": "x"}, SYSTEM)
    assert request.url.startswith("https://api.example.com/v1/")
    assert request.url.partition("?")[0].count("/") == 5
    assert request.url.isascii()


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "../x", "..\\x", "%2e%2e", "a\r\nHost: evil", "\x00", "\x7f"])
def test_a_value_that_would_lead_to_another_path_is_refused(value: str) -> None:
    with pytest.raises(tools.BadCallError):
        tools.prepare(BOOK, {"salon": value, "day": "x"}, SYSTEM)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"day": None}, "'day' is missing"),
        ({"day": 5}, "must be of type string"),
        ({"day": ["Monday"]}, "must be of type string"),
        ({"day": "x" * 21}, "more than 20 characters"),
        ({"day": "\ud800"}, "no text"),
        ({"people": "4"}, "must be of type integer"),
        ({"people": 4.5}, "whole number"),
        ({"people": True}, "must be of type integer"),
        ({"people": 10**400}, "whole number"),
        ({"people": float("nan")}, "whole number"),
        ({"deposit": float("inf")}, "must be a number"),
        ({"deposit": 1e305}, "must be a number"),
        ({"pets": "yes"}, "must be of type boolean"),
        ({"pets": 1}, "must be of type boolean"),
        ({"lang": "fr"}, "one of en, de"),
        ({"phone": "+19990000000"}, "no parameter 'phone'"),
        ({"workspace": "other"}, "no parameter 'workspace'"),
    ],
)
def test_arguments_that_break_the_declaration_are_told_back(given: dict[str, Any], told: str) -> None:
    with pytest.raises(tools.BadCallError, match=told):
        prepared(**given)


@pytest.mark.parametrize(
    "text", ["{no json", "[]", "null", "5", '"x"', '{"a": ', "[" * 100_000, "x" * 20_000, '{"a":"\ud800"}', "NaN"]
)
def test_arguments_that_are_no_object_are_told_back(text: str) -> None:
    with pytest.raises(tools.BadCallError):
        tools.read_arguments(text)


def test_no_arguments_at_all_are_none() -> None:
    assert tools.read_arguments("") == {}


def test_a_bound_value_is_the_servers_whatever_was_noted_down() -> None:
    values = tools.values_of({"contact_number": "+15550100001"}, {"contact_number": "+19990000000", "ref": "A1"})
    assert values == {"contact_number": "+15550100001", "ref": "A1"}


def test_a_bound_parameter_without_a_value_stops_the_call_that_requires_it() -> None:
    with pytest.raises(tools.BadCallError, match="'phone' is missing"):
        tools.prepare(BOOK, {"salon": "main", "day": "x"}, {"contact_number": ""})


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("people", "{n}", 4),
        ("people", "4", 4),
        ("people", "four", "four"),
        ("day", "{n}", "4"),
        ("day", "on {d}, {none}", "on Monday, "),
        ("pets", "true", True),
        ("deposit", 2.5, 2.5),
    ],
)
def test_a_flow_gives_values_as_their_parameters_are_typed(name: str, text: Any, expected: Any) -> None:
    given = tools.from_flow(BOOK, {name: text}, {"n": 4, "d": "Monday"})
    assert given[name] == (expected.strip() if isinstance(expected, str) else expected)


def test_a_slot_without_a_value_is_not_given() -> None:
    assert tools.from_flow(BOOK, {"people": "{n}", "day": ""}, {}) == {}


# answers


def answered(body: bytes, status: int = 200, content_type: str = "application/json", *, is_whole: bool = True) -> Any:
    return tools.read_answer(BOOK, HttpAnswer(status=status, content_type=content_type, body=body, is_whole=is_whole))


def test_parts_of_an_answer_become_slots() -> None:
    told = answered(b'{"booking": {"ref": "A\\n17"}, "slots": [9]}')
    assert (told.outcome, told.ok, told.status) == ("done", True, 200)
    assert told.saved["reference"] == "A 17"
    assert told.saved["first"] == 9
    assert json.loads(told.content)["answer"]["booking"] == {"ref": "A\n17"}


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (b"{}", "reference"),
        (b'{"booking": []}', "reference"),
        (b'{"booking": {"ref": null}}', "reference"),
        (b'{"slots": {"0": 1}}', "first"),
        (b'{"slots": []}', "first"),
    ],
)
def test_what_an_answer_lacks_fills_no_slot(body: bytes, missing: str) -> None:
    assert missing not in answered(body).saved


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html><script>", "text/html"),
        (b"\x89PNG", "image/png"),
        (b"{cut", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"", "application/json"),
    ],
)
def test_an_answer_that_cannot_be_read_is_not_the_one_hoped_for_and_is_not_shown(
    body: bytes, content_type: str
) -> None:
    told = answered(body, content_type=content_type)
    assert (told.outcome, told.ok, told.saved) == ("done", False, {})
    assert "<" not in told.content
    assert len(told.content) < 300


def test_a_long_answer_is_shown_in_part() -> None:
    told = answered(b'{"a": "' + b"x" * 100_000 + b'"}')
    assert told.ok
    assert len(told.content) < SHOWN + 100
    assert "answer_begins" in told.content
    assert all(len(str(value)) <= 500 for value in told.saved.values())


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 409, 500])
def test_only_a_success_is_ok(status: int) -> None:
    assert not answered(b"{}", status).ok


@pytest.mark.parametrize(("writes", "told"), [(True, "Outcome unknown."), (False, "should be the final one")])
def test_a_redirect_says_what_it_is(writes: bool, told: str) -> None:
    tool = HttpTool(name="look", url="https://example.com", writes=writes)
    answer = HttpAnswer(status=303, content_type="text/html", body=b"<a href=https://elsewhere.example>")
    content = tools.read_answer(tool, answer).content
    assert "a redirect (303), which is not followed" in content
    assert told in content
    assert "elsewhere" not in content


@pytest.mark.parametrize(
    ("question", "given", "expected"),
    [
        ("yes_no", {"value": True}, True),
        ("open", {"value": "red\nwine"}, "red wine"),
        ("choice", {"value": "b"}, "b"),
        ("yes_no", {"value": "yes"}, None),
        ("choice", {"value": "c"}, None),
        ("open", {}, None),
        ("open", {"value": "x" * 501}, None),
    ],
)
def test_what_is_noted_down_is_of_its_kind(question: Any, given: dict[str, Any], expected: Any) -> None:
    tool = ExtractTool(name="x", slot="x", description="", question=question, choices=["a", "b"])
    if expected is None:
        with pytest.raises(tools.BadCallError):
            tools.extracted(tool, given)
    else:
        assert tools.extracted(tool, given) == expected
