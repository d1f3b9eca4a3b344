"""Which message opens a conversation, and which may leave: the tables of the design, row by row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from overture.domain.agent import Agent, AgentSpec, FlowSpec, Node, OnActive, OpeningPreference, PromptSpec, TemplateUse
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.errors import Conflict, Invalid, NotAllowed, Refusal, Unknown
from overture.domain.leaving import STAYS, Leaving, may_leave
from overture.domain.message import Template, Text
from overture.domain.quiet_hours import Times
from overture.domain.sending import (
    OPENING_LIFE,
    ByTurn,
    Facts,
    Join,
    KnownContact,
    KnownKey,
    KnownThread,
    LiveConversation,
    Open,
    Replay,
    Start,
    choose_opening,
    decide_start,
    parts,
)
from overture.domain.template_opening import OwnTemplate

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
SMS, WHATSAPP = Channel.SMS, Channel.WHATSAPP
AT_ONCE = Times(due_at=NOW, expires_at=NOW + OPENING_LIFE)
USE = TemplateUse(content_sid="HX1", variables={"1": "Ada"})
TEMPLATE = Template(content_sid="HX1", variables={"1": "Ada"})
OWN = TemplateUse(content_sid="HX2")
OTHERS = KnownKey(digest="another", conversation_id="c")
OPEN, CLOSED, UNKNOWN = "open", "closed", "unknown"
HEARD = {OPEN: NOW - timedelta(hours=1), CLOSED: NOW - timedelta(hours=25), UNKNOWN: None}
NODES = {"start": Node(say="Hi", end="completed")}


def start(**changes: Any) -> Start:
    given: dict[str, Any] = {
        "workspace_id": "w",
        "agent_id": "a",
        "channel": SMS,
        "to_number": "+15550100001",
        "from_number": "+15551230001",
        "digest": "same",
        "text": "Hello",
    }
    return Start(**(given | changes))


def facts(spec: AgentSpec | None = None, **changes: Any) -> Facts:
    agent = Agent(id="a", version=1, spec=FlowSpec(name="A", nodes=NODES) if spec is None else spec)
    given: dict[str, Any] = {"agent": agent, "sender_id": "s", "channels": frozenset({SMS}), "greeting": "Greetings"}
    return Facts(**(given | changes))


def live(**changes: Any) -> LiveConversation:
    given: dict[str, Any] = {
        "id": "c",
        "mode": Mode.BOT,
        "epoch": 0,
        "digest": "other",
        "asked_at": NOW - timedelta(seconds=30),
    }
    return LiveConversation(**(given | changes))


@pytest.mark.parametrize(
    ("channel", "window", "asked", "opens_with"),
    [
        (SMS, UNKNOWN, "text", Text(text="Hello")),
        (SMS, UNKNOWN, "template", TEMPLATE),
        (SMS, UNKNOWN, "both", Text(text="Hello")),
        (SMS, UNKNOWN, "neither", Text(text="Greetings")),
        (WHATSAPP, OPEN, "text", Text(text="Hello")),
        (WHATSAPP, OPEN, "template", TEMPLATE),
        (WHATSAPP, OPEN, "both", Text(text="Hello", otherwise=USE)),
        (WHATSAPP, OPEN, "neither", Text(text="Greetings")),
        (WHATSAPP, CLOSED, "text", "window_closed"),
        (WHATSAPP, CLOSED, "template", TEMPLATE),
        (WHATSAPP, CLOSED, "both", TEMPLATE),
        (WHATSAPP, CLOSED, "neither", "window_closed"),
        (WHATSAPP, UNKNOWN, "text", "window_closed"),
        (WHATSAPP, UNKNOWN, "template", TEMPLATE),
        (WHATSAPP, UNKNOWN, "both", TEMPLATE),
        (WHATSAPP, UNKNOWN, "neither", "window_closed"),
    ],
)
def test_the_table_of_openings(channel: Channel, window: str, asked: str, opens_with: object) -> None:
    call = start(
        channel=channel,
        text="Hello" if asked in ("text", "both") else None,
        template=USE if asked in ("template", "both") else None,
    )
    known = facts(thread=KnownThread(id="t", shard=1, last_inbound_at=HEARD[window]))
    assert known.agent is not None
    chosen = choose_opening(call, known, known.agent, NOW)
    assert (chosen.code if isinstance(chosen, Refusal) else chosen) == opens_with


@pytest.mark.parametrize(
    ("spec", "channel", "window", "text", "template", "opens_with"),
    [
        ("prefers a template", WHATSAPP, OPEN, "Hello", USE, TEMPLATE),
        ("prefers a template", WHATSAPP, OPEN, "Hello", None, Text(text="Hello")),
        ("prefers a template", SMS, UNKNOWN, "Hello", USE, Text(text="Hello")),
        ("has a template", WHATSAPP, CLOSED, None, None, Template(content_sid="HX2")),
        ("has a template", WHATSAPP, CLOSED, "Hello", None, "window_closed"),
        ("has a template", WHATSAPP, OPEN, None, None, Text(text="Greetings")),
        ("has a template", SMS, UNKNOWN, None, None, Text(text="Greetings")),
    ],
)
def test_what_an_agent_prefers(
    spec: str, channel: Channel, window: str, text: str | None, template: TemplateUse | None, opens_with: object
) -> None:
    agent = FlowSpec(
        name="A",
        nodes=NODES,
        opening_preference=OpeningPreference.TEMPLATE if spec == "prefers a template" else OpeningPreference.TEXT,
        opening_template=OWN if spec == "has a template" else None,
    )
    own = OwnTemplate(use=OWN) if spec == "has a template" and text is None else None
    known = facts(agent, thread=KnownThread(id="t", shard=1, last_inbound_at=HEARD[window]), own_template=own)
    assert known.agent is not None
    chosen = choose_opening(start(channel=channel, text=text, template=template), known, known.agent, NOW)
    assert (chosen.code if isinstance(chosen, Refusal) else chosen) == opens_with


@pytest.mark.parametrize(
    ("channel", "window", "opens_with"),
    [(SMS, UNKNOWN, ByTurn()), (WHATSAPP, OPEN, ByTurn()), (WHATSAPP, CLOSED, "window_closed")],
)
def test_an_agent_that_composes_its_opening_takes_a_turn(channel: Channel, window: str, opens_with: object) -> None:
    spec = PromptSpec(name="P", instructions="Help.", greeting_mode="dynamic")
    known = facts(
        spec, greeting=None, opens_by_turn=True, thread=KnownThread(id="t", shard=1, last_inbound_at=HEARD[window])
    )
    assert known.agent is not None
    chosen = choose_opening(start(channel=channel, text=None), known, known.agent, NOW)
    assert (chosen.code if isinstance(chosen, Refusal) else chosen) == opens_with


def test_an_agent_without_a_greeting_opens_nothing() -> None:
    verdict = decide_start(start(text=None), facts(greeting=None), NOW)
    assert isinstance(verdict, Invalid)
    assert (verdict.code, verdict.field) == ("opening_missing", "initial_message")


@pytest.mark.parametrize(
    ("call", "known", "kind", "code", "field"),
    [
        ({}, {"agent": None}, Unknown, "agent_unknown", "agent_id"),
        ({}, {"sender_id": None, "channels": frozenset()}, Unknown, "sender_unknown", "from_number"),
        ({"channel": WHATSAPP}, {"sender_id": None}, NotAllowed, "sender_cannot_channel", "channel"),
        ({}, {"missing": ("name", "day")}, Invalid, "variable_missing", "custom_variables.name"),
        (
            {},
            {"contact": KnownContact(id="k", shard=1, address="+1", opted_out_at=NOW)},
            NotAllowed,
            "recipient_opted_out",
            "to_number",
        ),
        ({"channel": WHATSAPP}, {}, NotAllowed, "window_closed", "initial_message"),
        ({"channel": WHATSAPP, "text": None}, {}, NotAllowed, "window_closed", "template"),
        ({}, {"live": live(mode=Mode.HUMAN)}, Conflict, "conversation_active", "to_number"),
        ({"idempotency_key": "k"}, {"key": OTHERS}, Conflict, "idempotency_key_reused", None),
    ],
)
def test_every_refusal_says_which_field(
    call: dict[str, Any], known: dict[str, Any], kind: type[Refusal], code: str, field: str | None
) -> None:
    verdict = decide_start(start(**call), facts(**known), NOW)
    assert isinstance(verdict, kind)
    assert (verdict.code, verdict.field) == (code, field)
    assert verdict.description.endswith(".")
    assert verdict.hint


@pytest.mark.parametrize(
    ("on_active", "mode", "verdict"),
    [
        (OnActive.SUPERSEDE, Mode.BOT, "supersede"),
        (OnActive.SUPERSEDE, Mode.PAUSED, "supersede"),
        (OnActive.SUPERSEDE, Mode.HUMAN, "reject"),
        (OnActive.JOIN, Mode.BOT, "join"),
        (OnActive.JOIN, Mode.HUMAN, "reject"),
        (OnActive.REJECT, Mode.BOT, "reject"),
        (OnActive.REJECT, Mode.HUMAN, "reject"),
    ],
)
def test_what_a_live_conversation_means_for_a_new_one(on_active: OnActive, mode: Mode, verdict: str) -> None:
    present = live(mode=mode)
    decided = decide_start(start(), facts(FlowSpec(name="A", nodes=NODES, on_active=on_active), live=present), NOW)
    hello = Text(text="Hello")
    match verdict:
        case "supersede":
            assert decided == Open(opening=hello, times=AT_ONCE, ends=present)
        case "join":
            assert decided == Join(opening=hello, times=AT_ONCE, live=present)
        case _:
            assert isinstance(decided, Conflict)


@pytest.mark.parametrize(
    ("age", "digest", "key", "heard", "is_replay"),
    [
        (0, "same", None, None, True),
        (59, "same", None, None, True),
        (60, "same", None, None, False),
        (30, "other", None, None, False),
        (30, "same", "a key", None, False),
        (30, "same", None, 10, False),  # the contact wrote since: the same words are a wish, not a retry
        (30, "same", None, 31, True),
    ],
)
def test_the_same_call_again_within_a_minute_is_a_retry(
    age: int, digest: str, key: str | None, heard: int | None, is_replay: bool
) -> None:
    thread = KnownThread(id="t", shard=1, last_inbound_at=None if heard is None else NOW - timedelta(seconds=heard))
    present = live(digest=digest, asked_at=NOW - timedelta(seconds=age))
    decided = decide_start(start(idempotency_key=key), facts(live=present, thread=thread), NOW)
    assert (decided == Replay(conversation_id="c")) is is_replay


def test_a_key_brings_its_conversation_whatever_became_of_everything_else() -> None:
    known = facts(agent=None, sender_id=None, key=KnownKey(digest="same", conversation_id="c"))
    assert decide_start(start(idempotency_key="k"), known, NOW) == Replay(conversation_id="c")


def leaving(**changes: Any) -> Leaving:
    given: dict[str, Any] = {
        "body": Text(text="Hello"),
        "channel": SMS,
        "epoch": 1,
        "expires_at": NOW + timedelta(minutes=1),
        "conversation_epoch": 1,
        "opted_out_at": None,
        "last_inbound_at": None,
        "sender_active": True,
    }
    return Leaving(**(given | changes))


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"opted_out_at": NOW}, "recipient_opted_out"),
        ({"opted_out_at": NOW, "confirms_opt_out": True}, None),
        ({"conversation_epoch": 2}, "cancelled"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW + timedelta(seconds=0.999)}, "expired"),  # the provider would hold it for a whole second
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"expires_at": NOW, "confirms_opt_out": True}, "expired"),
        ({"sender_active": False}, "sender_removed"),
        ({"channel": WHATSAPP}, "window_closed"),
        ({"channel": WHATSAPP, "last_inbound_at": HEARD[OPEN]}, None),
        ({"channel": WHATSAPP, "last_inbound_at": HEARD[CLOSED]}, "window_closed"),
        ({"channel": WHATSAPP, "body": TEMPLATE}, None),
        ({"opted_out_at": NOW, "conversation_epoch": 2, "expires_at": NOW}, "recipient_opted_out"),
    ],
)
def test_what_may_leave_at_the_last_moment(changes: dict[str, Any], reason: str | None) -> None:
    stay = may_leave(leaving(**changes), NOW)
    assert (None if stay is None else stay.reason) == reason
    assert stay is None or stay.description == STAYS[stay.reason]


@pytest.mark.parametrize(
    ("body", "channel", "expected"),
    [
        (Text(text="Hello"), SMS, ["Hello"]),
        (Text(text="“Hello” – it’s us…"), SMS, ['"Hello" - it\'s us...']),  # lookalikes would make it UCS-2
        (Text(text="“Hello”"), WHATSAPP, ["“Hello”"]),
        (Text(text=" \n "), SMS, []),
        (Text(text="a" * 3300), SMS, ["a" * 1600, "a" * 1600, "a" * 100]),
        (Text(text="One. " * 400), SMS, [("One. " * 320).strip(), ("One. " * 80).strip()]),
    ],
)
def test_a_body_becomes_the_messages_that_carry_it(body: Text, channel: Channel, expected: list[str]) -> None:
    assert [part.text for part in parts(body, channel) if isinstance(part, Text)] == expected


def test_a_template_is_never_cut() -> None:
    assert parts(TEMPLATE, SMS) == (TEMPLATE,)
