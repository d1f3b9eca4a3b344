"""Start an outbound conversation: the call that everything begins with."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from overture.actions.openings import Started
from overture.actions.start_conversation import DryRun, dry_run
from overture.agents import variables
from overture.domain import numbers
from overture.domain.access import Scope
from overture.domain.agent import Json, TemplateUse
from overture.domain.channel import WHATSAPP_PREFIX, Channel
from overture.domain.errors import Invalid, Refusal
from overture.domain.sending import Start
from overture.domain.time_zones import find_zone
from overture.web import answers, reading
from overture.web.routes import Answer, Call, post

_KEY: Final = re.compile(rb"[\x20-\x7e]{1,255}")
_NOT_IN_AN_ADDRESS: Final = re.compile(r"[^0-9A-Za-z+]")
_canonical: Final = msgspec.json.Encoder(order="deterministic").encode
_CHANNELS: Final = {"sms": Channel.SMS, "whatsapp": Channel.WHATSAPP}
_REPLAYED: Final = ((b"overture-replayed", b"true"),)


class OutboundChatTemplate(Struct, frozen=True, kw_only=True):
    """A template of Twilio's Content API with the values of its placeholders."""

    content_sid: Annotated[
        str,
        Meta(pattern=r"^HX[0-9a-fA-F]{32}$", description="HX and 32 hexadecimal digits, as the Content API shows it."),
    ]
    variables: Annotated[dict[str, Any], Meta(description="Values by placeholder number.")] = {}


class ConsentEvidence(Struct, frozen=True, kw_only=True):
    """How the recipient agreed to be written to; kept in the ledger as it is."""

    source: Annotated[str, Meta(min_length=1, max_length=200, description="Where consent was given: a form, a call.")]
    text: Annotated[str, Meta(max_length=2000, description="The words that were agreed to.")] = ""
    at: Annotated[datetime, Meta(tz=True, description="When.")] | None = None


class OutboundChatRequest(Struct, frozen=True, kw_only=True):
    """A conversation to open. Fields that are not named here are ignored."""

    agent_id: Annotated[
        str, Meta(min_length=1, max_length=64, description="The agent that will handle the conversation.")
    ]
    channel: Annotated[Literal["sms", "whatsapp"], Meta(description="How the message travels.")]
    to_number: Annotated[
        str, Meta(max_length=64, description="The recipient's number in E.164: + and country code, as +15551234567.")
    ]
    from_number: Annotated[
        str, Meta(min_length=1, max_length=64, description="The sender's number: one of this workspace's senders.")
    ]
    initial_message: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=10_000,
                description="Opening message in free text. On WhatsApp only within 24 hours of the contact's last "
                "message; outside, a template goes and the text is kept for the agent.",
            ),
        ]
        | None
    ) = None
    template: (
        Annotated[
            OutboundChatTemplate, Meta(description="An approved template; WhatsApp needs one outside the 24 hours.")
        ]
        | None
    ) = None
    custom_variables: Annotated[
        Any, Meta(description="Values for the agent's variables: an object, or an array of {key, value}.")
    ] = None
    consent: Annotated[ConsentEvidence, Meta(description="Evidence that the recipient agreed.")] | None = None
    recipient_timezone: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=64,
                description="The recipient's time zone where you know it, as an IANA name; quiet hours then go by it "
                "and not by the number.",
            ),
        ]
        | None
    ) = None
    expires_in_seconds: (
        Annotated[
            int,
            Meta(
                ge=60,
                le=604_800,
                description="How long the opening is worth sending, from now. Left out, it is four hours from when it "
                "may first leave.",
            ),
        ]
        | None
    ) = None


class ConversationStarted(Struct, frozen=True, kw_only=True):
    """The conversation's id; it is the chat id of the other chat calls."""

    conversation_id: str


class OutboundChatResponse(Struct, frozen=True, kw_only=True):
    """A conversation is on disk, and its opening is on its way."""

    status: Literal["ok"] = "ok"
    response: ConversationStarted


class DryRunResponse(Struct, frozen=True, kw_only=True):
    """What the call would have done."""

    status: Literal["ok"] = "ok"
    response: DryRun


class HowToStart(Struct, frozen=True, kw_only=True):
    """The call's query."""

    dry_run: Annotated[bool, Meta(description="Decide, answer what would happen, and write nothing.")] = False


EXAMPLE: Final[dict[str, Json]] = {
    "agent_id": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214",
    "channel": "whatsapp",
    "to_number": "+15559876543",
    "from_number": "+15551234567",
    "initial_message": "Hi! How can I help you today?",
}


@post(
    "/v2/chat/outbound",
    "/api/chat/outbound",
    may=Scope.SEND,
    takes=OutboundChatRequest,
    asks=HowToStart,
    gives=OutboundChatResponse | DryRunResponse,
    tag="Conversations",
    example=EXAMPLE,
    accepts=(("Idempotency-Key", "1 to 255 printable characters: the same key and body bring the same conversation."),),
    refusals=(413, 422),
)
async def create_outbound_chat(
    call: Call[OutboundChatRequest, HowToStart],
) -> OutboundChatResponse | DryRunResponse | Answer | Refusal:
    """Start an outbound chat conversation.

    Opens an SMS or WhatsApp conversation with a person, carried on by an agent. The answer comes once the
    conversation is on disk. Repeat a call safely with the header Idempotency-Key: the same key brings the same
    conversation for seven days. An opening that falls into quiet hours waits until they end, and the header
    Overture-Scheduled-For says when that is.
    """
    start = to_start(call.body, call.workspace_id, call.headers.get(b"idempotency-key"))
    if start.text is None or start.template is not None:  # what is opened by a text alone asks nobody
        start = await call.parts.templates.look_up(start)
    if call.query.dry_run:
        would = await call.parts.store.read(lambda tx: dry_run(tx, start, call.now))
        return would if isinstance(would, Refusal) else DryRunResponse(response=would)
    match await call.parts.starts.submit(start):
        case Started(conversation_id=an_id, replayed=replayed, scheduled_for=scheduled_for, warnings=warnings):
            shown = OutboundChatResponse(response=ConversationStarted(conversation_id=an_id))
            headers = (_REPLAYED if replayed else ()) + _scheduled(scheduled_for) + _warned(warnings)
            return Answer(body=answers.encode(shown), headers=headers) if headers else shown
        case refusal:
            return refusal


@cache  # they are few
def _warned(warnings: tuple[str, ...]) -> answers.Headers:
    return tuple((b"overture-warning", code.encode()) for code in warnings)


def _scheduled(at: datetime | None) -> answers.Headers:
    return () if at is None else ((b"overture-scheduled-for", at.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),)


def to_start(asked: OutboundChatRequest, workspace_id: str, key: bytes | None) -> Start:
    """What is asked for, in the domain's words. Raises Invalid, naming the field."""
    to_number = numbers.read_number(asked.to_number)
    if to_number is None:
        raise Invalid(
            "invalid_request",
            f"to_number {asked.to_number!r} is not a possible number in E.164 form.",
            field="to_number",
            hint="Write it with + and country code, as +15551234567.",
        )
    if asked.initial_message is not None and not asked.initial_message.strip():
        raise Invalid(
            "invalid_request", "initial_message holds only spaces.", field="initial_message", hint="Leave it out."
        )
    idempotency_key = read_key(key)
    custom = {} if asked.custom_variables is None else _custom(asked.custom_variables)
    sender = _sender_number(asked.from_number)
    template = None if asked.template is None else read_template(asked.template)
    consent = None if asked.consent is None else msgspec.to_builtins(asked.consent)
    told = (
        asked.agent_id,
        asked.channel,
        to_number,
        sender,
        asked.initial_message,
        template,
        custom,
        consent,
        *_of_time(asked),
    )
    return Start(
        workspace_id=workspace_id,
        agent_id=asked.agent_id,
        channel=_CHANNELS[asked.channel],
        to_number=to_number,
        from_number=sender,
        digest=sha256(_canonical(told)).hexdigest(),
        text=asked.initial_message,
        template=template,
        variables=custom,
        idempotency_key=idempotency_key,
        consent=consent,
        time_zone=asked.recipient_timezone,
        life=None if asked.expires_in_seconds is None else timedelta(seconds=asked.expires_in_seconds),
    )


def _of_time(asked: OutboundChatRequest) -> tuple[Json, ...]:
    """What a fingerprint holds of times: nothing where none are given, as in the fingerprints of older versions."""
    if asked.recipient_timezone is not None and find_zone(asked.recipient_timezone) is None:
        raise Invalid(
            "invalid_request",
            f"There is no time zone {asked.recipient_timezone!r}.",
            field="recipient_timezone",
            hint="Use an IANA name such as America/Chicago, or leave it out.",
        )
    given = (asked.recipient_timezone, asked.expires_in_seconds)
    return () if given == (None, None) else given


def read_key(key: bytes | None) -> str | None:
    """An Idempotency-Key as it is kept. Raises Invalid."""
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid(
            "invalid_request",
            "Idempotency-Key must be 1 to 255 printable ASCII characters.",
            field="Idempotency-Key",
            hint="A UUID is a good key.",
        )
    return None if key is None else key.decode("ascii")


def _sender_number(text: str) -> str:
    """The sender's address as it is looked up, short codes included: prefix and punctuation dropped, never parsed."""
    if text.isalnum() or (text[0] == "+" and text[1:].isdigit()):
        return text
    bare = text.strip()
    if bare[: len(WHATSAPP_PREFIX)].lower() == WHATSAPP_PREFIX:
        bare = bare[len(WHATSAPP_PREFIX) :]
    return _NOT_IN_AN_ADDRESS.sub("", bare)


def _custom(given: Json) -> dict[str, Json]:
    custom = variables.normalise_custom(given)
    reading.check_kept("custom_variables", custom)
    return custom


def read_template(asked: OutboundChatTemplate) -> TemplateUse:
    reading.check_kept("template.variables", asked.variables)
    for name, value in asked.variables.items():
        if isinstance(value, list | dict):
            raise Invalid(
                "template_variables",
                f"The value of {name[:64]!r} is not a text.",
                field=f"template.variables.{name[:64]}",
                hint="Every value is a text or a number: give a list as the words its reader is to see.",
            )
    return TemplateUse(content_sid=asked.content_sid, variables=filled(asked.variables))


def filled(given: Mapping[str, Json]) -> dict[str, str]:
    """The values of placeholders as they are sent: numbers and truths as texts, null as none."""
    return {name: value if isinstance(value, str) else variables.shown(value) for name, value in given.items()}
