"""The inspection API, `/handset/v1`: what a test or a curious person wants to see and do, without a password.

Handset listens on the loopback by default, and knows no secrets that matter. A body must say that it is JSON: a
foreign web page cannot make a browser send that without asking first.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from handset.api.door import Endpoint
from handset.carrier import reasons
from handset.carrier.carrier import Carrier
from handset.carrier.course import WINDOW
from handset.config import ADDRESS
from handset.state.feed import Event, Feed
from handset.state.nouns import Message, Phone

T = TypeVar("T", bound=msgspec.Struct)

BODY_LIMIT: Final = 262_144  # bytes
TEXT_LIMIT: Final = 4096  # what WhatsApp lets a person type; SMS are split by the phone long before


class RequestError(Exception):
    """A request that makes no sense here; the text says what to do instead."""

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status = status
        self.answer = {"error": error, "hint": hint}


class Typed(msgspec.Struct, kw_only=True):
    """What was typed on a handset."""

    from_: str = msgspec.field(name="from")
    to: str
    body: str = ""
    fields: dict[str, str] = msgspec.field(default_factory=dict)


class Pair(msgspec.Struct, kw_only=True):
    """A handset and one of our senders."""

    from_: str = msgspec.field(name="from")
    to: str


class NewPhone(msgspec.Struct, kw_only=True):
    """A handset to add."""

    address: str
    name: str = ""


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
        "messaging_service_sid": message.service_sid,
        "auto": message.auto,
        "created_at": message.created_at,
        "history": [{"status": change.status, "at": change.at} for change in message.history],
    }


class Inspection:
    """What everybody may see and do."""

    def __init__(self, *, carrier: Carrier, feed: Feed) -> None:
        self._carrier = carrier
        self._store = carrier.store
        self._feed = feed

    def routes(self) -> list[Route]:
        """The routes of v1, and the health check."""
        plain = [
            ("/healthz", "GET", self.health),
            ("/handset/v1/messages", "GET", self.list_messages),
            ("/handset/v1/inbound", "POST", self.type_message),
            ("/handset/v1/webhooks", "GET", self.list_webhooks),
            ("/handset/v1/phones", "GET", self.list_phones),
            ("/handset/v1/phones", "POST", self.add_phone),
            ("/handset/v1/opt-outs", "GET", self.list_opt_outs),
            ("/handset/v1/opt-ins", "POST", self.opt_in),
            ("/handset/v1/events", "GET", self.follow),
            ("/handset/v1", "DELETE", self.forget),
        ]
        return [Route(path, _answering(endpoint), methods=[method]) for path, method, endpoint in plain]

    async def health(self, request: Request) -> Response:
        """Whether Handset is up."""
        return _json({"status": "ok"})

    async def list_messages(self, request: Request) -> Response:
        """All messages, or those to and from one `address`, oldest first."""
        address = request.query_params.get("address")
        if address is not None and not ADDRESS.fullmatch(address):
            hint = "write the + as %2B in a query: ?address=%2B15550100001 or ?address=whatsapp:%2B15559876543"
            raise RequestError(400, f"address {address!r} is none", hint)
        return _json({"messages": [message_of(message) for message in self._store.list_messages(address)]})

    async def type_message(self, request: Request) -> Response:
        """Type a message on a handset."""
        typed = await _read(request, Typed)
        return _json({"sid": self.type(typed).sid}, status=201)

    def type(self, typed: Typed) -> Message:
        """Take a typed message; raises RequestError if it cannot be."""
        number = self._carrier.find_number(typed.to)
        if number is None:
            senders = ", ".join(self._carrier.senders_for(typed.from_)) or "none; add one to `numbers`"
            raise RequestError(404, f"to: {typed.to!r} is none of our senders", f"senders of this channel: {senders}")
        if not ADDRESS.fullmatch(typed.from_):
            raise RequestError(
                400, f"from: {typed.from_!r} is no address", "write +15550100001 or whatsapp:+15559876543"
            )
        if typed.from_.startswith("whatsapp:") != typed.to.startswith("whatsapp:"):
            raise RequestError(
                400, "from and to are of different channels", "give both the whatsapp: prefix, or neither"
            )
        if len(typed.body) > TEXT_LIMIT:
            raise RequestError(400, f"body has {len(typed.body)} characters", f"type at most {TEXT_LIMIT}")
        return self._carrier.receive(phone=typed.from_, number=number, body=typed.body, fields=typed.fields)

    async def list_webhooks(self, request: Request) -> Response:
        """Every webhook, oldest first."""
        return _json({"webhooks": self._store.webhooks()})

    async def list_phones(self, request: Request) -> Response:
        """Every handset, with whom it blocked and which windows are open."""
        return _json({"phones": [self._phone(phone) for phone in self._store.phones()]})

    async def add_phone(self, request: Request) -> Response:
        """Add a handset, or rename one."""
        asked = await _read(request, NewPhone)
        return _json(self._phone(self.add(asked)), status=201)

    def add(self, asked: NewPhone) -> Phone:
        """Take a new handset; raises RequestError if it cannot be."""
        address = asked.address.strip()
        if not ADDRESS.fullmatch(address) or address.isdecimal():
            raise RequestError(400, f"address {asked.address!r} is none", "write +15550100001 or whatsapp:+15559876543")
        if self._carrier.find_number(address) is not None:
            raise RequestError(409, f"{address} is one of our own senders", "choose another number for the phone")
        return self._carrier.add_phone(address, asked.name.strip()[:80])

    async def list_opt_outs(self, request: Request) -> Response:
        """Every block that a STOP set."""
        return _json({"opt_outs": self._store.opt_outs()})

    async def opt_in(self, request: Request) -> Response:
        """Lift the block between the phone `from` and the sender `to`, without a word on either side."""
        pair = await _read(request, Pair)
        if not self._carrier.lift(sender=pair.to, phone=pair.from_):
            raise RequestError(
                404, f"{pair.from_} has not blocked {pair.to}", "GET /handset/v1/opt-outs lists the blocks"
            )
        return _json({"from": pair.from_, "to": pair.to})

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
        return {"address": phone.address, "name": phone.name, "opted_out_of": blocked, "window_closes_at": windows}


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


def _json(body: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def _answering(endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RequestError as wrong:
            return JSONResponse(wrong.answer, status_code=wrong.status)

    return answer


async def _read(request: Request, kind: type[T]) -> T:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "the body is not said to be JSON", "send Content-Type: application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise RequestError(413, "the body is too large", f"send at most {BODY_LIMIT} bytes")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        fields = ", ".join(field.encode_name for field in msgspec.structs.fields(kind))
        raise RequestError(400, str(error), f"send a JSON object with the fields {fields}") from error
