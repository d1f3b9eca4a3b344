"""The inspection API, `/handset/v1`: what a test or a curious person wants to see and do, without a password."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from handset import asking
from handset import config as configs
from handset.api import meta
from handset.asking import RequestError
from handset.carrier import reasons
from handset.carrier.carrier import Carrier
from handset.carrier.course import WINDOW
from handset.carrier.numbers import OTHER_FORM, other_form
from handset.clock import EARLIEST, LATEST, Line
from handset.config import ADDRESS, ConfigError, Past, can_answer_as, check_past
from handset.keyboard import Keyboard, Reaction, Tap, Typed
from handset.state.feed import Event, Feed
from handset.state.nouns import Message, Phone

WRITE_ONE: Final = "write an address, with whatsapp: if the phone has it, or other_form"
TYPED_LIMIT: Final = 24 * 1024 * 1024  # bytes; 16 MB in Base64, and what stands around it


class Pair(msgspec.Struct, kw_only=True):
    """A handset and one of our senders."""

    from_: str = msgspec.field(name="from")
    to: str


class NewPhone(configs.Phone, frozen=True, kw_only=True):
    """A handset to add, or the name and identity that one is to have."""


class Jump(msgspec.Struct, kw_only=True):
    """How far the clock is to jump; back, if negative."""

    seconds: Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


def message_of(message: Message) -> Mapping[str, Any]:
    """A message, for inspection."""
    return {
        "sid": message.sid,
        "from": message.from_address,
        "to": message.to_address,
        "body": message.body,
        "direction": message.direction,
        "status": message.status,
        "error_code": message.error_code,
        "error_message": reasons.text_of(message.error_code),
        "segments": message.segments,
        "content_sid": message.content_sid,
        "media_urls": message.media_urls,
        "price": message.price,
        "rich": message.rich,
        "reaction": message.reaction,
        "seen_at": message.seen_at,
        "past": message.past,
        "messaging_service_sid": message.service_sid,
        "auto": message.auto,
        "created_at": message.created_at,
        "history": [{"status": change.status, "at": change.at} for change in message.history],
    }


class Inspection:
    """What everybody may see and do."""

    def __init__(self, *, carrier: Carrier, feed: Feed, keyboard: Keyboard) -> None:
        self.keyboard: Final = keyboard
        self._carrier = carrier
        self._store = carrier.store
        self._feed = feed

    def routes(self) -> list[Route]:
        """The routes of v1, and the health check."""
        plain = [
            ("/healthz", "GET", self.health),
            ("/handset/v1/messages", "GET", self.list_messages),
            ("/handset/v1/inbound", "POST", self.type_message),
            ("/handset/v1/taps", "POST", self.tap),
            ("/handset/v1/reactions", "POST", self.react),
            ("/handset/v1/history", "POST", self.recall),
            ("/handset/v1/webhooks", "GET", self.list_webhooks),
            ("/handset/v1/tally", "GET", self.read_tally),
            ("/handset/v1/phones", "GET", self.list_phones),
            ("/handset/v1/phones", "POST", self.add_phone),
            ("/handset/v1/opt-outs", "GET", self.list_opt_outs),
            ("/handset/v1/opt-ins", "POST", self.opt_in),
            ("/handset/v1/clock", "GET", self.read_clock),
            ("/handset/v1/clock", "PUT", self.set_clock),
            ("/handset/v1/clock/advance", "POST", self.advance_clock),
            ("/handset/v1/events", "GET", self.follow),
            ("/handset/v1", "DELETE", self.forget),
        ]
        return [asking.route(path, method, endpoint) for path, method, endpoint in plain]

    async def health(self, request: Request) -> Response:
        """Whether Handset is up."""
        return asking.json({"status": "ok"})

    async def list_messages(self, request: Request) -> Response:
        """All messages, or those to and from one `address`, oldest first."""
        address = request.query_params.get("address")
        if address is not None and not ADDRESS.fullmatch(address):
            hint = "write the + as %2B in a query: ?address=%2B15550100001 or ?address=whatsapp:%2B15559876543"
            raise RequestError(400, f"address {address!r} is none", hint)
        return asking.json({"messages": [message_of(message) for message in self._store.list_messages(address)]})

    async def type_message(self, request: Request) -> Response:
        """Type a message on a handset."""
        typed = await asking.read(request, Typed, limit=TYPED_LIMIT)
        return asking.json({"sid": self.keyboard.type(typed, base_url=meta.base_url(request)).sid}, status=201)

    async def tap(self, request: Request) -> Response:
        """Tap a button or a row of a message."""
        tap = await asking.read(request, Tap)
        return asking.json({"sid": self.keyboard.tap(tap, base_url=meta.base_url(request)).sid}, status=201)

    async def react(self, request: Request) -> Response:
        """React to a message."""
        reaction = await asking.read(request, Reaction)
        return asking.json(message_of(self.keyboard.react(reaction, base_url=meta.base_url(request))), status=201)

    async def recall(self, request: Request) -> Response:
        """Put messages from before into the list."""
        asked = await asking.read(request, list[Past], hint="send a list of {from, to, body, at, status}")
        for past in asked:
            try:
                check_past(past, is_ours=lambda address: self._carrier.find_number(address) is not None)
                if past.at > self._carrier.clock.now():
                    raise ConfigError(f"history: {past.at.isoformat()} is yet to come")
            except ConfigError as error:
                raise RequestError(400, str(error), "one side is one of our senders, the other a phone") from error
        return asking.json({"sids": [self._carrier.recall(past).sid for past in asked]}, status=201)

    async def list_webhooks(self, request: Request) -> Response:
        """Every webhook, oldest first."""
        return asking.json({"webhooks": self._store.webhooks()})

    async def read_tally(self, request: Request) -> Response:
        """How many of our messages wait, reached a phone, reached it twice, or never will."""
        tally = self._store.tally
        counts = {"waiting": tally.waiting, "reached": tally.reached, "twice": tally.doubled, "missed": tally.missed}
        return asking.json(counts)

    async def list_phones(self, request: Request) -> Response:
        """Every handset, with whom it blocked and which windows are open."""
        return asking.json({"phones": [self._phone(phone) for phone in self._store.phones()]})

    async def add_phone(self, request: Request) -> Response:
        """Add a handset, or rename one."""
        asked = await asking.read(request, NewPhone)
        return asking.json(self._phone(self.add(asked)), status=201)

    def add(self, asked: NewPhone) -> Phone:
        """Take a new handset; raises RequestError if it cannot be."""
        address = asked.address.strip()
        if not ADDRESS.fullmatch(address) or address.isdecimal():
            raise RequestError(400, f"address {asked.address!r} is none", "write +15550100001 or whatsapp:+15559876543")
        if self._carrier.find_number(address) is not None:
            raise RequestError(409, f"{address} is one of our own senders", "choose another number for the phone")
        answers_as = asked.answers_as
        if not can_answer_as(asked):
            raise RequestError(400, f"answers_as: {answers_as!r} is no address of the phone's channel", WRITE_ONE)
        if answers_as == OTHER_FORM and other_form(address) is None:
            raise RequestError(400, f"{address} has one form alone", "other_form is for +55, +52 and +54")
        settled = msgspec.structs.replace(asked, address=address, name=asked.name.strip()[:80])
        return self._carrier.people.put(settled)

    async def list_opt_outs(self, request: Request) -> Response:
        """Every block that a STOP set."""
        return asking.json({"opt_outs": self._store.opt_outs()})

    async def opt_in(self, request: Request) -> Response:
        """Lift the block between the phone `from` and the sender `to`, without a word on either side."""
        pair = await asking.read(request, Pair)
        if not self._carrier.lift(sender=pair.to, phone=pair.from_):
            raise RequestError(
                404, f"{pair.from_} has not blocked {pair.to}", "GET /handset/v1/opt-outs lists the blocks"
            )
        return asking.json({"from": pair.from_, "to": pair.to})

    async def read_clock(self, request: Request) -> Response:
        """What the clock shows, and the line that it goes by."""
        return asking.json(self._clock())

    async def set_clock(self, request: Request) -> Response:
        """Show another time, at another pace."""
        self._carrier.clock.set(await asking.read(request, Line))
        return asking.json(self._clock())

    async def advance_clock(self, request: Request) -> Response:
        """Jump ahead; what has become due by then happens at once."""
        asked = await asking.read(request, Jump)
        if not EARLIEST <= self._carrier.clock.now() + timedelta(seconds=asked.seconds) <= LATEST:
            raise RequestError(
                400, f"seconds: {asked.seconds:g} leads too far", f"stay between {EARLIEST.year} and {LATEST.year}"
            )
        self._carrier.clock.advance(asked.seconds)
        return asking.json(self._clock())

    def _clock(self) -> Mapping[str, Any]:
        line = self._carrier.clock.line
        return {"at": line.at, "real_at": line.real_at, "rate": line.rate, "now": self._carrier.clock.now()}

    async def forget(self, request: Request) -> Response:
        """Forget messages, webhooks, windows and opt-outs."""
        self._carrier.forget()
        return Response(status_code=204)

    async def follow(self, request: Request) -> Response:
        """Every change from now on, or after Last-Event-ID, as server-sent events."""
        return stream(self._feed, request, render=_event)

    def _phone(self, phone: Phone) -> Mapping[str, Any]:
        senders = self._carrier.senders_for(phone.address)
        inbound = {s: self._store.last_inbound_at(sender=s, phone=phone.address) for s in senders}
        blocked = [s for s in senders if self._carrier.is_blocked(sender=s, phone=phone.address)]
        whatsapp = phone.address.startswith("whatsapp:")
        windows = {s: at + WINDOW for s, at in inbound.items() if at and whatsapp}
        return {
            "address": phone.address,
            "name": phone.name,
            "answers_as": phone.answers_as,
            "bsuid": phone.bsuid,
            "username": phone.username,
            "opted_out_of": blocked,
            "window_closes_at": windows,
        }


def stream(feed: Feed, request: Request, *, render: Callable[[Event], bytes]) -> StreamingResponse:
    """The feed as server-sent events, resumed where the follower left off."""
    last_id = request.headers.get("last-event-id") or request.query_params.get("after")

    async def lines() -> AsyncIterator[bytes]:
        yield b": welcome\nretry: 1000\n\n"
        async for event in feed.follow(last_id):
            yield b": still here\n\n" if event is None else render(event)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _event(event: Event) -> bytes:
    subject = event.subject
    data = message_of(subject) if isinstance(subject, Message) else subject or {}
    return sse(event.id, event.kind, msgspec.json.encode(data))


def sse(identifier: str, kind: str, data: bytes) -> bytes:
    """One server-sent event; JSON has no line breaks to mind."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (identifier.encode(), kind.encode(), data)
