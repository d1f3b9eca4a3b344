"""What a person does on a handset: types, sends files and places, taps what a message offers, reacts."""

from typing import Annotated, Final

import msgspec

from handset.asking import RequestError
from handset.carrier import typed as beside
from handset.carrier.carrier import Carrier
from handset.config import ADDRESS
from handset.state.nouns import Message

TEXT_LIMIT: Final = 4096  # what WhatsApp lets a person type; SMS are split by the phone long before
MB: Final = 1024 * 1024
FILES_LIMITS: Final = {True: (1, 16 * MB), False: (10, 5 * MB)}  # by WhatsApp or not: how many, and all together
WRITE_AN_ADDRESS: Final = "write +15550100001 or whatsapp:+15559876543"


class Typed(msgspec.Struct, kw_only=True):
    """What was typed on a handset. `reply_to` is the SID of a message that it quotes."""

    from_: str = msgspec.field(name="from")
    to: str
    body: str = ""
    media: tuple[beside.Attachment, ...] = ()
    location: beside.Place | None = None
    contact: beside.Card | None = None
    referral: beside.Referral | None = None
    reply_to: str | None = None
    forwarded: bool = False
    fields: dict[str, str] = msgspec.field(default_factory=dict)


class Tap(msgspec.Struct, kw_only=True):
    """A tap on a button or a row of a message, named by its id or its title."""

    message: str
    choice: Annotated[str, msgspec.Meta(min_length=1)]


class Reaction(msgspec.Struct, kw_only=True):
    """A reaction to a message; an empty one takes it back. `tell` sends a webhook of it, which Twilio may not."""

    message: str
    emoji: Annotated[str, msgspec.Meta(max_length=16)] = "\N{THUMBS UP SIGN}"
    tell: bool = False


class Keyboard:
    """Everybody's fingers."""

    def __init__(self, carrier: Carrier, *, base_url: str | None) -> None:
        self._carrier = carrier
        self._store = carrier.store
        self._base_url = base_url

    def type(self, typed: Typed, *, base_url: str) -> Message:
        """Take a typed message; raises RequestError if it cannot be."""
        number = self._carrier.find_number(typed.to)
        if number is None:
            senders = ", ".join(self._carrier.senders_for(typed.from_)) or "none; add one to `numbers`"
            raise RequestError(404, f"to: {typed.to!r} is none of our senders", f"senders of this channel: {senders}")
        if not ADDRESS.fullmatch(typed.from_):
            raise RequestError(400, f"from: {typed.from_!r} is no address", WRITE_AN_ADDRESS)
        if typed.from_.startswith("whatsapp:") != typed.to.startswith("whatsapp:"):
            raise RequestError(
                400, "from and to are of different channels", "give both the whatsapp: prefix, or neither"
            )
        if len(typed.body) > TEXT_LIMIT:
            raise RequestError(400, f"body has {len(typed.body)} characters", f"type at most {TEXT_LIMIT}")
        _check_files(typed)
        extras = beside.Extras(
            media=typed.media,
            location=typed.location,
            contact=typed.contact,
            referral=typed.referral,
            reply_to=self._message(typed.reply_to) if typed.reply_to is not None else None,
            forwarded=typed.forwarded,
        )
        return self._carrier.receive(
            phone=typed.from_,
            number=number,
            body=typed.body,
            extras=extras,
            fields=typed.fields,
            base_url=self._base_url or base_url,
        )

    def tap(self, tap: Tap, *, base_url: str) -> Message:
        """Tap a button or a row of a message that reached the phone; raises RequestError if there is none."""
        message = self._message(tap.message)
        choices = message.rich.choices if message.rich else ()
        offered = [choice for choice in choices if choice.kind != "link"]
        found = next((choice for choice in offered if tap.choice in (choice.id, choice.title)), None)
        if found is None:
            names = ", ".join(choice.id for choice in offered) or "none"
            raise RequestError(404, f"choice: {tap.choice!r} is not on the message", f"it offers: {names}")
        if message.status not in {"sent", "delivered", "read"}:
            raise RequestError(409, f"the message is {message.status}", "wait until it has reached the phone")
        return self._answer(message, found.title, beside.Extras(reply_to=message, choice=found), base_url=base_url)

    def react(self, reaction: Reaction, *, base_url: str) -> Message:
        """React to a message on the phone."""
        message = msgspec.structs.replace(self._message(reaction.message), reaction=reaction.emoji)
        if not message.is_whatsapp:
            raise RequestError(400, "SMS knows no reactions", "react to a WhatsApp message")
        self._store.put_message(message)
        if reaction.tell and message.direction != "inbound":
            kind = {"MessageType": "reaction"}
            extras = beside.Extras(reply_to=message)
            self._answer(message, reaction.emoji, extras, base_url=base_url, fields=kind)
        return message

    def _answer(
        self,
        message: Message,
        body: str,
        extras: beside.Extras,
        *,
        base_url: str,
        fields: dict[str, str] | None = None,
    ) -> Message:
        number = self._carrier.find_number(message.from_address or "")
        if number is None:
            raise RequestError(409, "the message's sender is none of ours any more", "add it to `numbers`")
        return self._carrier.receive(
            phone=message.phone or "",
            number=number,
            body=body,
            extras=extras,
            fields=fields or {},
            base_url=self._base_url or base_url,
        )

    def _message(self, sid: str) -> Message:
        message = self._store.find_message(sid)
        if message is None:
            raise RequestError(404, f"there is no message {sid!r}", "GET /handset/v1/messages lists all")
        return message


def _check_files(typed: Typed) -> None:
    most, size = FILES_LIMITS[typed.to.startswith("whatsapp:")]
    if len(typed.media) + (typed.contact is not None) > most:
        raise RequestError(400, f"media: {len(typed.media)} are too many", f"send at most {most} in a message")
    if sum(len(file.content) for file in typed.media) > size:
        raise RequestError(413, "media: the files are too large", f"send at most {size // MB} MB in a message")
