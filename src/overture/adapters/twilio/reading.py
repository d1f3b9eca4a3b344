"""What Twilio's webhooks say, in our words.

Only names that are known here are read: Twilio adds parameters without notice. Sources: Twilio's webhook request
guides, and captured webhooks for what the guides leave out.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from overture.adapters.twilio import callback, form
from overture.domain import identity
from overture.domain.channel import Channel, address_on, split_address
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Invalid
from overture.domain.message import Referral
from overture.domain.ports import Inbound, RawEvent, StatusReport

READ: Final = frozenset(
    {
        *("AccountSid", "MessageSid", "SmsMessageSid", "SmsSid", "From", "To", "Body", "NumMedia", "ProfileName"),
        *("ButtonPayload", "ButtonText", "ListTitle", "Address", "Label", "Latitude", "Longitude"),
        *("ListId", "MessageType", "ReferralBody", "ReferralCtwaClid", "ReferralHeadline"),
        *("ReferralSourceId", "ReferralSourceType", "ReferralSourceUrl"),
        *("OptOutType", "OriginalRepliedMessageSid", "MessageStatus", "ErrorCode", "ExternalUserId"),
    }
)
"""The fields that something follows from; each may stand once. (Media fields are read by their numbers.)"""

_SID: Final = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
_DEGREES: Final = re.compile(r"-?[0-9]{1,3}(?:\.[0-9]{1,20})?")
_MEDIA: Final = re.compile(r"Media(?:Url|ContentType)[0-9]{1,2}")
MOST_MEDIA: Final = 10  # Twilio's own limit for a message
RECOVERED: Final = "recovered"  # the kind of an event that was made of the provider's record, not of a webhook
_MEDIA_URL: Final = re.compile(r"https?://[^\s]{1,2000}")

STATUSES: Final = {
    **{status.value: status for status in DeliveryStatus},
    "accepted": DeliveryStatus.QUEUED,
    "scheduled": DeliveryStatus.QUEUED,
    "partially_delivered": DeliveryStatus.DELIVERED,  # a group message that reached somebody
    "receiving": DeliveryStatus.RECEIVED,
}
"""Twilio's statuses, ours for each."""

_KINDS: Final = (
    ("image/webp", "sticker"),
    ("image/", "image"),
    ("audio/ogg", "voice note"),
    ("audio/", "audio"),
    ("video/", "video"),
    ("text/vcard", "contact"),
    ("text/x-vcard", "contact"),
    ("text/directory", "contact"),
    ("application/", "document"),
    ("text/", "document"),
)
"""What a person would call a medium, by the beginning of its content type; the first that fits."""

VOICE_NOTE: Final = "voice note"
_LONGEST_NAME: Final = 200  # characters of a place's name or an advertisement's line; more is nobody's name
_LONGEST_PAYLOAD: Final = 256  # WhatsApp's own limit for what a button carries
_REACTION: Final = "reaction"
_SPOKEN: Final = frozenset({"", "text"})
"""Message types that may be empty; of any other, which shows nothing that we know, the agent is told that much."""


def refuse_repeated(pairs: Sequence[tuple[str, str]]) -> None:
    """Raise Invalid where a field that we read stands twice: which of them Twilio meant, nobody can say."""
    names = [name for name, _ in pairs if name in READ or _MEDIA.fullmatch(name)]
    if len(names) != len(set(names)):
        raise Invalid("webhook_malformed", "A field of the webhook stands twice.")


def inbound(event: RawEvent) -> Inbound:
    """The message of an inbound event, or of one that was recovered. Raises Invalid for what cannot be read."""
    fields = _fields(event)
    sender, contact = _needed(fields, "To"), _needed(fields, "From")
    channel, _ = split_address(contact)
    recovered = event.kind == RECOVERED
    urls, kinds = ((), ["file"] * _count_media(fields)) if recovered else _media(fields, channel)
    opt_out_type = fields.get("OptOutType") or None
    if opt_out_type not in (None, "STOP", "START", "HELP"):
        raise Invalid("webhook_malformed", "The webhook's OptOutType is not one of Twilio's.", field="OptOutType")
    replied_to = fields.get("OriginalRepliedMessageSid") or None
    if replied_to is not None and not _SID.fullmatch(replied_to):
        raise Invalid("webhook_malformed", "The webhook's quoted message is no SID.", field="OriginalRepliedMessageSid")
    referral = _referral(fields)
    return Inbound(
        sid=_needed(fields, "MessageSid"),
        account_sid=event.account_sid,
        sender=sender,
        contact=contact,
        text=_in_words(fields, kinds, referral),
        body=_written(fields),
        profile_name=fields.get("ProfileName") or None,
        media_urls=urls,
        button_payload=(fields.get("ButtonPayload") or fields.get("ListId") or "")[:_LONGEST_PAYLOAD] or None,
        opt_out_type=opt_out_type,
        replied_to_sid=replied_to,
        recovered=recovered,
        also_known_as=_also_known_as(fields, contact),
        referral=referral,
        is_reaction=_is_reaction(fields),
        has_voice_note=VOICE_NOTE in kinds,
    )


def _also_known_as(fields: Mapping[str, str], contact: str) -> str | None:
    """The writer's BSUID beside the number, or the other way round; None where it tells nothing that can be read.

    `ExternalUserId` is the BSUID where Twilio knows one; `From` is the same where the number is hidden. What has
    another form than either is Twilio's own, and no reason to refuse what a person wrote.
    """
    (channel, bare), (also_on, other) = split_address(contact), split_address(fields.get("ExternalUserId", ""))
    if channel is not Channel.WHATSAPP or also_on is not Channel.WHATSAPP:
        return None
    return None if identity.tell_apart(bare, other) is None else address_on(channel, other)


def status(event: RawEvent, secret: bytes) -> StatusReport:
    """The report of a status event; message and attempt where the callback URL's MAC holds. Raises Invalid."""
    fields = _fields(event)
    word = _needed(fields, "MessageStatus")
    reported = STATUSES.get(word)
    if reported is None:
        raise Invalid("webhook_malformed", "The webhook's MessageStatus is not one we know.", field="MessageStatus")
    code = fields.get("ErrorCode", "")
    if code and not (code.isascii() and code.isdigit() and len(code) <= 6):
        raise Invalid("webhook_malformed", "The webhook's ErrorCode is no number.", field="ErrorCode")
    ours = callback.read_query(event.query, secret)
    return StatusReport(
        sid=_needed(fields, "MessageSid"),
        account_sid=event.account_sid,
        status=reported,
        error_code=int(code or 0) or None,
        message_id=ours and ours[0],
        attempt=ours and ours[1],
    )


def _fields(event: RawEvent) -> dict[str, str]:
    """The fields of a kept form, without the NUL characters that no database text may hold."""
    pairs = form.parse(event.body)
    refuse_repeated(pairs)
    return {name: value.replace("\0", "") for name, value in pairs}


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if not value:
        raise Invalid("webhook_malformed", f"The webhook has no {name}.", field=name)
    return value


def _media(fields: Mapping[str, str], channel: Channel) -> tuple[tuple[str, ...], list[str]]:
    """The addresses of what came with a message, and what each is in words."""
    urls = tuple(fields.get(f"MediaUrl{n}", "") for n in range(_count_media(fields)))
    if not all(_MEDIA_URL.fullmatch(url) for url in urls):
        raise Invalid("webhook_malformed", "The webhook's media addresses are not what it counts.", field="MediaUrl0")
    return urls, [_kind(fields.get(f"MediaContentType{n}", ""), channel) for n in range(len(urls))]


def _count_media(fields: Mapping[str, str]) -> int:
    written = fields.get("NumMedia") or "0"
    if not (written.isascii() and written.isdigit() and len(written) <= 2 and int(written) <= MOST_MEDIA):
        raise Invalid("webhook_malformed", "The webhook's NumMedia is not a number of media.", field="NumMedia")
    return int(written)


def _kind(content_type: str, channel: Channel) -> str:
    for beginning, kind in _KINDS:
        if content_type.lower().startswith(beginning):
            if kind in ("sticker", "voice note") and channel is Channel.SMS:
                return "image" if kind == "sticker" else "audio"  # only WhatsApp has these by themselves
            return kind
    return "file"


def _written(fields: Mapping[str, str]) -> str:
    return fields.get("Body") or fields.get("ButtonText") or fields.get("ListTitle") or ""


def _is_reaction(fields: Mapping[str, str]) -> bool:
    return fields.get("MessageType") == _REACTION


def _referral(fields: Mapping[str, str]) -> Referral | None:
    """The advertisement that a message came from; strangers wrote it, so it is tidied and cut."""
    told = {
        name: _tidy(fields.get(field, "")) or None
        for name, field in (
            ("headline", "ReferralHeadline"),
            ("body", "ReferralBody"),
            ("source_url", "ReferralSourceUrl"),
            ("source_id", "ReferralSourceId"),
            ("source_type", "ReferralSourceType"),
            ("click_id", "ReferralCtwaClid"),
        )
    }
    return Referral(**told) if any(told.values()) else None


def _tidy(text: str) -> str:
    """A name on one line, unable to end the brackets that it stands in."""
    plain = "".join(" " if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") else char for char in text[:2000])
    return " ".join(plain.replace("[", "(").replace("]", ")").split())[:_LONGEST_NAME].rstrip()


def _in_words(fields: Mapping[str, str], kinds: Sequence[str], referral: Referral | None) -> str:
    """The text that an agent reads: descriptions of what came with a message, then what was written or tapped."""
    shown = []
    if referral is not None:
        told = ", ".join(line for line in (referral.headline, referral.body, referral.source_url) if line)
        shown.append(f"[from an ad{': ' if told else ''}{told}]")
    shown += [f"[{kind}]" for kind in kinds]
    latitude, longitude = fields.get("Latitude", ""), fields.get("Longitude", "")
    if _DEGREES.fullmatch(latitude) and _DEGREES.fullmatch(longitude):
        names = ", ".join(name for name in (_tidy(fields.get("Label", "")), _tidy(fields.get("Address", ""))) if name)
        shown.append(f"[location {latitude},{longitude}{': ' if names else ''}{names}]")
    written = _written(fields)
    if _is_reaction(fields):
        shown.append("[reaction]" if written.strip() else "[reaction taken back]")
    if fields.get("MessageType") == "contacts" and not kinds:
        shown.append("[contact]")
    if written.strip():
        shown.append(written)
    if not shown:
        shown.append("[empty message]" if fields.get("MessageType", "") in _SPOKEN else "[unsupported message]")
    return " ".join(shown)
