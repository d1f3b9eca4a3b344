"""What a person sends beside text: files, a place, a contact, a tap, a reply, the advertisement they came from.

Becomes the parameters that Twilio's webhook has for it: the "webhook request" guide, and payloads seen in the wild.
"""

from typing import Annotated, Final

import msgspec

from handset.state.nouns import Choice, Message

NAMES: Final = {"image": "image", "video": "video", "audio": "audio"}


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file; its content is Base64 in JSON."""

    content_type: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+/[A-Za-z0-9.+-]{1,80}$")]
    content: bytes


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the map."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    label: str = ""
    address: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's contact; it travels as a vCard."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    phone: Annotated[str, msgspec.Meta(max_length=40)]


class Referral(msgspec.Struct, frozen=True, kw_only=True):
    """The advertisement whose button brought the person here (click to WhatsApp)."""

    source_id: str
    source_type: str = "ad"
    source_url: str = ""
    headline: str = ""
    body: str = ""
    ctwa_clid: str = ""


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """All that a message may have beside its text."""

    media: tuple[Attachment, ...] = ()
    location: Place | None = None
    contact: Card | None = None
    referral: Referral | None = None
    reply_to: Message | None = None
    choice: Choice | None = None
    forwarded: bool = False

    @property
    def files(self) -> tuple[Attachment, ...]:
        """The attachments, the contact's vCard among them."""
        return (*self.media, *([_vcard(self.contact)] if self.contact else []))


def fields(extras: Extras, *, whatsapp: bool) -> dict[str, str]:
    """The webhook's parameters for it, but for its media's addresses."""
    told: dict[str, str] = {}
    if place := extras.location:
        told |= {"Latitude": f"{place.latitude:g}", "Longitude": f"{place.longitude:g}"}
        told |= {name: text for name, text in (("Label", place.label), ("Address", place.address)) if text}
    if extras.choice is not None:
        told |= _tapped(extras.choice)
    if original := extras.reply_to:
        told["OriginalRepliedMessageSid"] = original.sid
        told["OriginalRepliedMessageSender"] = original.from_address or ""
    if extras.referral is not None:
        told |= _referred(extras.referral)
    if whatsapp:
        told |= {"MessageType": _kind(extras)}
        if extras.forwarded:
            told |= {"Forwarded": "true", "FrequentlyForwarded": "false"}
    return told


def _tapped(choice: Choice) -> dict[str, str]:
    if choice.kind == "row":
        described = {"ListDescription": choice.description} if choice.description else {}
        return {"ListId": choice.id, "ListTitle": choice.title} | described
    return {"ButtonText": choice.title, "ButtonPayload": choice.id, "ButtonType": "REPLY"}


def _referred(referral: Referral) -> dict[str, str]:
    told = {
        "ReferralSourceId": referral.source_id,
        "ReferralSourceType": referral.source_type,
        "ReferralSourceUrl": referral.source_url,
        "ReferralHeadline": referral.headline,
        "ReferralBody": referral.body,
        "ReferralCtwaClid": referral.ctwa_clid,
    }
    return {name: value for name, value in told.items() if value}


def _kind(extras: Extras) -> str:
    if extras.choice is not None:
        return "interactive"
    if extras.location is not None:
        return "location"
    if extras.contact is not None:
        return "contacts"
    if not extras.media:
        return "text"
    return NAMES.get(extras.media[0].content_type.partition("/")[0], "document")


def _vcard(card: Card) -> Attachment:
    def plain(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
        return " ".join(escaped.split())

    lines = ("BEGIN:VCARD", "VERSION:3.0", f"FN:{plain(card.name)}", f"N:{plain(card.name)};;;;")
    text = "\r\n".join((*lines, f"TEL;TYPE=CELL:{plain(card.phone)}", "END:VCARD", ""))
    return Attachment(content_type="text/vcard", content=text.encode())
