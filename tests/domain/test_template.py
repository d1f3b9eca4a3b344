"""Templates: how they read with their values, and everything that is wrong with a use, told before it is sent."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from overture.domain.channel import Channel
from overture.domain.template import (
    Approval,
    Button,
    Category,
    Content,
    Known,
    Preview,
    Purpose,
    Template,
    placeholders,
    render,
)
from overture.domain.template_check import Kind, Problem, approval_problem, check, unknown
from overture.domain.template_opening import refusal

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
ADA, ABROAD = "+15550100001", "+447700900123"
GOOD = {"1": "Ada", "2": "Tuesday"}


def template(**changes: Any) -> Template:
    """An approved reminder with two placeholders, changed as told."""
    given: dict[str, Any] = {
        "content_sid": "HX" + "0" * 32,
        "account_sid": "AC" + "0" * 32,
        "name": "reminder",
        "language": "en",
        "contents": (Content(type="twilio/text", text="Hello {{1}}, until {{2}}."),),
        "category": Category.UTILITY,
        "approval": Approval.APPROVED,
        "samples": {"1": "Bob", "2": "May 3"},
    }
    return Template(**(given | changes))


def of(kind: str, text: str = "Hello {{1}}, until {{2}}.", **more: Any) -> Template:
    return template(contents=(Content(type=kind, text=text, **more),))


def kinds(*found: Any, **asked: Any) -> list[Kind]:
    return [problem.kind for problem in check(*found, **asked)]


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("Hello {{1}}, until {{2}}.", GOOD, "Hello Ada, until Tuesday."),
        ("{{ name }} and {{name}}", {"name": "Zoë"}, "Zoë and Zoë"),
        ("{{1}} {{2}}", {"1": "{{2}}", "2": "x"}, "{{2}} x"),
        ("{{1}} {{2}}", {"1": "a"}, "a {{2}}"),
        ("{1} {{}} {{a b}} {{{1}}}", {"1": "x"}, "{1} {{}} {{a b}} {x}"),
        ("{{1}}{{10}}", {"1": "a", "10": "b"}, "ab"),
        ("{{1}}", {"1": "\\g<0> \\1 $1"}, "\\g<0> \\1 $1"),
        ("no placeholder", {"1": "x"}, "no placeholder"),
        ("", {}, ""),
    ],
)
def test_a_template_reads_with_its_values_in_one_pass(text: str, values: dict[str, str], shown: str) -> None:
    assert render(of("twilio/text", text), values) == Preview(text=shown)


def test_buttons_are_filled_in_too_and_are_not_on_sms() -> None:
    buttons = (
        Button(kind="reply", title="Yes, {{1}}"),
        Button(kind="url", title="See", target="https://example.com/{{3}}"),
    )
    rich = Content(type="twilio/call-to-action", text="Rich {{1}}", buttons=buttons, others=("{{4}}",))
    both = template(contents=(Content(type="twilio/text", text="Plain {{1}}"), rich))
    assert render(both, {"1": "Ada", "3": "x"}) == Preview(
        text="Rich Ada",
        buttons=(
            Button(kind="reply", title="Yes, Ada"),
            Button(kind="url", title="See", target="https://example.com/x"),
        ),
    )
    assert render(both, {"1": "Ada"}, Channel.SMS) == Preview(text="Plain Ada")
    assert placeholders(rich) == ("1", "4", "3")


@pytest.mark.parametrize(
    ("types", "on_whatsapp", "on_sms"),
    [
        (["twilio/text", "twilio/quick-reply"], "twilio/quick-reply", "twilio/text"),
        (["twilio/quick-reply", "twilio/text", "whatsapp/card"], "whatsapp/card", "twilio/text"),
        (["whatsapp/card", "twilio/media"], "whatsapp/card", "twilio/media"),
        (["twilio/text"], "twilio/text", "twilio/text"),
    ],
)
def test_each_channel_gets_the_content_that_it_takes(types: list[str], on_whatsapp: str, on_sms: str) -> None:
    several = template(contents=tuple(Content(type=kind, text=kind) for kind in types))
    assert render(several, {}).text == on_whatsapp
    assert render(several, {}, Channel.SMS).text == on_sms


def test_a_code_is_shown_in_metas_words() -> None:
    code = of("whatsapp/authentication", "", buttons=(Button(kind="copy_code", title="Copy"),))
    assert render(code, {"1": "123456"}).text == "123456 is your verification code."
    assert kinds(code, {}, ADA, Purpose.OPENING) == [Kind.MISSING]


def test_a_template_without_content_reads_as_nothing_and_wants_nothing() -> None:
    assert render(template(contents=()), GOOD) == Preview(text="")
    assert check(template(contents=()), GOOD, ADA, Purpose.OPENING) == []


def test_what_is_right_has_no_problem() -> None:
    for purpose in Purpose:
        assert check(template(), GOOD, ADA, purpose) == []


@pytest.mark.parametrize(
    ("values", "kind", "variable", "code"),
    [
        ({"1": "Ada"}, Kind.MISSING, "2", 63028),
        ({**GOOD, "3": "x"}, Kind.EXTRA, "3", 63028),
        ({**GOOD, "name": "x"}, Kind.EXTRA, "name", 63028),
        ({**GOOD, "1": ""}, Kind.EMPTY, "1", 21656),
        ({**GOOD, "1": " \t\n"}, Kind.EMPTY, "1", 21656),
        ({**GOOD, "1": "a\nb"}, Kind.LINE_BREAK, "1", 63013),
        ({**GOOD, "1": "a\r"}, Kind.LINE_BREAK, "1", 63013),
        ({**GOOD, "1": "a\tb"}, Kind.LINE_BREAK, "1", 63013),
        ({**GOOD, "1": "a\u2028b"}, Kind.LINE_BREAK, "1", 63013),
        ({**GOOD, "1": "a     b"}, Kind.SPACES, "1", 63013),
        ({**GOOD, "1": "x" * 1100}, Kind.TOO_LONG, "1", 63021),
        ({**GOOD, "2": "x" * 10_000}, Kind.TOO_LONG, "2", 63021),
        ({**GOOD, "1": 5}, Kind.NOT_TEXT, "1", 21656),
        ({**GOOD, "1": None}, Kind.NOT_TEXT, "1", 21656),
        ({**GOOD, "1": ["a"]}, Kind.NOT_TEXT, "1", 21656),
    ],
)
def test_each_wrong_value_is_told(values: dict[str, object], kind: Kind, variable: str, code: int) -> None:
    [problem] = check(template(), values, ADA, Purpose.OPENING)
    assert (problem.kind, problem.variable, problem.twilio_code) == (kind, variable, code)
    assert problem.sentence.endswith(".")
    assert problem.hint.endswith(".")


@pytest.mark.parametrize("value", ["a    b", "{{1}}", "' OR 1=1", "<b>", "😀", "%s", "x" * 900, "\u202eabc"])
def test_odd_values_that_whatsapp_takes_are_no_problem(value: str) -> None:
    assert check(template(), {**GOOD, "1": value}, ADA, Purpose.OPENING) == []


def test_on_sms_only_names_and_length_matter() -> None:
    assert check(template(), {"1": "a\nb", "2": "     "}, ADA, Purpose.SMS) == []
    assert kinds(template(), {"1": "x" * 1700}, ADA, Purpose.SMS) == [Kind.MISSING, Kind.TOO_LONG]
    assert kinds(template(approval=Approval.REJECTED), GOOD, ADA, Purpose.SMS) == []


def test_a_value_for_another_channels_content_is_not_too_much() -> None:
    rich = Content(type="twilio/quick-reply", text="{{1}} {{2}}", buttons=(Button(kind="reply", title="{{3}}"),))
    both = template(contents=(Content(type="twilio/text", text="{{1}}"), rich))
    assert check(both, {"1": "a", "2": "b", "3": "c"}, ADA, Purpose.SMS) == []
    assert kinds(both, {"1": "a"}, ADA, Purpose.OPENING) == [Kind.MISSING, Kind.MISSING]


@pytest.mark.parametrize(
    ("approval", "kind", "code"),
    [
        (Approval.UNSUBMITTED, Kind.NOT_SUBMITTED, 63027),
        (Approval.RECEIVED, Kind.IN_REVIEW, 63027),
        (Approval.PENDING, Kind.IN_REVIEW, 63027),
        (Approval.REJECTED, Kind.REJECTED, 63040),
        (Approval.PAUSED, Kind.PAUSED, 63041),
        (Approval.DISABLED, Kind.DISABLED, 63042),
        (Approval.UNKNOWN, Kind.APPROVAL_UNKNOWN, 63027),
    ],
)
def test_only_an_approved_template_opens(approval: Approval, kind: Kind, code: int) -> None:
    [problem] = check(template(approval=approval), GOOD, ADA, Purpose.OPENING)
    assert (problem.kind, problem.twilio_code) == (kind, code)
    assert check(template(approval=approval), GOOD, ADA, Purpose.IN_WINDOW) == []


def test_each_state_has_a_sentence_of_its_own() -> None:
    found = [approval_problem(template(approval=one)) for one in Approval if one is not Approval.APPROVED]
    assert len({problem.sentence for problem in found if problem is not None}) == len(Approval) - 1
    rejected = approval_problem(template(approval=Approval.REJECTED, rejection="Bad\nformat."))
    assert rejected is not None
    assert rejected.sentence == "Meta rejected the template: Bad format."


@pytest.mark.parametrize(
    ("to", "category", "purpose", "is_refused"),
    [
        (ADA, Category.MARKETING, Purpose.OPENING, True),
        ("+12125550100", Category.MARKETING, Purpose.OPENING, True),
        ("+14165550100", Category.MARKETING, Purpose.OPENING, False),
        (ABROAD, Category.MARKETING, Purpose.OPENING, False),
        (ADA, Category.UTILITY, Purpose.OPENING, False),
        (ADA, None, Purpose.OPENING, False),
        (ADA, Category.MARKETING, Purpose.IN_WINDOW, False),
        (ADA, Category.MARKETING, Purpose.SMS, False),
    ],
)
def test_marketing_does_not_reach_the_united_states(
    to: str, category: Category | None, purpose: Purpose, is_refused: bool
) -> None:
    assert kinds(template(category=category), GOOD, to, purpose) == [Kind.MARKETING_TO_US] * is_refused


def test_the_area_codes_of_other_countries_are_those_of_the_numbering_plan() -> None:
    ours = {"US", "PR", "GU", "VI", "AS", "MP", None}
    for area in range(200, 1000):
        numbers = [phonenumbers.PhoneNumber(1, area * 10**7 + middle * 10**4) for middle in range(200, 1000, 7)]
        regions = {phonenumbers.region_code_for_number(number) for number in numbers}
        is_elsewhere = not regions & (ours - {None}) and regions != {None}
        problems = kinds(template(category=Category.MARKETING), GOOD, f"+1{area}5550100", Purpose.OPENING)
        assert (not problems) == is_elsewhere, area


@pytest.mark.parametrize("kind", ["twilio/list-picker", "twilio/location"])
def test_what_needs_an_open_session_cannot_open_one(kind: str) -> None:
    assert kinds(of(kind), GOOD, ADA, Purpose.OPENING) == [Kind.CANNOT_OPEN]
    assert kinds(of(kind), GOOD, ADA, Purpose.IN_WINDOW) == []


@pytest.mark.parametrize(
    ("asked", "has", "is_wrong"),
    [("en", "en", False), ("en_US", "en-us", False), ("de", "en", True), ("en", "en_US", True), (None, "en", False)],
)
def test_another_language_is_another_template(asked: str | None, has: str, is_wrong: bool) -> None:
    found = kinds(template(language=has), GOOD, ADA, Purpose.OPENING, language=asked)
    assert found == [Kind.WRONG_LANGUAGE] * is_wrong


def test_all_problems_are_told_and_the_templates_own_come_first() -> None:
    bad = template(approval=Approval.PAUSED, category=Category.MARKETING)
    found = kinds(bad, {"1": "a\nb", "9": "x"}, ADA, Purpose.OPENING, language="de")
    assert found == [
        *(Kind.PAUSED, Kind.MARKETING_TO_US, Kind.WRONG_LANGUAGE),
        *(Kind.MISSING, Kind.LINE_BREAK, Kind.EXTRA),
    ]


@pytest.mark.parametrize(
    ("approval", "gone", "age", "asks", "decides"),
    [
        (Approval.APPROVED, False, timedelta(minutes=59), False, True),
        (Approval.APPROVED, False, timedelta(hours=7), True, False),
        (Approval.PENDING, False, timedelta(seconds=30), False, True),
        (Approval.PENDING, False, timedelta(seconds=90), True, True),
        (Approval.PENDING, False, timedelta(hours=7), True, False),
        (Approval.APPROVED, True, timedelta(seconds=90), True, True),
    ],
)
def test_what_refuses_is_asked_again_and_what_is_old_decides_nothing(
    approval: Approval, gone: bool, age: timedelta, asks: bool, decides: bool
) -> None:
    known = Known(template=template(approval=approval), fetched_at=NOW - age, gone_at=NOW - age if gone else None)
    assert (known.is_worth_asking_again(NOW), known.decides(NOW)) == (asks, decides)


def test_every_problem_stands_in_the_document_with_its_refusal_and_its_code() -> None:
    document = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .+? \| `(\w+)` \| (\d+) \|", document, re.MULTILINE)
    assert [row[0] for row in rows] == [kind.value for kind in Kind]
    for kind, code, _ in rows:
        problem = Problem(kind=Kind(kind), sentence="It is wrong.", hint="Mend it.", variable="1")
        assert refusal(problem).code == code
    told = {kind: int(number) for kind, _, number in rows}
    bad = template(approval=Approval.PAUSED, category=Category.MARKETING)
    values = {"1": "a\nb", "9": "x"}
    for problem in (*check(bad, values, ADA, Purpose.OPENING, language="de"), unknown("HX1")):
        assert told[problem.kind] == problem.twilio_code
