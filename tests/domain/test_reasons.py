"""Why a message was not sent: every reason has a code and a sentence for people, and a hint where there is one."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from overture.domain import reasons
from overture.domain.delivery import DeliveryState, DeliveryStatus, state_of
from overture.domain.leaving import STAYS
from overture.domain.provider_errors import ERRORS
from overture.domain.reasons import TABLE, Meaning, Reason, Waiting, explain, is_known, kept, why_waiting
from overture.store.accounts import ShutBecause
from tests import reasons as document
from tests.architecture import tree

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
CARRIERS = {"StatusChange", "Finished", "_status", "Stay", "cancel_deliveries", "_Stays"}  # what puts one on a message
FAILURES = {"Transient", "Permanent", "Misconfigured", "OutcomeUnknown"}
ELSEWHERE = re.compile(r"/(media|wiring)|workers/(?!outbox)")  # failures that end up on no message's try


def calls(*rooms: str) -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in these folders: where it stands, the call, and the name that is called."""
    for path in tree.python_files(*rooms):
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield f"{tree.name(path)}:{node.lineno}", node, called


def written(value: ast.expr) -> list[str]:
    """The codes that an expression writes out: texts, texts with one hole (a 5 in it), and members of Reason."""
    match value:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(str(part.value) if isinstance(part, ast.Constant) else "500" for part in parts)]
        case ast.Attribute(value=ast.Name(id="Reason"), attr=member):
            return [Reason[member].value]
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="Reason"), attr=member), attr="value"):
            return [Reason[member].value]
        case ast.IfExp(body=one, orelse=other):
            return [*written(one), *written(other)]
        case _:
            return []


def test_no_reason_reaches_a_message_without_a_sentence() -> None:
    given = [
        (where, code)
        for where, call, called in calls("src/overture/actions", "src/overture/workers", "src/overture/domain")
        for keyword in call.keywords
        if called in CARRIERS and keyword.arg in {"reason", "waits_because"}
        for code in written(keyword.value)
    ]
    assert given
    assert not [(where, code) for where, code in given if not is_known(explain(code).code)]


def test_no_failure_of_a_try_goes_without_a_sentence() -> None:
    """Whatever the provider's client or the out road raises ends up on the attempt, by its code."""
    given = [
        (where, code)
        for where, call, called in calls("src/overture/adapters/twilio", "src/overture/workers")
        if called in FAILURES and call.args and not ELSEWHERE.search(where)
        for code in written(call.args[0])
    ]
    assert len(given) > 8
    assert not [(where, code) for where, code in given if not is_known(code)]


def test_every_way_of_staying_and_of_being_shut_has_a_sentence() -> None:
    assert all(is_known(code) and explain(code).sentence == sentence for code, sentence in STAYS.items())
    assert all(is_known(f"sender_shut_{because}") for because in ShutBecause)


def test_the_page_about_deliveries_tells_every_reason_as_it_is() -> None:
    text = document.PAGE.read_text(encoding="utf-8")
    assert text == document.page(text), "run python -m tests.reasons"


@pytest.mark.parametrize("reason", Reason)
def test_a_sentence_is_one_and_its_hint_another(reason: Reason) -> None:
    fact = TABLE[reason]
    assert re.fullmatch(r"[A-Z].+[.]", fact.sentence)
    assert fact.hint is None or re.fullmatch(r"[A-Z`].+[.]", fact.hint)
    assert fact.code == reason.value
    assert isinstance(fact.meaning, Meaning)


@pytest.mark.parametrize(
    ("reason", "code", "sentence"),
    [
        ("expired", "expired", "The message waited longer than it is worth."),
        ("twilio_21610", "twilio_21610", "The recipient has opted out of this sender."),
        ("twilio_99999", "twilio_99999", "The provider did not deliver the message (error 99999)."),
        (
            "twilio_http_503",
            "twilio_http_503",
            "The provider answered 503: it may have taken the message or not.",
        ),
        ("twilio_http_404", "twilio_http_404", "The provider answered 404."),
        ("twilio_http_422", "twilio_http_422", "The provider refused the message with 422."),
        ("twilio_99999: In its own words: no.", "twilio_99999", "In its own words: no."),
        ("also SM0123", "other", "also SM0123"),
        ("", "other", ""),
        ("STRANGE\n\x1b[2J", "other", "STRANGE\n\x1b[2J"),
        ("of_tomorrow", "of_tomorrow", "It was told no more than 'of_tomorrow'."),
    ],
)
def test_a_kept_reason_explains_itself(reason: str, code: str, sentence: str) -> None:
    explained = explain(reason)
    assert (explained.code, explained.sentence) == (code, sentence)


@pytest.mark.parametrize("code", [*(reason.value for reason in Reason), *(f"twilio_{number}" for number in ERRORS)])
def test_what_the_table_says_is_kept_as_its_code_alone(code: str) -> None:
    assert kept(code, explain(code).sentence) == code
    assert explain(kept(code, "Other words.")).sentence == "Other words."
    assert explain(kept(code, "Other words.")).hint == explain(code).hint


def a_message(**given: object) -> Waiting:
    """A queued message that is due, changed as told."""
    facts: dict[str, object] = {"state": DeliveryState.QUEUED, "due_at": NOON, "tries": 0}
    return Waiting(**{**facts, **given})  # type: ignore[arg-type]  # a table of cases gives fields by name


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, None),
        ({"due_at": NOON + timedelta(seconds=1)}, "not_yet_due"),
        ({"due_at": NOON + timedelta(seconds=1), "tries": 2}, "tries_again"),
        ({"due_at": NOON - timedelta(hours=1), "tries": 2}, None),
        ({"recorded": "twilio_30003", "due_at": NOON + timedelta(hours=2), "tries": 1}, "twilio_30003"),
        ({"recorded": "twilio_30003", "tries": 1}, None),
        ({"shut_because": "start"}, "sender_shut_start"),
        ({"shut_because": "breaker", "recorded": "twilio_30003"}, "sender_shut_breaker"),
        ({"shut_because": "restore"}, "sender_shut_restore"),
        ({"stopped_because": "The credentials are wrong.", "shut_because": "start"}, "sender_stopped"),
        ({"stopped_because": ""}, "sender_stopped"),
        ({"state": DeliveryState.SENDING, "shut_because": "start"}, None),
        ({"state": DeliveryState.UNCERTAIN, "stopped_because": ""}, "outcome_unknown"),
        ({"state": DeliveryState.NEEDS_REVIEW, "shut_because": "start"}, "needs_review"),
    ],
)
def test_why_a_message_has_not_left(given: dict[str, object], code: str | None) -> None:
    waits = why_waiting(a_message(**given), NOON)
    assert (None if waits is None else waits.code) == code


def test_a_stopped_sender_says_what_it_was_refused_for() -> None:
    waits = why_waiting(a_message(stopped_because="The provider refused our credentials."), NOON)
    assert waits is not None
    assert waits.sentence == f"{reasons.TABLE[Reason.SENDER_STOPPED].sentence} The provider refused our credentials."


@pytest.mark.parametrize(
    ("ours", "status", "state"),
    [
        ("queued", None, DeliveryState.QUEUED),
        ("needs_review", DeliveryStatus.QUEUED, DeliveryState.NEEDS_REVIEW),
        (None, DeliveryStatus.QUEUED, DeliveryState.ACCEPTED),
        (None, DeliveryStatus.SENDING, DeliveryState.ACCEPTED),
        (None, DeliveryStatus.READ, DeliveryState.READ),
        (None, DeliveryStatus.CANCELED, DeliveryState.CANCELED),
        (None, DeliveryStatus.RECEIVED, None),
        (None, None, None),
    ],
)
def test_where_a_message_stands(ours: str | None, status: DeliveryStatus | None, state: DeliveryState | None) -> None:
    assert state_of(ours, status) is state


@pytest.mark.parametrize("status", DeliveryStatus)
def test_every_status_of_the_provider_has_a_state(status: DeliveryStatus) -> None:
    assert (state_of(None, status) is None) == (status is DeliveryStatus.RECEIVED)
