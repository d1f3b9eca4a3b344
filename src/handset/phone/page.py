"""The page of phones: written on the server, readable and usable without scripts, and kept up to date by one.

The stream of the page carries ready HTML, so a bubble has one template, whoever asks for it.
"""

from pathlib import Path
from typing import Any, Final, get_args

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from handset import asking
from handset.api import meta
from handset.approvals import Approval, Approvals, Decision
from handset.asking import RequestError
from handset.carrier.carrier import Carrier
from handset.config import DEFAULT_AUTH_TOKEN, Config
from handset.faults.plan import Plan
from handset.inspection import Inspection, NewPhone, sse, stream
from handset.keyboard import Tap, Typed
from handset.phone import beside, buttons, forms, panel, view
from handset.phone.assets import Assets
from handset.state.feed import Event, Feed
from handset.state.nouns import Act, Lifted, Message, OptOut, Phone, Removed, Webhook

TEMPLATES: Final = Path(__file__).parent / "templates"
APPROVALS: Final = get_args(Approval)
PHONES_SHOWN: Final = 60  # the newest; a load test writes to thousands, which no browser lays out in time

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # under `no-referrer` a browser hides the Origin of our own forms too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Page:
    """The phones, side by side."""

    def __init__(self, *, config: Config, carrier: Carrier, feed: Feed, inspection: Inspection, plan: Plan) -> None:
        self._config = config
        self._carrier = carrier
        self._store = carrier.store
        self._feed = feed
        self._inspection = inspection
        self._keyboard = inspection.keyboard
        self._plan = plan
        self._approvals = Approvals(carrier=carrier)
        self._said: buttons.Said | None = None
        self._assets = Assets()
        self._jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._jinja.globals["asset"] = self._assets.url
        self._jinja.globals["quick"] = panel.QUICK
        self._jinja.globals["choices"] = panel.choices()
        self._jinja.filters["plain"] = view.plain

    def routes(self) -> list[BaseRoute]:
        """The page's routes."""
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/phones", self.add_phone, methods=["POST"]),
            Route("/phones/messages", self.type_message, methods=["POST"]),
            Route("/phones/taps", self.tap, methods=["POST"]),
            Route("/phones/templates", self.decide, methods=["POST"]),
            Route("/phones/forget", self.forget, methods=["POST"]),
            Route("/phones/events", self.follow, methods=["GET"]),
            Route("/faults", self.add_fault, methods=["POST"]),
            Route("/faults/lift", self.lift_faults, methods=["POST"]),
            Route("/faults/panel", self.show_panel, methods=["GET"]),
            Route("/buttons/{id}", self.press, methods=["POST"]),
            Route("/static/{name}", self._assets.serve, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        """All the phones."""
        return self._page(request)

    async def add_phone(self, request: Request) -> Response:
        """Add a phone, from the page's form."""
        form = await forms.read(request)
        prefix = "whatsapp:" if form.get("channel") == "whatsapp" else ""
        number = "".join(character for character in form.get("number", "") if character not in " -().")
        try:
            phone = self._inspection.add(NewPhone(address=prefix + number, name=form.get("name", "")))
        except RequestError as error:
            return self._page(request, error=error, form=form)
        return RedirectResponse(f"/#phone-{view.digest(phone.address)}", status_code=303)

    async def type_message(self, request: Request) -> Response:
        """Type a message, from a phone's form."""
        form = await forms.read(request)
        typed = Typed(from_=form.get("from", ""), to=form.get("to", ""), body=form.get("quick") or form.get("body", ""))
        try:
            self._keyboard.type(typed, base_url=meta.base_url(request))
        except RequestError as error:
            return self._page(request, error=error, form=form)
        return RedirectResponse(f"/#phone-{view.digest(typed.from_)}", status_code=303)

    async def tap(self, request: Request) -> Response:
        """Tap what a message offers, from its form."""
        form = await forms.read(request)
        try:
            tap = Tap(message=form.get("message", ""), choice=form.get("choice", ""))
            typed = self._keyboard.tap(tap, base_url=meta.base_url(request))
        except RequestError as error:
            return self._page(request, error=error, form=form)
        return RedirectResponse(f"/#phone-{view.digest(typed.phone or '')}", status_code=303)

    async def decide(self, request: Request) -> Response:
        """Move a template's approval, from its form."""
        form = await forms.read(request)
        try:
            decision = msgspec.convert({"approval": form.get("approval")}, Decision)
            moved = self._approvals.move(form.get("sid", ""), decision)
        except msgspec.ValidationError as error:
            return self._page(request, error=RequestError(400, str(error), "choose one of the states"), form=form)
        except RequestError as error:
            return self._page(request, error=error, form=form)
        self._said = buttons.Said(label=moved.name, text=f"is {moved.approval} now.", is_good=True)
        return RedirectResponse("/", status_code=303)

    async def forget(self, request: Request) -> Response:
        """Forget all conversations, from the page's button."""
        await forms.read(request)
        self._carrier.forget()
        return RedirectResponse("/", status_code=303)

    async def add_fault(self, request: Request) -> Response:
        """Let something go wrong, from the panel."""
        form = await forms.read(request)
        try:
            self._plan.add(panel.read(form))
        except RequestError as error:
            return self._page(request, error=error, form=form, panel_open=True)
        return RedirectResponse("/?faults#faults", status_code=303)

    async def lift_faults(self, request: Request) -> Response:
        """Lift one rule, or all, from the panel; one that is gone already is no mistake."""
        form = await forms.read(request)
        if identifier := form.get("id"):
            self._plan.lift(identifier)
        else:
            self._plan.lift_all()
        return RedirectResponse("/?faults#faults", status_code=303)

    async def press(self, request: Request) -> Response:
        """Press a button that whoever started Handset added, and show what it was answered."""
        await forms.read(request)
        pressed = next((one for one in self._config.buttons if one.id == request.path_params["id"]), None)
        if pressed is None:
            hint = "`buttons` of the configuration says which there are"
            return self._page(request, error=RequestError(404, "there is no such button", hint))
        self._said = await buttons.press(pressed)
        return RedirectResponse("/", status_code=303)

    async def show_panel(self, request: Request) -> Response:
        """The parts of the page that tell of faults, for its script."""
        shown = self._panel()
        parts = {
            "panel": self._jinja.get_template("panel.html").render(panel=shown, form={}),
            "tally": self._jinja.get_template("tally.html").render(panel=shown),
            "standing": str(len(shown.rows) or "none"),
        }
        return asking.json(parts)

    async def follow(self, request: Request) -> Response:
        """What changed on the phones, as ready HTML."""
        return stream(self._feed, request, render=self._event)

    # -- rendering

    def _page(
        self,
        request: Request,
        *,
        error: RequestError | None = None,
        form: dict[str, str] | None = None,
        panel_open: bool = False,
    ) -> Response:
        first = self._config.accounts[0]
        said, self._said = self._said, None  # told once
        phones = self._store.phones()
        html = self._jinja.get_template("page.html").render(
            screens=[self._screen(phone) for phone in phones[-PHONES_SHOWN:]],
            hidden=max(0, len(phones) - PHONES_SHOWN),
            most=PHONES_SHOWN,
            position=self._feed.position,
            base_url=f"{request.url.scheme}://{request.url.netloc}",
            account=first,
            token=first.auth_token if first.auth_token == DEFAULT_AUTH_TOKEN else None,
            numbers=self._config.numbers,
            clock=msgspec.json.encode(self._carrier.clock.line).decode(),
            panel=self._panel(),
            panel_open=panel_open or "faults" in request.query_params,
            buttons=self._config.buttons,
            templates=self._carrier.templates(),
            approvals=APPROVALS,
            said=said,
            error=error,
            form=form or {},
        )
        return Response(html, status_code=error.status if error else 200, media_type="text/html", headers=HEADERS)

    def _event(self, event: Event) -> bytes:
        match event.subject:
            case Message() if event.kind == "typing":
                return _event(event, "typing", {"phone": view.digest(event.subject.phone or "")})
            case Message() if event.subject.phone is not None:
                return self._bubble_event(event, event.subject)
            case Webhook():
                message = self._store.find_message(event.subject.message_sid)
                typed = message is not None and message.direction == "inbound"
                return self._bubble_event(event, message) if message is not None and typed else _empty(event)
            case Phone():
                screen = self._screen(event.subject)
                html = self._jinja.get_template("phone.html").render(screen=screen)
                return _event(event, "phone", {"phone": screen.id, "html": html})
            case OptOut() | Lifted():
                phone = self._store.find_phone(event.subject.phone)
                if phone is None:
                    return _empty(event)
                return _event(event, "lines", {"phone": view.digest(phone.address), "lines": self._lines_html(phone)})
            case Removed():
                return _event(event, "removed", {"sid": event.subject.sid})
            case Act():
                return _event(event, "faults", {})
            case None if event.kind == "faults":
                return _event(event, "faults", {})
            case None if event.kind == "clock":
                return _event(event, "clock", msgspec.to_builtins(self._carrier.clock.line))
            case _:
                return _event(event, "refresh", {})

    def _panel(self) -> panel.Panel:
        store = self._store
        return panel.of(self._plan.standing(), store.acts(), store.tally, self._carrier.clock.line)

    def _bubble_event(self, event: Event, message: Message) -> bytes:
        phone = self._store.find_phone(message.phone or "")
        if phone is None or self._store.find_message(message.sid) is None:
            return _empty(event)
        bubble = self._bubble(message)
        data = {
            "phone": view.digest(phone.address),
            "sid": message.sid,
            "html": self._jinja.get_template("bubble.html").render(bubble=bubble),
            "lines": self._lines_html(phone),
        }
        return _event(event, "bubble", data)

    def _bubble(self, message: Message) -> view.Bubble:
        media = self._store.media_of(message.sid)
        quoted = self._store.find_message(message.fields.get("OriginalRepliedMessageSid", ""))
        webhook = self._store.inbound_webhook_of(message.sid)
        return view.bubble(message, webhook, beside.of(message, media, quoted))

    def _lines_html(self, phone: Phone) -> str:
        return self._jinja.get_template("lines.html").render(screen=self._screen(phone, bubbles=False))

    def _screen(self, phone: Phone, *, bubbles: bool = True) -> view.Screen:
        address = phone.address
        messages = self._store.list_messages(address)
        senders = self._carrier.senders_for(address)
        shown = view.shown_senders(senders, messages)
        recent = messages[-view.SHOWN :] if bubbles else []
        return view.Screen(
            id=view.digest(address),
            address=address,
            number=view.plain(address),
            name=phone.name or view.plain(address),
            initials=view.initials(phone.name, address),
            hue=int(view.digest(address), 16) % view.HUES,
            whatsapp=address.startswith("whatsapp:"),
            senders=tuple(senders),
            also=view.also(phone),
            preferred=next((m.sender for m in reversed(messages) if m.sender in senders), None),
            lines=tuple(self._line(sender, address) for sender in shown),
            bubbles=tuple(map(self._bubble, recent)),
        )

    def _line(self, sender: str, address: str) -> view.Line:
        block = self._store.find_opt_out(senders=self._carrier.scope_of(sender), phone=address)
        return view.line(
            sender=sender,
            last_inbound_at=self._store.last_inbound_at(sender=sender, phone=address),
            blocked_since=block.at if block else None,
            whatsapp=address.startswith("whatsapp:"),
            now=self._carrier.clock.now(),
        )


def _event(event: Event, kind: str, data: dict[str, Any]) -> bytes:
    return sse(event.id, kind, msgspec.json.encode(data))


def _empty(event: Event) -> bytes:
    return b"id: %s\n\n" % event.id.encode()
